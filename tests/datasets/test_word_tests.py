"""Tests of word vectors: the published lists have their published sizes, and files that are none are refused."""

import pytest

from mmbench.datasets.specs import resolve
from mmbench.datasets.word_tests import analogies, word_pairs
from mmbench.errors import BadDataset, BadSpec, MissingAsset

from .. import paper_words


@pytest.mark.parametrize(
    ("spec", "items", "classes"),
    [
        ("analogies:semantic", 8_869, 5),
        ("analogies:morphology", 10_675, 9),
        ("word_pairs:wordsim353", 353, 1),
        ("word_pairs:simlex999", 999, 1),
    ],
)
def test_the_published_lists_have_their_published_sizes(spec, items, classes):
    entry = resolve(spec)
    found = entry.load()
    test = found.split("test")
    assert (len(test), len(found.classes), len(set(test.ids))) == (items, classes, items)
    assert entry.identity() == resolve(spec).identity()


def test_questions_that_share_a_pair_of_words_are_grouped():
    test = analogies(paper_words.questions(), "semantic").split("test")
    rows = {text: set(test.groups.of[row].tolist()) for row, text in enumerate(test.texts)}
    assert rows["boy girl man woman"] & rows["man woman shark fish"]
    assert not rows["boy girl man woman"] & rows["shark fish king queen"]
    assert test.ids[0] == "family: boy girl man woman"


def test_pairs_share_words_and_a_pair_that_comes_twice_is_two_items():
    test = word_pairs("love\tSex\t6.77\nlove\tsex\t6\nlove\tmoney\t1\n", "mine").split("test")
    assert test.ids == ("love sex", "love sex (2)", "love money")
    assert test.texts[0] == "love\tsex\t6.77"
    assert test.groups.of[2].tolist() == [0, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (": family\nboy girl man\n", r"line 2: expected four words in a section, found 3 words: 'boy girl man'"),
        ("boy girl man woman\n", r"found a question before any ': section' line"),
        (": gram1\na b c d\n", r"no semantic question; the names of its sections are gram1"),
        ("", r"no semantic question; the names of its sections are missing"),
    ],
)
def test_questions_of_another_form_are_refused(text, said):
    with pytest.raises(BadDataset, match=said):
        analogies(text, "semantic")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\tb\n", r"line 1: expected two words and a rating a line, with tabs between them, found 'a\\tb'"),
        ("a\tb\tmuch\n", "line 1: expected two words and a rating"),
        ("a\tb\tnan\n", "a rating must be finite, found 'nan'"),
        ("# none\n", "has 0 pairs of words; a correlation needs at least 3"),
    ],
)
def test_pairs_of_another_form_are_refused(text, said):
    with pytest.raises(BadDataset, match=said):
        word_pairs(text, "mine")


def test_a_file_of_ones_own(tmp_path):
    (tmp_path / "pairs.tsv").write_text(paper_words.pairs())
    entry = resolve(f"word_pairs:mine?file={tmp_path}/pairs.tsv&test=9")
    assert len(entry.load().split("test")) == 9
    before = entry.identity()
    (tmp_path / "pairs.tsv").write_text(paper_words.pairs().replace("9.0", "9.1"))
    assert entry.identity() != before
    with pytest.raises(MissingAsset, match=r"none.txt does not exist"):
        resolve(f"analogies:semantic?file={tmp_path}/none.txt").load()


def test_specifications_that_name_nothing_are_refused():
    with pytest.raises(BadSpec, match="write analogies:semantic or analogies:morphology, not 'syntax'"):
        resolve("analogies:syntax")
    with pytest.raises(BadSpec, match="no list of pairs is called 'men'; known are wordsim353, simlex999"):
        resolve("word_pairs:men")
