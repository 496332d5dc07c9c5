"""Similarity of pairs of words against people's ratings (Devillers et al. 2021, section 5.2).

As gensim's ``evaluate_word_pairs``: the cosine of two vectors; pairs with a word that has no vector are left out. The
paper reports Pearson's r; Spearman's coefficient stands beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.words import Words
from mmbench.probes.entry import PROBES, Probe
from mmbench.probes.word_analogies import SEEDS
from mmbench.protocol import PROTOCOLS, Protocol, Settings


@dataclass(frozen=True)
class PairSettings(Settings):
    """Which training gives the vectors, as for analogies, and which pairs are asked.

    ``visual``: pairs with a visual word; ``abstract``: pairs without one. The paper asks all.
    """

    vectors: str = "word_vectors"
    pairs: Literal["all", "visual", "abstract"] = "all"

    def as_code(self) -> PairSettings:
        return dataclasses.replace(self, vectors="word_vectors_code")

    def for_probe(self) -> PairSettings:
        return dataclasses.replace(self, pairs="all")

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.vectors, self.pairs)


WORD_PAIRS = PROTOCOLS.add(Protocol("word_pairs", "word_pairs", PairSettings(), metric="pair_pearson", trials=SEEDS))
ABSTRACT_PAIRS = PROTOCOLS.add(
    dataclasses.replace(WORD_PAIRS, name="word_pairs_abstract", settings=PairSettings(pairs="abstract"))
)
WORD_PAIRS_RANKED = PROTOCOLS.add(dataclasses.replace(WORD_PAIRS, name="word_pairs_ranked", metric="pair_spearman"))


def word_pairs(
    inputs: Words, settings: Sequence[PairSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The cosine of each pair, float64 ``[trials, n]``. Nothing is drawn."""
    inputs.check(2)
    x = inputs.vectors[:trials].astype(np.float64)
    norm = np.linalg.norm(x, axis=-1, keepdims=True)
    unit = x / np.where(norm > 0, norm, 1.0)
    one, other = inputs.rows.T
    found = (unit[:, one] * unit[:, other]).sum(axis=-1)
    return [found for _ in settings]


PROBES.add(
    Probe(
        "word_pairs",
        word_pairs,
        PairSettings,
        inputs="words",
        takes="one",
        unnamed=False,
        figure="words",
        title="Word vectors with visual words frozen (as Devillers et al. 2021, Fig. 10)",
        about="how similar two words are",
    )
)
