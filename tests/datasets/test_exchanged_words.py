"""Sentences with two neighbours exchanged: exactly two, never an end or a sign, and texts of one split alone."""

import pytest

from mmbench.datasets import exchanged_words
from mmbench.datasets.exchanged_words import exchanged, places, sentences


@pytest.fixture(scope="module")
def loaded():
    return exchanged_words.load()


def test_two_neighbours_are_exchanged_and_nothing_else():
    for _, words in sentences("test")[:100]:
        found = exchanged(words)
        (first, second) = [place for place in range(len(words)) if found[place] != words[place]]
        assert second == first + 1
        assert (found[first], found[second]) == (words[second], words[first])
        assert 0 < first
        assert second < len(words) - 1


def test_words_with_signs_and_equal_words_stay():
    assert list(places(("On", "Monday,", "the", "The", "big", "dog", "ran", "home."))) == [3, 4, 5]
    assert list(places(("a", "b", "c"))) == []


def test_half_are_exchanged_and_no_text_is_in_both_splits(loaded):
    train, test = loaded.split("train"), loaded.split("test")
    for part in (train, test):
        assert part.labels.mean() == 0.5
        assert part.groups.kind == "news texts"
    written = {split: {" ".join(words) for _, words in sentences(split)} for split in ("train", "test")}
    assert not written["train"] & written["test"]
    for part, split in ((train, "train"), (test, "test")):
        for text, label in zip(part.texts, part.labels, strict=True):
            assert (text in written[split]) == (label == 0)


def test_the_words_alone_do_not_tell(loaded):
    """A bag of words says nothing about an exchange: both classes are drawn alike, so their lengths are alike."""
    lengths = [[len(t.split()) for t, y in zip(part.texts, part.labels, strict=True) if y == label]
               for part in loaded.splits.values() for label in (0, 1)]  # fmt: skip
    assert abs(sum(lengths[0]) / len(lengths[0]) - sum(lengths[1]) / len(lengths[1])) < 0.6
