"""A transformer that reads or writes a caption while it looks at the image's positions.

Queries are the caption's words, keys and values the 4 x 4 positions before the image tower's pooling, as in VirTex
(section 3) and ICMLM (section 3.3): what the words need, the image tower must show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmbench.zoo.frozen import text
from mmbench.zoo.frozen.backbone import DIM

if TYPE_CHECKING:
    from torch import Tensor, nn

POOLING = 2  # the tower's last layers: mean over positions, flattening


def positions(tower: nn.Sequential, images: Tensor) -> Tensor:
    """What an image tower without projection says at each place: ``[n, 16, 256]`` for images ``[n, 3, 64, 64]``."""
    return tower[:-POOLING](images).flatten(2).transpose(1, 2)


def build(vocabulary: int, layers: int, *, causal: bool, seed: int = 0) -> nn.Module:
    """An untrained decoder from tokens ``[n, length]`` and positions ``[n, 16, 256]`` to states ``[n, length, 128]``.

    ``causal``: a word sees those before it only. Its ``scores`` turns states ``[m, 128]`` into logits over the
    vocabulary ``[m, vocabulary]``, through the embeddings themselves.
    """
    import torch
    from torch import nn

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.place = nn.Embedding(vocabulary, text.WIDTH), nn.Embedding(text.CONTEXT, text.WIDTH)
            self.look = nn.Linear(DIM, text.WIDTH)
            self.layers = nn.ModuleList(
                nn.TransformerDecoderLayer(
                    text.WIDTH, text.HEADS, 4 * text.WIDTH, 0.0, "gelu", batch_first=True, norm_first=True
                )
                for _ in range(layers)
            )
            self.norm, self.bias = nn.LayerNorm(text.WIDTH), nn.Parameter(torch.zeros(vocabulary))

        def forward(self, tokens, seen):  # type: ignore[no-untyped-def]
            length = tokens.shape[1]
            state, seen = self.token(tokens) + self.place.weight[:length], self.look(seen)
            later = torch.ones(length, length, dtype=torch.bool).triu(1) if causal else None
            for layer in self.layers:
                state = layer(state, seen, tgt_mask=later, tgt_key_padding_mask=tokens == text.PAD)
            return self.norm(state)

        def scores(self, states):  # type: ignore[no-untyped-def]
            return states @ self.token.weight.T + self.bias

    decoder = Decoder()
    text.initialise(decoder, seed)
    return decoder
