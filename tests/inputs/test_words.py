"""Words: which items of a test remain, how they are counted, and what is no test."""

import dataclasses

import numpy as np
import pytest

from mmbench.bench.bench import Bench
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs.words import Words, gather, one_of_each_case
from mmbench.models import specs
from mmbench.probes.visual_words import VISUAL_WORDS
from mmbench.probes.word_analogies import ANALOGIES
from mmbench.probes.word_pairs import ABSTRACT_PAIRS, WORD_PAIRS
from mmbench.protocol import Cell, Roles
from mmbench.seeds import trial_seeds
from mmbench.training.word_vectors import words_of

from .. import paper_words
from ..tiny_lineup import dataset, tiny_lineup

COLOURED = "red\tgreen\t7\nred\tthing\t2\na\tthing\t1\nblue\tgreen\t6\nthing\tking\t5\nmany\tthing\t3\nmany\ta\t4\n"
QUESTIONS = ": colours\n" + "\n".join(
    f"{a} {b} {c} {d}"
    for a, b in (("red", "thing"), ("green", "a"), ("blue", "many"), ("king", "red"))
    for c, d in (("red", "thing"), ("green", "a"), ("blue", "many"))
    if a != c
)


@pytest.fixture
def bench(tmp_path):
    rng = np.random.default_rng(4)
    lines = [" ".join(rng.choice(["red", "green", "a", "many", "thing"], 12)) for _ in range(30)]
    (tmp_path / "corpus.txt").write_text("\n".join(lines))
    (tmp_path / "pairs.tsv").write_text(COLOURED)
    (tmp_path / "questions.txt").write_text(QUESTIONS)
    roles = {
        "wikipedia": resolve(f"corpus:{tmp_path}/corpus.txt?dim=2&epochs=2"),
        "visual_words": dataset("blocks"),
        "wordsim353": resolve(f"word_pairs:mine?file={tmp_path}/pairs.tsv"),
        "analogies_semantic": resolve(f"analogies:semantic?file={tmp_path}/questions.txt"),
    }
    models = {"free_words": specs.resolve("none:free_words")}
    return Bench(tiny_lineup(models, roles), Store(tmp_path / "store"), progress=False)


@pytest.mark.parametrize("model", ["clip", "clip_t", "free_words"])
def test_items_with_an_unknown_word_are_left_out_and_counted(bench, model):
    pairs = gather(bench.source, Cell(WORD_PAIRS, model, "wordsim353"))
    assert pairs.ids == ("red green", "red thing", "a thing", "blue green", "many thing", "many a")
    assert pairs.left_out == "1 of 7 items have a word without a vector"
    assert pairs.truth.tolist() == [7, 2, 1, 6, 3, 4]
    assert pairs.vectors.shape[0] == WORD_PAIRS.trials
    questions = gather(bench.source, Cell(ANALOGIES, model, "analogies_semantic"))
    assert questions.left_out == "3 of 9 items have a word without a vector"
    assert [questions.words[row] for row in questions.truth][:2] == ["a", "many"]


def test_words_are_matched_whatever_their_case(bench, tmp_path):
    """A visual word goes before one in small letters, that before the most frequent; one of each is kept."""
    text = (tmp_path / "corpus.txt").read_text().replace("thing", "Thing").replace("many", "Many")
    (tmp_path / "corpus.txt").write_text("many Red RED A A A\n" + text)
    found = gather(bench.source, Cell(WORD_PAIRS, "clip", "wordsim353"))
    assert found.ids == ("red green", "red thing", "a thing", "blue green", "many thing", "many a")
    assert sorted(found.words) == ["Thing", "a", "blue", "green", "many", "red"]
    assert [[found.words[row].lower() for row in item] for item in found.rows] == [name.split() for name in found.ids]
    fitted = bench.source.trained("word_vectors", Roles("clip"), "wikipedia", trial_seeds(WORD_PAIRS.seed, 1)[0])
    vectors = dict(zip(words_of(fitted), fitted["vectors"], strict=True))
    for row, word in enumerate(found.words):
        np.testing.assert_array_equal(found.vectors[0, row], vectors[word])
    assert one_of_each_case(("it", "IT", "It"), np.array([False, False, True])).tolist() == [2]
    assert one_of_each_case(("US", "Us", "us", "we"), np.zeros(4, bool)).tolist() == [2, 3]


def test_the_scores_say_what_was_left_out_and_pair_by_item(bench):
    scores = bench.scores(Cell(WORD_PAIRS, "clip", "wordsim353"))
    assert scores.provenance["left_out"] == "1 of 7 items have a word without a vector"
    assert scores.outcomes.shape == (WORD_PAIRS.trials, 6)
    assert scores.grouped_by == "words"
    assert scores.examples == bench.scores(Cell(WORD_PAIRS, "free_words", "wordsim353")).examples
    assert scores.examples == bench.scores(Cell(WORD_PAIRS.code, "clip", "wordsim353")).examples


def test_one_training_serves_all_tests_of_a_model_and_seed(bench):
    for protocol, test in ((WORD_PAIRS, "wordsim353"), (ANALOGIES, "analogies_semantic")):
        bench.scores(Cell(protocol, "clip", test))
    fitted = [cost for cost in bench.costs if cost.kind == "training" and cost.fresh]
    assert len(fitted) == WORD_PAIRS.trials


def test_pairs_with_and_without_a_visual_word(bench):
    cell = Cell(WORD_PAIRS.at(pairs="visual"), "clip", "wordsim353")
    with pytest.raises(
        BadDataset, match=r"of 7 items 6 have all their words .* and 3 of these are asked for; expected 4"
    ):
        gather(bench.source, cell)
    with pytest.raises(BadDataset, match="3 of these are asked for"):
        gather(bench.source, dataclasses.replace(cell, protocol=ABSTRACT_PAIRS))


def test_a_dataset_that_is_no_test_of_words_is_refused(bench):
    with pytest.raises(BadSpec, match="mnist holds the text 'a red thing', which is no question and no pair of words"):
        gather(bench.source, Cell(ANALOGIES, "clip", "mnist"))
    with pytest.raises(BadSpec, match=r"expected items of 4 words, got shape \(6, 2\): analogies are bound with"):
        bench.scores(Cell(ANALOGIES, "clip", "wordsim353"))


def test_the_legitimacy_check_takes_images_alone(bench):
    assert bench.scores(Cell(VISUAL_WORDS, "clip", "visual_words")).mean > 90
    with pytest.raises(Unmeasured, match="expected the encoders in the order image; got clip_t"):
        bench.scores(Cell(VISUAL_WORDS, "clip_t", "visual_words"))


def test_no_encoder_has_no_features(bench):
    with pytest.raises(Unmeasured, match="none:free_words is no encoder and has no features; only probes of word"):
        bench.features("free_words", "mnist", "test")


def test_items_of_other_words_are_other_examples():
    made = {"vectors": np.zeros((1, 3, 2), np.float32), "words": ("a", "b", "c"), "truth": np.arange(2.0)}
    one = Words(rows=np.array([[0, 1], [1, 2]]), ids=("x", "y"), **made)
    other = Words(rows=np.array([[0, 1], [0, 2]]), ids=("x", "y"), **made)
    assert one.examples(None) != other.examples(None)


def test_a_corpus_without_the_words_of_a_test(bench, tmp_path):
    (tmp_path / "pairs.tsv").write_text(paper_words.pairs())
    with pytest.raises(BadDataset, match=r"of 9 items 1 have all their words in the vocabulary of 6 and 1 of these"):
        gather(bench.source, Cell(WORD_PAIRS, "clip", "wordsim353"))
