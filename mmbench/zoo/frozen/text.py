"""The text tower that is trained with ``clip``: words, spelt out in bytes when unknown, and a small causal transformer.

The feature is the state of the last token (the end mark), projected into the joint space, as in CLIP.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.zoo.frozen.backbone import DIM
from mmbench.zoo.frozen.block import block, masked_attention

if TYPE_CHECKING:
    from torch import nn

ARCHITECTURE = "mmbench-text-3x128"
CONTEXT = 32
WIDTH = 128
LAYERS = 3
HEADS = 4
PAD, START, END = 0, 1, 2
BYTES = 3
WORDS = BYTES + 256


@dataclass(frozen=True)
class Tokenizer:
    """Lower-cased words and signs; a word outside the vocabulary is spelt in UTF-8 bytes, so any text has tokens."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str], at_least: int = 1) -> Tokenizer:
        """The words that occur ``at_least`` so often in ``texts``, most frequent first."""
        counts = Counter(word for text in texts for word in split(text))
        kept = sorted((word for word in counts if counts[word] >= at_least), key=lambda word: (-counts[word], word))
        return cls(tuple(kept))

    @classmethod
    def load(cls, text: str) -> Tokenizer:
        return cls(tuple(json.loads(text)))

    def dump(self) -> str:
        return json.dumps(self.words, ensure_ascii=True)

    def __len__(self) -> int:
        return WORDS + len(self.words)

    def encode(
        self, texts: Sequence[str], spelt: float = 0.0, rng: np.random.Generator | None = None
    ) -> NDArray[np.int64]:
        """Tokens ``[len(texts), 32]``, padded with 0; what does not fit is cut off before the end mark.

        With ``spelt`` each known word is spelt out with that probability, which is how the bytes learn to mean.
        """
        known = {word: WORDS + index for index, word in enumerate(self.words)}
        tokens = np.full((len(texts), CONTEXT), PAD, dtype=np.int64)
        for row, text in enumerate(texts):
            line = [START]
            for word in split(text):
                spell = word not in known or (rng is not None and rng.random() < spelt)
                line += [BYTES + byte for byte in word.encode()] if spell else [known[word]]
            line = [*line[: CONTEXT - 1], END]
            tokens[row, : len(line)] = line
        return tokens


def split(text: str) -> list[str]:
    """Lower-cased words and single signs of a text."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def build(vocabulary: int, *, seed: int = 0) -> nn.Module:
    """An untrained tower from tokens ``[batch, 32]`` to ``[batch, 256]``."""
    import torch
    from torch import nn

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.place = nn.Embedding(vocabulary, WIDTH), nn.Embedding(CONTEXT, WIDTH)
            self.blocks = nn.Sequential(*(block(WIDTH, HEADS, masked_attention(causal=True)) for _ in range(LAYERS)))
            self.norm, self.project = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, DIM, bias=False)

        def forward(self, tokens):  # type: ignore[no-untyped-def]
            used = int((tokens != PAD).sum(dim=1).max())  # causal: what follows the end mark changes nothing
            tokens = tokens[:, :used]
            x = self.blocks(self.token(tokens) + self.place.weight[:used])
            ends = (tokens == END).int().argmax(dim=1)
            return self.project(self.norm(x[torch.arange(len(x)), ends]))

    tower = Tower()
    initialise(tower, seed)
    return tower


def initialise(tower: nn.Module, seed: int) -> None:
    """Normal weights of deviation 0.02 (embeddings) or one over the root of the fan-in, drawn by numpy."""
    import torch

    rng = np.random.default_rng(seed + 1)
    with torch.no_grad():
        for name, tensor in tower.named_parameters():
            if tensor.ndim < 2:
                tensor.fill_(1.0 if "weight" in name else 0.0)
                continue
            spread = 0.02 if name in {"token.weight", "place.weight"} else tensor.shape[1] ** -0.5
            values = rng.standard_normal(tensor.shape, dtype=np.float32) * np.float32(spread)
            tensor.copy_(torch.from_numpy(values))
