"""Tests of word vectors agree with gensim's, and a planted embedding solves all analogies."""

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.errors import BadDataset
from mmbench.inputs.visual_words import Pictured
from mmbench.inputs.words import Words
from mmbench.metrics import METRICS
from mmbench.probes.visual_words import VisualWordSettings, classify
from mmbench.probes.word_analogies import AnalogySettings, solve, word_analogies
from mmbench.probes.word_pairs import PairSettings, word_pairs

from .. import paper_words

WORDS = tuple(f"word{number}" for number in range(30))


def planted(dim=64, pairs=12, seed=0):
    """Pairs of words whose second differs from the first by one vector, the same for all: every analogy holds."""
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((pairs, dim)) + 1
    return np.concatenate([first, first + 3 * rng.standard_normal(dim)]).astype(np.float32)


def questions(pairs=12):
    return np.array([[i, i + pairs, j, j + pairs] for i in range(pairs) for j in range(pairs) if i != j])


def test_a_planted_embedding_solves_all_analogies():
    asked = questions()
    unit = planted() / np.linalg.norm(planted(), axis=1, keepdims=True)
    inputs = Words(unit[None], WORDS[:24], asked, asked[:, 3], tuple(map(str, range(len(asked)))))
    (found,) = word_analogies(inputs, [AnalogySettings()], trials=1, seed=0)
    assert METRICS.get("accuracy").outcome(found, inputs.truth).mean() == 1.0
    shuffled = np.random.default_rng(1).permutation(planted())
    assert (solve(shuffled, asked) == asked[:, 3]).mean() < 0.2


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_analogies_are_gensims(tmp_path_factory, seed):
    """Words without a vector are left out by both; the file is the one that a user gives."""
    rng = np.random.default_rng(seed)
    known = ["boy", "girl", "man", "woman", "shark", "fish", "go", "going", "run", "running", "tench", "the"]
    vectors = rng.standard_normal((len(known), 3)).astype(np.float32)
    keyed = KeyedVectors(3)
    keyed.add_vectors(known, vectors)
    path = tmp_path_factory.mktemp("questions") / "questions.txt"
    path.write_text(paper_words.questions())
    _, sections = keyed.evaluate_word_analogies(str(path))
    theirs = {section["section"]: section for section in sections}
    for half, section in (("semantic", "family"), ("morphology", "gram5-present-participle")):
        from mmbench.datasets.word_tests import analogies

        texts = [text.split() for text in analogies(paper_words.questions(), half).split("test").texts]
        kept = [words for words in texts if all(word in known for word in words)]
        asked = np.array([[known.index(word) for word in words] for words in kept])
        right = solve(vectors, asked) == asked[:, 3]
        assert right.sum() == len(theirs[section]["correct"])
        assert len(right) - right.sum() == len(theirs[section]["incorrect"])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_pairs_are_gensims(tmp_path_factory, seed):
    from mmbench.datasets.word_tests import word_pairs as read

    rng = np.random.default_rng(seed)
    known = sorted({word for pair in (*paper_words.PAIRS, *paper_words.MORE_PAIRS) for word in pair[:2]})
    vectors = rng.standard_normal((len(known), 4)).astype(np.float32)
    keyed = KeyedVectors(4)
    keyed.add_vectors(known, vectors)
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    path.write_text(paper_words.pairs())
    pearson, spearman, unknown = keyed.evaluate_word_pairs(str(path))
    texts = [text.split("\t") for text in read(paper_words.pairs(), "mine").split("test").texts]
    kept = [(known.index(a), known.index(b), float(r)) for a, b, r in texts if a in known and b in known]
    rows, ratings = np.array([pair[:2] for pair in kept]), np.array([pair[2] for pair in kept])
    inputs = Words(vectors[None], tuple(known), rows, ratings, tuple(map(str, range(len(rows)))))
    (found,) = word_pairs(inputs, [PairSettings()], trials=1, seed=0)
    assert unknown == pytest.approx(100 * (len(texts) - len(kept)) / len(texts))
    for metric, theirs in (("pair_pearson", pearson), ("pair_spearman", spearman)):
        assert METRICS.get(metric).outcome.statistic(found, ratings)[0] == pytest.approx(theirs[0], abs=1e-5)


def pictured(noise, seed=0, words=12, each=4, width=20, dim=6):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(words), each)
    x = 3 * rng.standard_normal((words, width))[labels] + noise * rng.standard_normal((len(labels), width))
    return Pictured((x + 5).astype(np.float32), labels, tuple(map(str, range(words))), dim)


@pytest.mark.parametrize("reading", [VisualWordSettings(), VisualWordSettings().as_code()], ids=["paper", "code"])
def test_separate_classes_are_told_apart_and_noise_is_not_far_above_chance(reading):
    clear, blurred = pictured(0.01), pictured(300.0, each=60)
    for inputs, low, high in ((clear, 0.99, 1.0), (blurred, 0.0, 0.45)):
        (found,) = classify(inputs, [reading], trials=1, seed=0)
        assert low <= (found == inputs.labels).mean() <= high


@given(st.integers(0, 999))
@settings(max_examples=10, deadline=None)
def test_an_image_is_left_out_of_its_own_prototype(seed):
    """Against prototypes made anew without each image."""
    inputs = pictured(6.0, words=6, each=3, seed=seed)
    (found,) = classify(inputs, [VisualWordSettings()], trials=1, seed=0)
    unit = inputs.x / np.linalg.norm(inputs.x.astype(float), axis=1, keepdims=True)
    _, _, axes = np.linalg.svd(unit - unit.mean(axis=0), full_matrices=False)
    projected = (unit - unit.mean(axis=0)) @ axes[: inputs.dim].T
    for row, image in enumerate(projected):
        others = np.arange(len(unit)) != row
        means = np.stack([projected[others & (inputs.labels == word)].mean(axis=0) for word in range(6)])
        near = means @ image / np.linalg.norm(means, axis=1)
        assert found[0, row] == near.argmax()


def test_noise_is_at_chance_unless_an_image_is_a_part_of_its_own_prototype():
    noise = np.random.default_rng(0).standard_normal((60, 40)).astype(np.float32)
    inputs = Pictured(noise, np.arange(60) % 20, WORDS[:20], 16)
    (paper,), (own,) = classify(inputs, [VisualWordSettings(), VisualWordSettings(own_image=True)], trials=1, seed=0)
    assert (paper == inputs.labels).mean() < 0.15
    assert (own == inputs.labels).mean() > 0.5


def test_a_class_of_one_image_has_no_prototype_without_it():
    inputs = pictured(1.0)
    one = Pictured(inputs.x[:-3], inputs.labels[:-3], inputs.class_names, inputs.dim)
    kept = np.bincount(one.labels)
    assert kept.min() == 1
    with pytest.raises(BadDataset, match=r"visual word '\d+' has one image; expected two or more"):
        classify(one, [VisualWordSettings()], trials=1, seed=0)


def test_the_code_projects_images_as_they_are():
    """Under the paper's reading an image's length does not matter; under the code's it does."""
    inputs = pictured(2.0)
    x = np.maximum(inputs.x - 5, 0)
    lengths = np.linspace(0.01, 1, len(x))[:, None].astype(np.float32)
    both = [Pictured(some, inputs.labels, inputs.class_names, inputs.dim) for some in (x, x * lengths)]
    for raw in (False, True):
        one, other = (classify(each, [VisualWordSettings(raw=raw)], trials=1, seed=0)[0] for each in both)
        assert (one != other).any() == raw
