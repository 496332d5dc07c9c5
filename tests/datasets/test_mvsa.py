"""MVSA in its published layout: labels of one or three annotators, tweets of mixed encodings, gaps counted."""

import warnings
from fractions import Fraction

import numpy as np
import paper_collections as small
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.datasets.mvsa import KNOWN, Choices, Row, label_of, rounded_mean
from mmbench.datasets.notes import DatasetWarning
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec, MissingAsset, UnknownName

WORDS = ("negative", "neutral", "positive")
SIZES = "train=8&test=2"


def three(*numbers):
    """Cells of three annotators from six scores: text and image by turns."""
    words = [WORDS[number] for number in numbers]
    return [f"{words[at]},{words[at + 1]}" for at in (0, 2, 4)]


ROWS = {
    str(n): three(*scores)
    for n, scores in enumerate(
        [(2, 2, 2, 1, 2, 2), (0,) * 6, (1,) * 6, (2, 2, 2, 1, 1, 1)] * 2 + [(0, 0, 0, 1, 1, 1)] * 2, 1
    )
}


def resolved(root, more="", name="multiple", sizes=SIZES):
    return resolve(f"mvsa:{name}?root={root}&{sizes}{more}")


def labels_by_id(dataset):
    splits = dataset.splits.values()
    return {item: int(label) for split in splits for item, label in zip(split.ids, split.labels, strict=True)}


def test_the_rounded_mean_of_six_labels(tmp_path):
    root = small.mvsa(tmp_path, ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = resolved(root).load()
    assert dataset.classes == WORDS
    assert dataset.task == "single"
    found = labels_by_id(dataset)
    assert [found[str(n)] for n in range(1, 11)] == [2, 0, 1, 2, 2, 0, 1, 2, 0, 0]  # 9/6 is even at 2, 3/6 at 0
    assert [labels_by_id(resolved(root, "&halves=up").load())[n] for n in ("4", "9")] == [2, 1]
    assert [labels_by_id(resolved(root, "&halves=down").load())[n] for n in ("4", "9")] == [1, 0]


@given(st.lists(st.integers(0, 2), min_size=2, max_size=8))
def test_halves_to_even_is_pythons_own_rounding(scores):
    mean = Fraction(sum(scores), len(scores))
    assert rounded_mean(scores, "even") == round(mean)
    up, down = rounded_mean(scores, "up"), rounded_mean(scores, "down")
    assert down <= rounded_mean(scores, "even") <= up
    assert (up == down) == (mean.denominator != 2)
    assert abs(up - mean) <= Fraction(1, 2)


def test_both_modalities_and_the_split(tmp_path):
    root = small.mvsa(tmp_path, ROWS)
    entry = resolved(root)
    assert entry.modalities == ("image", "text")
    dataset = entry.load()
    train, test = dataset.split("train"), dataset.split("test")
    assert (len(train), len(test)) == (8, 2)
    assert not set(train.ids) & set(test.ids)
    assert train.texts == tuple(f"tweet {item}" for item in train.ids)
    assert train.images.image(0).size == (6, 9)
    # a split by seed, which another order of rows does not change
    again = small.mvsa(tmp_path / "again", dict(reversed(ROWS.items())))
    assert set(resolved(again).load().split("test").ids) == set(test.ids)
    others = {frozenset(resolved(root, f"&seed={seed}").load().split("test").ids) for seed in range(6)}
    assert len(others) > 1
    half = resolved(root, "&held_out=50", sizes="train=5&test=5").load()
    assert set(test.ids) < set(half.split("test").ids)


def test_the_public_rule_for_one_annotator(tmp_path):
    rows = {
        "1": ["positive,positive"],
        "2": ["neutral,negative"],
        "3": ["positive,neutral"],
        "4": ["negative,positive"],
        "5": ["neutral,neutral"],
        "6": ["positive,negative"],
    }
    with pytest.warns(DatasetWarning) as told:
        dataset = resolved(small.mvsa(tmp_path, rows), name="single", sizes="train=3&test=1").load()
    assert labels_by_id(dataset) == {"1": 2, "2": 0, "3": 2, "5": 1}
    (line,) = {str(each.message) for each in told}
    assert line == "mvsa:single: 2 tweets left out (text and image are of opposite sentiment): '4', '6'"
    with_mean = labels_by_id(resolved(tmp_path, "&rule=mean", name="single", sizes="train=5&test=1").load())
    assert with_mean == {"1": 2, "2": 0, "3": 2, "4": 1, "5": 1, "6": 1}


def test_the_majority_of_three_annotators():
    chosen = Choices("majority")
    assert label_of(Row("1", (2, 2, 0), (1, 1, 2)), chosen) == (2, "")
    assert label_of(Row("1", (2, 1, 0), (1, 1, 2)), chosen) == (None, "no label of most annotators")
    assert label_of(Row("1", (0, 0, 2), (2, 2, 2)), chosen) == (None, "text and image are of opposite sentiment")


def test_mixed_encodings_and_gaps_are_counted(tmp_path):
    tweets = {
        "1": "caf\u00e9 \U0001f600".encode(),
        "2": "caf\u00e9".encode("latin-1"),
        "3": b" \r\n\0",
        "4": b"\xef\xbb\xbfmarked",
    }
    root = small.mvsa(tmp_path, ROWS, tweets)
    (root / "data" / "5.jpg").unlink()
    (root / "data" / "6.txt").unlink()
    small.picture(root / "data" / "77.jpg")
    with pytest.warns(DatasetWarning) as told:
        dataset = resolved(root, sizes="train=6&test=1").load()
    texts = {i: t for split in dataset.splits.values() for i, t in zip(split.ids, split.texts, strict=True)}
    assert (texts["1"], texts["2"], texts["4"]) == ("caf\u00e9 \U0001f600", "caf\u00e9", "marked")
    assert {str(each.message) for each in told} == {
        "mvsa:multiple: 1 tweets left out (no text): '3'",
        "mvsa:multiple: 1 tweets left out (no file data/ID.jpg): '5'",
        "mvsa:multiple: 1 tweets left out (no file data/ID.txt): '6'",
        "mvsa:multiple: 1 tweets left out (no row of labels): '77'",
        "mvsa:multiple: 1 tweets with a text that is not UTF-8, read as Latin-1: '2'",
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "11\tpositive,positive\tneutral,neutral",
            "line 12 has labels of 2 annotators, expected 3; is it the other set",
        ),
        ("11\tpositive,positive\t\tneutral,neutral", "line 12 has labels of 2 annotators, expected 3"),
        ("11", "line 12 has labels of 0 annotators, expected 3"),
        (
            "11\tpositive,happy\tneutral,neutral\tneutral,neutral",
            "line 12 has the word 'happy', expected one of negative",
        ),
        ("11\tpositive,\tneutral,neutral\tneutral,neutral", "line 12 has an empty label, expected one of negative"),
        ("11\tpositive\tneutral,neutral\tneutral,neutral", "line 12 has the cell 'positive', expected 'text,image'"),
        ("../11\tpositive,positive\tneutral,neutral\tneutral,neutral", "line 12 has the id '../11', expected a number"),
        ("3\tpositive,positive\tneutral,neutral\tneutral,neutral", "line 12 has the id '3' a second time; remove one"),
    ],
)
def test_a_bad_row_is_named(tmp_path, line, message):
    root = small.mvsa(tmp_path, ROWS)
    labels = root / "labelResultAll.txt"
    labels.write_text(labels.read_text() + line + "\n")
    with pytest.raises(BadDataset) as caught:
        resolved(root).load()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_must_be_complete_unless_sizes_are_declared(tmp_path):
    root = small.mvsa(tmp_path, ROWS)
    with pytest.raises(BadDataset, match=r"has 10 rows, expected 19,600; .*declare its sizes: \?train=N&test=M"):
        resolve(f"mvsa:multiple?root={root}").load()
    with pytest.raises(BadDataset, match="expected 1; is it the other set of MVSA"):
        resolve(f"mvsa:single?root={root}&train=8&test=2").load()
    assert KNOWN["single"].rows == 4_869


def test_what_is_not_there(tmp_path):
    with pytest.raises(MissingAsset, match=r"labelResultAll.txt does not exist; .* in MVSA's layout"):
        resolved(tmp_path).load()
    with pytest.raises(UnknownName, match="no set of MVSA named 'double'"):
        resolve(f"mvsa:double?root={tmp_path}")
    with pytest.raises(BadSpec, match="held_out is a whole number from 1 to 99, not '0'"):
        resolve(f"mvsa:multiple?root={tmp_path}&held_out=0")
    small.mvsa(tmp_path, ROWS)
    (tmp_path / "labelResultAll.txt").write_text("1\tpositive,positive\n")
    with pytest.raises(BadDataset, match=r"begins with '1.*expected a heading 'ID'"):
        resolved(tmp_path).load()
    few = small.mvsa(tmp_path / "few", {"1": three(*[1] * 6)})
    with pytest.raises(BadDataset, match=r"has 1 items, of which 20 % are 0: one of train and test would be empty"):
        resolved(few).load()


def test_the_identity_follows_labels_tweets_images_and_choices(tmp_path, own_notes):
    root = small.mvsa(tmp_path, ROWS)
    seen = {resolved(root, more).identity() for more in ("", "&halves=up", "&seed=1", "&held_out=30", "&rule=majority")}
    assert len(seen) == 5
    assert resolved(root).identity() == resolved(root).identity()
    (root / "data" / "1.txt").write_text("another tweet")
    assert resolved(root).identity() not in seen
    small.picture(root / "data" / "1.jpg")
    assert len({resolved(root).identity(), *seen}) == 6
    assert np.array_equal(resolved(root).load().split("test").labels, resolved(root).load().split("test").labels)
