"""Skip-gram vectors of words, some of them frozen at what a model sees (Devillers et al. 2021, section 5.1).

gensim trains; the vectors of visual words are set before training and never changed (``vectors_lockf``), those of all
other words and all context vectors are learned. Without an encoder nothing is frozen: the baseline.

A seed decides initial vectors, windows and negative samples; one worker thread, so that it repeats itself. What a
corpus says about how it is fitted (``HowToFit``) goes before these settings.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.word_corpus import CorpusEntry, HowToFit, counted
from mmbench.errors import BadDataset, BadSpec, MissingExtra
from mmbench.models.no_encoder import is_no_encoder
from mmbench.protocol import Roles, Settings
from mmbench.source import Source
from mmbench.training.entry import TRAININGS, Checkpoint, Training, Weights
from mmbench.training.visual_words import FittedOn, visual_words

if TYPE_CHECKING:
    from gensim.models import Word2Vec

CORPUS, IMAGES = "wikipedia", "visual_words"  # roles of datasets
PROMPT = "a {}"  # the text whose vector a text encoder gives a word, as in the authors' code
LONGEST = 10_000  # words of a piece of text: gensim drops what comes after them without a word
NO_DROPPING = 0.0  # of the code: among 20,456 words with a count of one or two, none is frequent enough to be dropped
Counts = Mapping[str, int]


@dataclass(frozen=True)
class SkipGramSettings(Settings):
    """Devillers et al. 2021, section 5.1. ``as_code`` holds what the released code does otherwise.

    ``rate`` falls to ``last_rate`` (D-09c; the paper prints 0.001). ``recounted`` gives every word a count of one, and
    visual words that are frequent too a count of two, so that negative samples are drawn nearly evenly and no frequent
    word is dropped (D-09d). ``fitted_on``: what the principal components are fitted on (D-09b). ``spare_last`` leaves
    the last visual word free (D-09a). The number of negative samples is gensim's.
    """

    rate: float = 1e-3
    last_rate: float = 1e-4
    window: int = 5
    negative: int = 5
    recounted: bool = False
    fitted_on: FittedOn = "images"
    spare_last: bool = False

    def as_code(self) -> SkipGramSettings:
        return dataclasses.replace(self, rate=0.025, recounted=True, fitted_on="words", spare_last=True)


@dataclass(frozen=True)
class Lesson:
    """What vectors are fitted to.

    ``documents()`` gives the words of one training document after another; ``counts`` how often each word occurs in
    them. ``frequent`` are the most frequent words, ``visual`` the visual words in their order. ``features`` ``[n, d]``
    with ``labels`` ``[n]`` are those of the images of visual words; None where nothing is frozen.
    """

    documents: Callable[[], Iterator[list[str]]]
    counts: Counts
    frequent: tuple[str, ...]
    visual: tuple[str, ...]
    how: HowToFit
    features: NDArray[np.float32] | None = None
    labels: NDArray[np.int64] | None = None

    @functools.cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Frequent words, then the visual words that are not among them."""
        return tuple(dict.fromkeys([*self.frequent, *self.visual]))


def corpus_of(source: Source) -> CorpusEntry:
    """Who plays the role of the corpus. Raises BadSpec for a dataset that is no corpus."""
    entry = source.dataset_entry(CORPUS)
    if not isinstance(entry, CorpusEntry):
        raise BadSpec(f"the role {CORPUS} is played by {entry.name}, which is no corpus; bind corpus:FILE")
    return entry


def gather(source: Source, models: Roles, dataset: str) -> Lesson:
    """The corpus, counted, and the features of the visual words' images (of texts, for a text encoder).

    Raises BadDataset for a visual word of several words and for a corpus without text.
    """
    corpus, model = corpus_of(source), source.model(models[0])
    found = source.dataset(IMAGES)
    for word in found.classes:
        if len(word.split()) != 1:
            raise BadDataset(
                f"{IMAGES} has the class {word!r}; a visual word is one word: merge classes under one with "
                "hyperclasses:DATASET?wordnet=DIR, or rename them (?names=FILE)"
            )
    first, counts, frequent = _counted(corpus, corpus.identity())
    lesson = Lesson(lambda: itertools.islice(corpus.documents(), first), counts, frequent, found.classes, corpus.how)
    if is_no_encoder(model):
        return lesson
    if model.modality == "text":
        texts = [PROMPT.format(word) for word in found.classes]
        features, labels = source.texts(model, texts, f"{IMAGES}/words"), np.arange(len(texts))
    else:
        test = found.split("test")
        features, labels = source.features(model, test, f"{IMAGES}/test"), test.labels
    return dataclasses.replace(lesson, features=features, labels=labels)


_COUNTED: dict[str, tuple[int, Counts, tuple[str, ...]]] = {}  # by the corpus's identity


def _counted(corpus: CorpusEntry, identity: str) -> tuple[int, Counts, tuple[str, ...]]:
    """How many documents are trained on, the counts of their words, the most frequent words; kept for this process."""
    if identity not in _COUNTED:
        first, counts = counted(corpus.documents, corpus.how.train)
        listed = corpus.listed()
        words = [word for word, _ in counts.most_common(corpus.how.words)] if listed is None else listed
        _COUNTED[identity] = first, counts, tuple(words[: corpus.how.words])
    return _COUNTED[identity]


def parts(source: Source, models: Roles, dataset: str) -> list[Any]:
    """The feature key, the images, their words, the corpus with how it is fitted, and gensim's version."""
    model = source.model(models[0])
    images, corpus = source.dataset_entry(IMAGES), corpus_of(source)
    try:
        gensim = importlib.metadata.version("gensim")
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtra("gensim", "words", "training word vectors") from None
    return [source.feature_key(model), images.identity(), corpus.identity(), {"gensim": gensim}]


def fit(inputs: Lesson, s: SkipGramSettings, seed: int, checkpoint: Checkpoint) -> Weights:
    """``vectors`` float32 ``[words, dim]``; ``words`` uint8, the vocabulary in UTF-8 with line breaks between words;
    ``visual`` and ``frozen`` bool ``[words]``.

    Raises MissingExtra without gensim, BadDataset for a corpus without a word of the vocabulary.
    """
    words = inputs.vocabulary
    if not any(inputs.counts.get(word) for word in words):
        raise BadDataset(
            f"none of the {len(words):,} words of the vocabulary occurs in the corpus; expected a vocabulary of words "
            "as the corpus writes them, such as in small letters"
        )
    if any("\n" in word for word in words):
        raise BadDataset("a word of the vocabulary holds a line break")
    visual = np.isin(np.array(words), np.array(inputs.visual))
    frozen = np.zeros(len(words), dtype=bool)
    model = _untrained(inputs, s, seed)
    if inputs.features is not None and inputs.labels is not None:
        kept = len(inputs.visual) - int(s.spare_last)
        seen = visual_words(inputs.features, inputs.labels, len(inputs.visual), inputs.how.dim, s.fitted_on)
        rows = np.array([words.index(word) for word in inputs.visual[:kept]])
        model.wv.vectors[rows] = seen.vectors[:kept]
        frozen[rows] = True
    model.wv.vectors_lockf = np.where(frozen, 0.0, 1.0).astype(np.float32)
    _train(model, inputs, s, checkpoint)
    text = np.frombuffer("\n".join(words).encode(), dtype=np.uint8)
    return {"vectors": model.wv.vectors.copy(), "words": text.copy(), "visual": visual, "frozen": frozen}


def words_of(weights: Weights) -> tuple[str, ...]:
    """The vocabulary of fitted vectors, in their order."""
    return tuple(weights["words"].tobytes().decode().split("\n"))


def _untrained(inputs: Lesson, s: SkipGramSettings, seed: int) -> Word2Vec:
    """A model with its vocabulary in the order of the words, before anything is learned."""
    try:
        from gensim.models import Word2Vec
    except ImportError:
        raise MissingExtra("gensim", "words", "training word vectors") from None
    how = inputs.how
    if s.recounted:
        both = set(inputs.frequent) & set(inputs.visual)
        counts = {word: 1 + (word in both) for word in inputs.vocabulary}
    else:
        counts = {word: max(1, inputs.counts.get(word, 0)) for word in inputs.vocabulary}
    model = Word2Vec(
        sg=1,
        vector_size=how.dim,
        window=how.window or s.window,
        negative=how.negative or s.negative,
        min_count=1,
        sample=NO_DROPPING if s.recounted else how.sample,
        alpha=_rate(how, s),
        min_alpha=s.last_rate,
        workers=1,
        seed=seed % 2**32,
        sorted_vocab=0,
    )
    model.build_vocab_from_freq(counts)
    assert tuple(model.wv.index_to_key) == inputs.vocabulary
    return model


def _rate(how: HowToFit, s: SkipGramSettings) -> float:
    return s.rate if how.rate is None else how.rate


def _train(model: Word2Vec, inputs: Lesson, s: SkipGramSettings, checkpoint: Checkpoint) -> None:
    """All epochs, or those that a kept state has not done. The rate falls evenly over all of them."""
    how = inputs.how
    epochs = how.recounted if s.recounted and how.recounted is not None else how.epochs
    rates = np.linspace(_rate(how, s), s.last_rate, epochs + 1)
    total = sum(inputs.counts.values())
    for epoch in range(_restore(model, checkpoint.resume()), epochs):
        start, end = float(rates[epoch]), float(rates[epoch + 1])
        model.train(_Pieces(inputs.documents), total_words=total, epochs=1, start_alpha=start, end_alpha=end)
        checkpoint.keep(lambda done=epoch + 1: _state(model, done))  # type: ignore[misc]


class _Pieces:
    """Documents as gensim takes them: none longer than what it reads."""

    def __init__(self, documents: Callable[[], Iterator[list[str]]]) -> None:
        self._documents = documents

    def __iter__(self) -> Iterator[list[str]]:
        for words in self._documents():
            for start in range(0, len(words), LONGEST):
                yield words[start : start + LONGEST]


def _state(model: Word2Vec, done: int) -> dict[str, NDArray[Any]]:
    """Everything that a fit needs to go on after ``done`` epochs."""
    _, keys, place, _, _ = model.random.get_state()
    vectors = {"vectors": model.wv.vectors.copy(), "contexts": model.syn1neg.copy()}
    return vectors | {"dice": keys.copy(), "place": np.array(place), "done": np.array(done)}


def _restore(model: Word2Vec, state: Weights | None) -> int:
    """Lay a kept state into the model; returns the number of epochs that are done."""
    if state is None:
        return 0
    model.wv.vectors[:] = state["vectors"]
    model.syn1neg[:] = state["contexts"]
    model.random.set_state(("MT19937", state["dice"], int(state["place"]), 0, 0.0))
    return int(state["done"])


PAPER, CODE = "word_vectors", "word_vectors_code"
for _name, _settings, _reading in (
    (PAPER, SkipGramSettings(), "as printed"),
    (CODE, SkipGramSettings().as_code(), "as the released code does"),
):
    TRAININGS.add(
        Training(
            _name,
            fit,
            gather,
            parts,
            _settings,
            takes="one",
            about=f"from a corpus to skip-gram vectors with visual words frozen, {_reading}",
        )
    )
