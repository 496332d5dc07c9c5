"""Captioning: which class a text names, and the same text whatever is solved beside it."""

import dataclasses

import numpy as np
import pytest

from mmbench.errors import BadDataset, BadFeatures, BadItem, BadSpec
from mmbench.inputs.captions import Captions
from mmbench.probes.captioning import CaptioningSettings, captioning, named_classes

from ..tiny_lineup import CLASSES, VOCABULARY, writer

NAMES = ("rose", "rose bush", "Food & Drink", "cat", "c++")
LABELS = np.array([0, 1, 2, 0, 1])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a cat on a rose", 3),
        ("A ROSE", 0),
        ("a rose bush", 1),  # the longer of two names that begin together
        ("a drawing of food  &\ndrink.", 2),
        ("c++ code", 4),
        ("rose, cat", 0),
        ("a category", -1),  # whole words only
        ("bobcat", -1),
        ("food and drink", -1),
        ("", -1),
    ],
)
def test_the_class_that_is_named_first(text, wanted):
    found = named_classes([text], NAMES)
    assert found.dtype == np.int64
    assert found.tolist() == [wanted]


def test_of_two_classes_with_one_name_the_first_counts():
    assert named_classes(["a crane"], ("dog", "Crane", "crane")).tolist() == [1]


def inputs(strength=1.0, prompt=("a",)):
    """Two trials: images that lie at the vector of their class, then at that of the class after it."""
    table = np.eye(len(VOCABULARY), dtype=np.float32)
    place = [VOCABULARY.index(name) for name in CLASSES]
    images = np.stack([table[[place[(label + trial) % 3] for label in LABELS]] for trial in (0, 1)]) * strength
    marks, words = table[[1]], table[[VOCABULARY.index(word) for word in prompt]]
    ids = tuple(f"image {i}" for i in range(len(LABELS)))
    return Captions(images, marks, words, LABELS, ids, CLASSES, writer().generator.load().write)


@pytest.mark.parametrize("beams", [1, 2])
def test_a_writer_that_repeats_what_it_sees_names_the_class(beams):
    settings = CaptioningSettings(max_tokens=3, beams=beams)
    (found,) = captioning(inputs(), [settings], trials=2, seed=0)
    np.testing.assert_array_equal(found, [LABELS, (LABELS + 1) % 3])


def test_a_text_without_a_name_is_no_class():
    (found,) = captioning(inputs(strength=2.0), [CaptioningSettings(max_tokens=3)], trials=2, seed=0)
    np.testing.assert_array_equal(found, np.full((2, len(LABELS)), -1))  # two colours seen: the text ends at once


def test_settings_together_give_what_each_gives_alone():
    settings = [CaptioningSettings(max_tokens=n, beams=b) for n, b in ((1, 1), (3, 2))]
    together = captioning(inputs(0.7), settings, trials=2, seed=0)
    for one, found in zip(settings, together, strict=True):
        np.testing.assert_array_equal(captioning(inputs(0.7), [one], trials=2, seed=0)[0], found)


def test_a_prefix_is_the_opening_then_the_image_then_the_prompt():
    given = inputs(prompt=("a", "thing"))
    prefixes = given.prefixes(1).numpy()
    assert prefixes.shape == (5, 4, len(VOCABULARY))
    np.testing.assert_array_equal(prefixes[:, 1], given.images[1])
    assert prefixes[3].argmax(axis=1)[[0, 2, 3]].tolist() == [1, 2, 3]


def test_what_cannot_be_written_about_is_refused():
    settings = [CaptioningSettings(max_tokens=3)]
    bad = inputs()
    bad.images[1, 2, 0] = np.nan
    with pytest.raises(BadFeatures, match=r"^images in the space of token vectors: 1 of 10 rows hold NaN or infinity"):
        captioning(bad, settings, trials=2, seed=0)
    with pytest.raises(BadDataset, match=r"two classes are the least a probe can tell apart, got \['red'\]"):
        captioning(dataclasses.replace(inputs(), class_names=("red",)), settings, trials=2, seed=0)
    none = dataclasses.replace(inputs(), labels=LABELS[:0], images=inputs().images[:, :0], ids=())
    with pytest.raises(BadDataset, match="the test split has no rows"):
        captioning(none, settings, trials=2, seed=0)
    with pytest.raises(BadItem, match="prefix 0 has 3 vectors, and max_tokens=10 more exceed the 12"):
        captioning(inputs(), [CaptioningSettings(max_tokens=10)], trials=2, seed=0)
    with pytest.raises(BadSpec, match="beams is a whole number from 1, not 0"):
        captioning(inputs(), [CaptioningSettings(beams=0)], trials=2, seed=0)
