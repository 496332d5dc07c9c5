"""The text towers of ``bert`` and ``gpt2``: of the size and kind of ``clip_t``, and with its tokenizer.

The feature is the mean over tokens of the last layer, widened to 256 by a linear map that is trained as the first layer
of the prediction head. Devillers et al. (2021, section 4) take the last layer's vector at the label's token, which a
text without a known label does not have; what is linear in the last layer is kept, but distances are those after
the map. The mean is over every token that the training predicts from: for ``bert`` all but padding, for ``gpt2`` not
the end mark either, since nothing behind it is ever predicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmbench.zoo.frozen.backbone import DIM
from mmbench.zoo.frozen.block import block, masked_attention
from mmbench.zoo.frozen.text import CONTEXT, END, HEADS, LAYERS, PAD, WIDTH, initialise

if TYPE_CHECKING:
    from torch import nn

MASKED = "mmbench-masked-words-3x128"
CAUSAL = "mmbench-next-word-3x128"


def build(words: int, *, causal: bool, seed: int = 0) -> nn.Module:
    """An untrained tower from tokens ``[batch, 32]`` of a vocabulary of ``words`` to features ``[batch, 256]``.

    ``states(tokens)`` gives the features of each token, ``[batch, used, 256]``, cut at the longest text. Without
    ``causal`` there is one token more, ``words`` itself: the mask.
    """
    from torch import nn

    attention = masked_attention(causal=causal)

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.place = nn.Embedding(words + (not causal), WIDTH), nn.Embedding(CONTEXT, WIDTH)
            self.blocks = nn.ModuleList(block(WIDTH, HEADS, attention) for _ in range(LAYERS))
            self.norm, self.project = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, DIM)

        def states(self, tokens):  # type: ignore[no-untyped-def]
            tokens = tokens[:, : int((tokens != PAD).sum(dim=1).max())]
            x = self.token(tokens) + self.place.weight[: tokens.shape[1]]
            # causal: padding lies behind all that counts, and so is never seen
            seen = None if causal else (tokens != PAD)[:, None, None, :]
            for each in self.blocks:
                x = each(x, seen)
            return self.project(self.norm(x))

        def forward(self, tokens):  # type: ignore[no-untyped-def]
            states = self.states(tokens)
            tokens = tokens[:, : states.shape[1]]
            kept = (tokens != PAD) & (tokens != END) if causal else tokens != PAD
            kept = kept.unsqueeze(2).to(states.dtype)
            return (states * kept).sum(dim=1) / kept.sum(dim=1)

    tower = Tower()
    initialise(tower, seed)
    return tower


def masked_tower(words: int) -> nn.Module:
    return build(words, causal=False)


def causal_tower(words: int) -> nn.Module:
    return build(words, causal=True)
