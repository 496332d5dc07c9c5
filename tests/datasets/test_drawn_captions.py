"""Drawings with captions: what the test shows was never seen, what its captions say can be written."""

import numpy as np

from mmbench.datasets import openmoji
from mmbench.datasets.drawn_captions import CAPTIONS, PLAIN, SORTED, all_nouns, captions, load, shown, words_of
from mmbench.zoo.frozen import captions as zoo
from mmbench.zoo.frozen.text import split


def test_sentences_and_words_are_those_of_the_zoo():
    assert (PLAIN, SORTED) == (zoo.PLAIN, zoo.SORTED)
    assert words_of("The U.S. flag, café-crème!") == split("The U.S. flag, café-crème!")


def test_the_test_shows_what_the_zoo_never_saw_one_of_each_concept():
    listing = openmoji.catalogue()
    test, train = (set(shown()[part]) for part in ("test", "train"))
    assert test <= set(openmoji.unseen())
    assert not any(listing[row].evaluation for row in train)
    concepts = [listing[row].concept for row in test]
    assert len(set(concepts)) == len(concepts)


def test_test_captions_have_no_word_that_training_captions_cannot_have():
    listing = openmoji.catalogue()
    said = {
        word
        for row in shown()["train"]
        for text in (*all_nouns(listing[row]), listing[row].category, listing[row].subcategory)
        for word in split(text)
    }
    for nouns in shown()["test"].values():
        assert said.issuperset(word for noun in nouns for word in split(noun))


def test_captions_of_a_drawing_differ_and_share_its_image():
    dataset = load()
    for part, count in CAPTIONS.items():
        items = dataset.split(part)
        assert items.groups.kind == "images"
        first = items.groups.of[:count]
        assert len(set(first)) == 1
        assert len(set(items.texts[:count])) == count
        assert len({items.images.digest(row) for row in range(count)}) == 1
        assert items.images.digest(count) != items.images.digest(0)
        assert np.bincount(items.groups.of).tolist() == [count] * (len(items) // count)


def test_captions_say_name_or_category():
    drawing = next(item for item in openmoji.catalogue() if item.name == "house")
    found = captions(drawing, ("house",), 12)
    assert len(set(found)) == 12
    kinds = (drawing.category, drawing.subcategory.replace("-", " "))
    assert all("house" in text or any(kind in text for kind in kinds) for text in found)
    assert captions(drawing, ("house",), 3) == found[:3]
