"""Printed words: typefaces of training and test differ in family, words are balanced, every picture shows its word."""

from collections import Counter

import numpy as np

from mmbench.datasets import _fonts, printed_words


def test_no_family_of_typefaces_is_in_both_splits():
    train, test = (set(printed_words.typefaces(split)) for split in ("train", "test"))
    assert train | test == set(_fonts.FONTS)
    assert not train & test
    families = [{font.split("-")[0].split(".")[0].removesuffix("Bol") for font in part} for part in (train, test)]
    assert families == [{"DejaVuSans", "DejaVuSerif"}, {"DejaVuSansMono", "STIXGeneral"}]


def test_every_word_is_shown_as_often_in_every_typeface():
    assert {len(word) for word in printed_words.WORDS} == {5}
    for split in ("train", "test"):
        shown = Counter((label, font) for _, label, font in printed_words.items(split))
        assert set(shown.values()) == {printed_words.VIEWS}
        assert len(shown) == len(printed_words.WORDS) * len(printed_words.typefaces(split))


def test_a_picture_shows_its_word_and_nothing_of_it_is_cut():
    """Against the same picture of another word: only a box inside the margin differs, and it holds much ink."""
    for item, label, font in printed_words.items("test")[:40]:
        word = printed_words.WORDS[label]
        one = printed_words.picture(item, word, font).astype(int)
        assert one.shape == (72, 72, 3)
        rows, columns = np.nonzero(np.abs(one - printed_words.picture(item, "l", font).astype(int)).max(axis=2) > 40)
        assert len(rows) > 30, item
        assert rows.min() >= 3, item
        assert columns.min() >= 3, item
        assert max(rows.max(), columns.max()) <= 68, item


def test_pictures_fall_as_they_always_did():
    """Written down once: another machine must draw the same words."""
    found = [item for item, _, _ in printed_words.items("train")[:3]]
    assert found == ["train-chair-DejaVuSerif-Italic-1", "train-young-DejaVuSans-1", "train-green-DejaVuSans-Bold-0"]
