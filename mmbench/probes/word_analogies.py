"""Analogies of words: a is to b as c is to d (Mikolov et al. 2013; Devillers et al. 2021, section 5.2).

As gensim's ``evaluate_word_analogies``: vectors at length 1, the word nearest to b - a + c in angle, the three words of
the question excluded; questions with a word that has no vector are left out (mmbench.inputs.words counts them).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.words import Words
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings

TILE = 2**22  # similarities at a time (16 MB)
SEEDS = 3  # trainings of each model's word vectors: ours; the paper has one


@dataclass(frozen=True)
class AnalogySettings(Settings):
    """Which training gives the vectors: that of the paper, or that of the released code (D-09a to D-09d)."""

    vectors: str = "word_vectors"

    def as_code(self) -> AnalogySettings:
        return dataclasses.replace(self, vectors="word_vectors_code")

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.vectors,)


ANALOGIES = PROTOCOLS.add(Protocol("word_analogies", "word_analogies", AnalogySettings(), trials=SEEDS))


def word_analogies(
    inputs: Words, settings: Sequence[AnalogySettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The word found for each question, by its place in the vocabulary: int64 ``[trials, n]``. Nothing is drawn."""
    inputs.check(4)
    found = np.stack([solve(inputs.vectors[trial], inputs.rows) for trial in range(trials)])
    return [found for _ in settings]


def solve(vectors: NDArray[np.float32], questions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Answers ``[n]`` to ``questions`` ``[n, 4]`` (the fourth word is not read) under vectors ``[words, dim]``."""
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(norm > 0, norm, 1.0)
    a, b, c = questions[:, :3].T
    wanted = unit[b] - unit[a] + unit[c]
    step = max(1, TILE // len(unit))
    answers = []
    for start in range(0, len(wanted), step):
        some = slice(start, start + step)
        near = wanted[some] @ unit.T
        np.put_along_axis(near, questions[some, :3], -np.inf, axis=1)
        answers.append(near.argmax(axis=1))
    return np.concatenate(answers)


PROBES.add(
    Probe(
        "word_analogies",
        word_analogies,
        AnalogySettings,
        inputs="words",
        takes="one",
        unnamed=False,
        figure="words",
        title="Word vectors with visual words frozen (as Devillers et al. 2021, Fig. 10)",
        about="the word that completes an analogy",
    )
)
