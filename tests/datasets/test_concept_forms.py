"""Concepts in three forms: as many of each, outlines of edges alone, and words that are whole."""

from collections import Counter

import numpy as np

from mmbench.datasets import concept_forms
from mmbench.datasets.concept_forms import CONCEPTS, FORMS, VIEWS, outline


def test_every_concept_is_shown_as_often_in_every_form():
    assert len(set(concept_forms.concepts())) == CONCEPTS
    for split in VIEWS:
        shown = Counter((concept, form) for _, concept, form in concept_forms.items(split))
        assert set(shown.values()) == {VIEWS[split]}
        assert len(shown) == CONCEPTS * len(FORMS)


def test_labels_are_the_concept_and_the_form():
    loaded = concept_forms.load()
    test, listed = loaded.split("test"), concept_forms.items("test")
    assert loaded.classes == (*concept_forms.concepts(), *FORMS)
    for (item, concept, form), labels in zip(listed, test.labels, strict=True):
        assert np.flatnonzero(labels).tolist() == [concept, CONCEPTS + form], item
        assert item.split("-")[1] == concept_forms.concepts()[concept]


def test_an_outline_is_where_neighbours_differ():
    layer = np.zeros((8, 8, 4), np.float32)
    layer[2:6, 2:6, 3] = 1.0  # a black square
    found = outline(layer)
    assert found[3, 3] == 0
    assert found[0, 0] == 0
    assert found[3, 1] == found[1, 3] == found[3, 5] == found[5, 3] == 1
    assert set(np.unique(found)) == {0.0, 1.0}


def test_pictures_fall_as_they_always_did():
    """Written down once: another machine must choose the same things."""
    assert concept_forms.concepts()[:4] == ("baby", "bald", "boar", "crown")
    assert [item for item, _, _ in concept_forms.items("test")[:2]] == ["test-panda-drawing-3", "test-shark-drawing-0"]
