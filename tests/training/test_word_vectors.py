"""Word vectors: what is frozen stays, a seed repeats itself, a stopped fit ends alike, and readings differ as said."""

import dataclasses

import numpy as np
import pytest
from sklearn.decomposition import PCA

from mmbench.datasets.specs import resolve
from mmbench.datasets.word_corpus import HowToFit, counted
from mmbench.errors import BadDataset, BadFeatures, BadSpec, MissingExtra
from mmbench.protocol import Roles
from mmbench.training import word_vectors
from mmbench.training.entry import TRAININGS, Checkpoint
from mmbench.training.visual_words import principal, unit_length, visual_words
from mmbench.training.word_vectors import CODE, PAPER, Lesson, SkipGramSettings, fit, gather, words_of

from ..tiny_lineup import bound, tiny_lineup
from .test_linear_map import Memory

FREQUENT = ("the", "cat", "dog", "runs", "sees", "green")
SEEN = ("cat", "tench", "dog", "shark")  # tench and shark are not frequent
HOW = HowToFit(dim=3, epochs=4, words=6, rate=0.05, recounted=2)
PAPER_SETTINGS, CODE_SETTINGS = SkipGramSettings(), SkipGramSettings().as_code()


def documents(count=30, seed=0):
    rng = np.random.default_rng(seed)
    return [list(rng.choice([*FREQUENT, "tench", "unknown"], 12)) for _ in range(count)]


def lesson(how=HOW, *, seen=True):
    texts = documents()
    _, counts = counted(lambda: iter(texts), 100)
    made = Lesson(lambda: iter(texts), counts, FREQUENT, SEEN, how)
    if not seen:
        return made
    rng = np.random.default_rng(1)
    labels = np.arange(24) % len(SEEN)
    x = (rng.standard_normal((len(SEEN), 6))[labels] + 0.1 * rng.standard_normal((24, 6))).astype(np.float32)
    return dataclasses.replace(made, features=x, labels=labels)


def rows(weights, words):
    known = words_of(weights)
    return weights["vectors"][[known.index(word) for word in words]]


@pytest.mark.parametrize("settings", [PAPER_SETTINGS, CODE_SETTINGS], ids=["paper", "code"])
def test_visual_words_stay_where_the_images_put_them_and_others_move(settings):
    found = lesson()
    weights = fit(found, settings, 5, Checkpoint())
    assert words_of(weights) == (*FREQUENT, "tench", "shark")
    kept = SEEN[: len(SEEN) - settings.spare_last]
    put = visual_words(found.features, found.labels, len(SEEN), HOW.dim, settings.fitted_on).vectors
    np.testing.assert_array_equal(rows(weights, kept), put[: len(kept)].astype(np.float32))
    assert set(np.array(words_of(weights))[weights["frozen"]]) == set(kept)
    assert set(np.array(words_of(weights))[weights["visual"]]) == set(SEEN)
    once = dataclasses.replace(HOW, epochs=1, recounted=1)
    earlier = fit(dataclasses.replace(found, how=once), settings, 5, Checkpoint())
    free = [word for word in FREQUENT if word not in SEEN]
    assert (rows(weights, free) != rows(earlier, free)).all()


def test_the_baseline_freezes_nothing_and_has_the_same_vocabulary():
    free, seen = (fit(lesson(seen=what), PAPER_SETTINGS, 5, Checkpoint()) for what in (False, True))
    assert not free["frozen"].any()
    assert words_of(free) == words_of(seen)
    assert (free["visual"] == seen["visual"]).all()


@pytest.mark.parametrize("settings", [PAPER_SETTINGS, CODE_SETTINGS], ids=["paper", "code"])
def test_a_seed_repeats_itself_and_another_one_differs(settings):
    first, again, other = (fit(lesson(), settings, seed, Checkpoint())["vectors"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("stop", [1, 3])
def test_a_fit_that_was_stopped_gives_the_same_vectors(stop):
    whole = fit(lesson(), PAPER_SETTINGS, 2**40 + 5, Checkpoint())
    memory = Memory(most=stop)
    with pytest.raises(KeyboardInterrupt):
        fit(lesson(), PAPER_SETTINGS, 2**40 + 5, Checkpoint(memory, every=0))
    assert int(memory.state["done"]) == stop
    memory.most = None
    resumed = fit(lesson(), PAPER_SETTINGS, 2**40 + 5, Checkpoint(memory, every=0))
    assert memory.kept == HOW.epochs  # nothing was done twice
    for name, values in whole.items():
        np.testing.assert_array_equal(values, resumed[name])


@pytest.mark.parametrize(("given", "window", "negative"), [({}, 5, 5), ({"window": 2, "negative": 1}, 2, 1)])
def test_epochs_one_by_one_are_those_of_gensim_in_one_go(given, window, negative):
    """The rate falls evenly over all epochs, as where gensim trains them together; what a corpus says goes first."""
    from gensim.models import Word2Vec

    found = lesson(dataclasses.replace(HOW, **given), seen=False)
    weights = fit(found, PAPER_SETTINGS, 7, Checkpoint())
    model = Word2Vec(
        sg=1, vector_size=3, window=window, negative=negative, min_count=1, sample=HOW.sample, alpha=0.05,
        min_alpha=1e-4, workers=1, seed=7, sorted_vocab=0,
    )  # fmt: skip
    model.build_vocab_from_freq({word: max(1, found.counts.get(word, 0)) for word in found.vocabulary})
    model.train(list(found.documents()), total_words=sum(found.counts.values()), epochs=HOW.epochs)
    np.testing.assert_allclose(weights["vectors"], model.wv.vectors, atol=1e-4)


def test_the_code_counts_every_word_once():
    paper, code = (word_vectors._untrained(lesson(), s, 1) for s in (PAPER_SETTINGS, CODE_SETTINGS))
    counts = {word: code.wv.get_vecattr(word, "count") for word in code.wv.index_to_key}
    assert counts == dict.fromkeys(FREQUENT, 1) | {"cat": 2, "dog": 2, "tench": 1, "shark": 1}
    assert paper.wv.get_vecattr("the", "count") > 20
    assert paper.wv.get_vecattr("shark", "count") == 1  # it does not occur
    assert {code.wv.get_vecattr(word, "sample_int") for word in FREQUENT} == {2**32 - 1}  # none is dropped


def test_the_readings_have_the_rates_of_paper_and_code():
    assert (PAPER_SETTINGS.rate, CODE_SETTINGS.rate) == (0.001, 0.025)
    plain = dataclasses.replace(HOW, rate=None)
    assert word_vectors._rate(plain, CODE_SETTINGS) == 0.025
    assert word_vectors._rate(HOW, CODE_SETTINGS) == HOW.rate
    assert TRAININGS.get(PAPER).settings == PAPER_SETTINGS
    assert TRAININGS.get(CODE).settings == CODE_SETTINGS


def test_principal_components_are_scikit_learns():
    x = np.random.default_rng(0).standard_normal((40, 8)) @ np.diag(np.arange(1, 9))
    mean, components = principal(x, 3)
    ours, theirs = (x - mean) @ components.T, PCA(3, svd_solver="full").fit_transform(x)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-8)


def test_components_are_fitted_on_images_or_on_words():
    found = lesson()
    on = {what: visual_words(found.features, found.labels, 4, 3, what) for what in ("images", "words")}
    unit = unit_length(found.features)
    means = np.stack([unit[found.labels == label].mean(axis=0) for label in range(4)])
    for what, x in (("images", unit), ("words", means)):
        theirs = PCA(3, svd_solver="full").fit(x).transform(means)
        np.testing.assert_allclose(np.abs(on[what].vectors), np.abs(theirs), atol=1e-6)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(BadFeatures, match="5 principal components are needed, and 4 rows of width 8 have 3"):
        principal(np.ones((4, 8)), 5)
    with pytest.raises(BadDataset, match="visual word number 2 has no image; each of 4 words needs one"):
        visual_words(np.ones((3, 6)), np.array([0, 1, 3]), 4, 2, "images")
    strange = dataclasses.replace(lesson(seen=False), counts={"le": 3, "chat": 1})
    with pytest.raises(BadDataset, match="none of the 8 words of the vocabulary occurs in the corpus"):
        fit(strange, PAPER_SETTINGS, 1, Checkpoint())


def test_a_long_document_is_cut_and_nothing_of_it_is_lost(monkeypatch):
    monkeypatch.setattr(word_vectors, "LONGEST", 5)
    pieces = list(word_vectors._Pieces(lambda: iter([list("abcdefghijkl"), list("xy")])))
    assert ["".join(piece) for piece in pieces] == ["abcde", "fghij", "kl", "xy"]


class Source:
    """A lineup of toys with a corpus of colours."""

    def __init__(self, tmp_path, images=None, corpus=None):
        from mmbench.bench.lineup_source import LineupSource
        from mmbench.features.store import Store
        from mmbench.lineups import DatasetBinding

        from ..tiny_lineup import dataset

        texts = [" ".join(np.random.default_rng(row).choice(["a", "red", "green", "thing"], 9)) for row in range(20)]
        (tmp_path / "corpus.txt").write_text("\n".join(texts))
        roles = {
            "wikipedia": corpus or resolve(f"corpus:{tmp_path}/corpus.txt?dim=2&epochs=2"),
            "visual_words": images or dataset("blocks"),
        }
        lineup = tiny_lineup(datasets={role: bound(DatasetBinding, role, e).entry for role, e in roles.items()})
        self.real = LineupSource(lineup, Store(tmp_path / "store"), progress=False)

    def __getattr__(self, name):
        return getattr(self.real, name)


def test_an_image_encoder_a_text_encoder_and_none(tmp_path):
    from mmbench.models import specs

    source = Source(tmp_path)
    images = gather(source, Roles("clip"), "wikipedia")
    assert images.visual == ("red", "green", "blue")
    assert images.features.shape == (53, 3)
    texts = gather(source, Roles("clip_t"), "wikipedia")
    np.testing.assert_array_equal(texts.features, np.eye(3))  # one text a word: "a red", "a green", "a blue"
    source.real.lineup.models["clip"].__dict__["entry"] = specs.resolve("none:free_words")
    assert gather(source, Roles("clip"), "wikipedia").features is None


def test_words_of_two_words_and_no_corpus_are_refused(tmp_path):
    from ..tiny_lineup import dataset

    entry = dataset("blocks")
    named = dataclasses.replace(
        entry, load=lambda: dataclasses.replace(entry.load(), classes=("red", "sea green", "b"))
    )
    with pytest.raises(
        BadDataset, match=r"class 'sea green'; a visual word is one word: merge classes .*hyperclasses:"
    ):
        gather(Source(tmp_path, images=named), Roles("clip"), "wikipedia")
    with pytest.raises(BadSpec, match="the role wikipedia is played by blocks, which is no corpus; bind corpus:FILE"):
        gather(Source(tmp_path, corpus=entry), Roles("clip"), "wikipedia")


def test_without_gensim(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gensim.models", None)
    with pytest.raises(MissingExtra, match="training word vectors needs gensim; install it with: pip install 'mmbench"):
        fit(lesson(), PAPER_SETTINGS, 1, Checkpoint())


def test_what_decides_the_vectors_is_in_their_key(tmp_path):
    source = Source(tmp_path)
    key = source.training_key(PAPER, Roles("clip"), "wikipedia")
    assert key != source.training_key(CODE, Roles("clip"), "wikipedia")
    assert key != source.training_key(PAPER, Roles("clip_t"), "wikipedia")
    other = Source(tmp_path)  # another run: in one run a dataset is found once
    (tmp_path / "corpus.txt").write_text("red green")
    assert key != other.training_key(PAPER, Roles("clip"), "wikipedia")
