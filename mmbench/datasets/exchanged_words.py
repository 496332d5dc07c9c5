"""Sentences of news in which two neighbouring words were exchanged, or not: a probe of word order, as SentEval's.

The sentences are those of 300 news texts that gensim is tested with (Lee et al. 2005). As in bigram shift of
Conneau et al. (2018) half of the sentences have two neighbouring words exchanged; the first and the last word stay, and
so do words with a sign beside them, so that neither a capital nor a comma gives the exchange away. Texts of training
and of test are different ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from mmbench.assets import GENSIM, read_member
from mmbench.datasets._rendered import Dice, identity_of
from mmbench.datasets.entry import DATASETS, Dataset, DatasetEntry, Split
from mmbench.datasets.groups import grouped
from mmbench.datasets.word_corpus import FOLDER

NAME = "exchanged_words"
CLASSES = ("as written", "exchanged")
FILE = "lee_background.cor"
TEXTS = {"train": slice(0, 200), "test": slice(200, 300)}  # by their place in the file
EACH = {"train": 500, "test": 250}  # sentences of each class
SHORTEST, LONGEST = 8, 25  # words
MODULES = (__name__, "mmbench.datasets._rendered", "mmbench.datasets.groups")
Sentence = tuple[int, tuple[str, ...]]  # the number of its text, and its words


def sentences(split: str) -> list[Sentence]:
    """Sentences with at least one pair of words that may be exchanged, each once, in the order of the file."""
    lines = read_member(GENSIM, f"{FOLDER}/{FILE}").decode("latin-1").splitlines()
    found: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(lines[TEXTS[split]]):
        for sentence in re.split(r"(?<=[.!?])\s+", line.strip()):
            words = tuple(sentence.split())
            if SHORTEST <= len(words) <= LONGEST and any(places(words)):
                found.setdefault(words, number)
    return [(number, words) for words, number in found.items()]


def places(words: tuple[str, ...]) -> Iterator[int]:
    """Where a word may be exchanged with the next one: both are letters alone, differ, and are not at an end."""
    for place in range(1, len(words) - 2):
        one, other = words[place], words[place + 1]
        if one.isalpha() and other.isalpha() and one.lower() != other.lower():
            yield place


def exchanged(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words with two neighbours exchanged, drawn from all that may be."""
    place = Dice(NAME, "place", *words).pick(list(places(words)))
    return (*words[:place], words[place + 1], words[place], *words[place + 2 :])


def identity() -> str:
    return identity_of(NAME, GENSIM.sha256, modules=MODULES)


def load() -> Dataset:
    return Dataset(NAME, CLASSES, {split: _split(split) for split in TEXTS})


def _split(split: str) -> Split:
    known = sentences(split)
    chosen = [known[row] for row in Dice(NAME, split).order(len(known))[: 2 * EACH[split]]]
    labels = np.array([0, 1] * EACH[split], dtype=np.int64)
    texts = tuple(
        " ".join(exchanged(words) if label else words) for (_, words), label in zip(chosen, labels, strict=True)
    )
    ids = tuple(f"{split}-{row:04d}" for row in range(len(chosen)))
    return Split(ids, labels, texts=texts, groups=grouped([number for number, _ in chosen], "news texts"))


DATASETS.add(
    DatasetEntry(
        name=NAME,
        load=load,
        identity=identity,
        classes=len(CLASSES),
        counts={split: 2 * each for split, each in EACH.items()},
        modalities=("text",),
        templates=(),
        credit="300 news texts (Lee et al. 2005), through gensim by Radim Rehurek",
        licence=GENSIM.licence,
        about="Sentences of news, half of them with two neighbouring words exchanged. An encoder that does not see the "
        "order of words is at chance.",
        assets=(GENSIM.name,),
        origin="news",
    )
)
