"""Word vectors of several seeds, and the questions or pairs of words that they are tested on.

Words are matched whatever their case, as gensim's tests do by default: the tests of the paper write ``Athens`` and
``athens``, and its vocabulary is in small letters. Of words that differ in case alone, one is kept: a visual word, else
the one in small letters, else the most frequent; gensim lets the others compete as answers.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, BadSpec
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.models.no_encoder import is_no_encoder
from mmbench.protocol import Cell
from mmbench.seeds import trial_seeds
from mmbench.source import Source, require_output
from mmbench.training.entry import Fit
from mmbench.training.word_vectors import CORPUS, IMAGES, PAPER, corpus_of, words_of
from mmbench.two_workers import two_at_a_time

FEWEST = 4  # questions or pairs that remain


@dataclass(frozen=True)
class Words:
    """Vectors float32 ``[trials, words, dim]`` of one vocabulary, and what they are tested on.

    ``rows`` int64 ``[n, k]`` are the words of each item by their place in the vocabulary: the four of a question, or
    the two of a pair. ``truth`` is the place of the fourth, int64 ``[n]``, or the rating of the pair, float64 ``[n]``.
    ``ids`` are those of the items that remain; ``left_out`` says how many of the test do not.
    """

    vectors: NDArray[np.float32]
    words: tuple[str, ...]
    rows: NDArray[np.int64]
    truth: NDArray[Any]
    ids: tuple[str, ...]
    left_out: str = ""

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (self.vectors, self.rows)

    def examples(self, test: Split) -> str:
        """The digest of the items that remain, with their words and truth."""
        said = tuple(" ".join(self.words[row] for row in item) for item in self.rows)
        return Split(tuple(f"{i}={text}" for i, text in zip(self.ids, said, strict=True)), self.truth).digest()

    def check(self, words_an_item: int) -> None:
        """Raise BadSpec for items of another kind, BadFeatures for vectors that no probe can work on."""
        if self.rows.ndim != 2 or self.rows.shape[1] != words_an_item:
            raise BadSpec(
                f"expected items of {words_an_item} words, got shape {self.rows.shape}: analogies are bound with "
                "analogies:semantic, pairs with word_pairs:wordsim353"
            )
        check_features("word vectors", self.vectors.reshape(-1, self.vectors.shape[-1]), self.vectors.shape[-1])


def training_of(cell: Cell) -> str:
    """The training that gives the vectors, by the cell's settings."""
    found: str = getattr(cell.protocol.settings, "vectors", PAPER)
    return found


def gather(source: Source, cell: Cell) -> Words:
    """Fit vectors for each trial's seed, and keep the items of the test whose words all have one.

    Two seeds are fitted at a time. Raises BadSpec for a dataset that is no test of words, BadDataset where fewer than
    4 items remain.
    """
    require_output(cell, "visual words are made from the output")
    model = source.model(cell.models[0])
    if not is_no_encoder(model) and model.modality == "image":  # encoded here, on all cores
        source.features(model, source.dataset(IMAGES).split("test"), f"{IMAGES}/test")
    fitted = list(two_at_a_time(lambda fit: source.trained(*fit), trainings(source, cell)))
    words = words_of(fitted[0])
    kept = one_of_each_case(words, fitted[0]["visual"])
    vocabulary = tuple(words[row] for row in kept)
    place = {word.lower(): row for row, word in enumerate(vocabulary)}
    pictured = {word.lower() for word in source.dataset(IMAGES).classes}
    test = source.dataset(cell.dataset).split("test")
    items = _items(cell.dataset, tuple(test.texts or ()))
    if not items:
        raise BadSpec(f"{cell.dataset} is no test of words; bind analogies:semantic or word_pairs:wordsim353")
    known = [row for row, (words, _) in enumerate(items) if all(word in place for word in words)]
    wanted = [row for row in known if _wanted(cell, items[row][0], pictured)]
    if len(wanted) < FEWEST:
        raise BadDataset(
            f"{cell}: of {len(items)} items {len(known)} have all their words in the vocabulary of {len(place):,} and "
            f"{len(wanted)} of these are asked for; expected {FEWEST} or more: take a corpus with more words"
        )
    rows = np.array([[place[word] for word in items[row][0]] for row in wanted], dtype=np.int64)
    ratings = [items[row][1] for row in wanted]
    pairs = rows.shape[1] == 2
    return Words(
        vectors=np.stack([weights["vectors"][kept] for weights in fitted]),
        words=vocabulary,
        rows=rows,
        truth=np.array(ratings, dtype=np.float64) if pairs else rows[:, 3],
        ids=tuple(test.ids[row] for row in wanted),
        left_out=f"{len(items) - len(known)} of {len(items)} items have a word without a vector"
        + (f"; {len(known) - len(wanted)} more are not asked for" if len(known) > len(wanted) else ""),
    )


def trainings(source: Source, cell: Cell) -> list[Fit]:
    """The word vectors of each trial."""
    name = training_of(cell)
    return [Fit(name, cell.models, CORPUS, seed) for seed in trial_seeds(cell.protocol.seed, cell.protocol.trials)]


def one_of_each_case(words: Sequence[str], visual: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Rows of ``words`` of which no two differ in case alone, in their order; ``visual`` bool ``[words]``."""
    chosen: dict[str, int] = {}
    for row, word in enumerate(words):
        best = chosen.setdefault(word.lower(), row)
        if (visual[row], word == word.lower()) > (visual[best], words[best] == words[best].lower()):
            chosen[word.lower()] = row
    return np.array(sorted(chosen.values()), dtype=np.intp)


@functools.lru_cache(maxsize=8)  # a test is asked for once for each model
def _items(dataset: str, texts: tuple[str, ...]) -> list[tuple[tuple[str, ...], float | None]]:
    return [_item(dataset, text) for text in texts]


def _item(dataset: str, text: str) -> tuple[tuple[str, ...], float | None]:
    """The words of an item of ``mmbench.datasets.word_tests`` in small letters, and its rating where it is a pair."""
    try:
        if "\t" in text:
            one, other, rating = text.lower().split("\t")
            return (one, other), float(rating)
        words = tuple(text.lower().split(" "))
        if len(words) != 4:
            raise ValueError
    except ValueError:
        raise BadSpec(
            f"{dataset} holds the text {text[:40]!r}, which is no question and no pair of words; bind "
            "analogies:semantic or word_pairs:wordsim353"
        ) from None
    return words, None


def pairs_of(cell: Cell) -> str:
    """Which pairs the cell's settings ask for: all, those with a visual word, or those without one."""
    found: str = getattr(cell.protocol.settings, "pairs", "all")
    return found


def _wanted(cell: Cell, words: tuple[str, ...], pictured: set[str]) -> bool:
    wanted = pairs_of(cell)
    return wanted == "all" or any(word in pictured for word in words) == (wanted == "visual")


def parts(source: Source, cell: Cell) -> list[Any]:
    """The key of the vectors, the dataset, which pairs are asked for, and the words that images show."""
    trained = source.training_key(training_of(cell), cell.models, CORPUS)
    corpus_of(source)
    return [trained, dataset_part(source, cell), {"pairs": pairs_of(cell)}]


FAMILIES.add(
    Family(
        "words",
        gather,
        parts,
        own_truth=True,
        about="word vectors of several seeds, and what they are tested on",
        trainings=trainings,
    )
)
