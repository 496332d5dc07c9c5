"""The prefix map reaches the token vectors of class names, in their own size, under a key that holds the writer."""

import dataclasses

import numpy as np
import pytest

from mmbench.bench.lineup_source import LineupSource
from mmbench.datasets.entry import Dataset
from mmbench.errors import BadDataset, Unmeasured
from mmbench.features.store import Store
from mmbench.protocol import Roles
from mmbench.training.entry import Checkpoint
from mmbench.training.linear_map import PairedFeatures
from mmbench.training.prefix_map import PrefixMapSettings, fit, gather, name_vectors, token_vectors

from ..tiny_lineup import CLASSES, VOCABULARY, dataset, tiny_lineup, writer

PAIR = Roles("clip", "gpt2")


@pytest.fixture
def source(tmp_path):
    def make(**models):
        return LineupSource(tiny_lineup({"gpt2": writer()} | models), Store(tmp_path / "store"), progress=False)

    return make


def named(size):
    """Token vectors ``[200, 6]`` of new images, by a map that 500 others were fitted to, and those of their names."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 700)
    names = (rng.standard_normal((3, 6)) + 2).astype(np.float32) * np.float32(size)
    image = (np.eye(3, 8)[labels] * 3 + 0.1 * rng.standard_normal((700, 8))).astype(np.float32)
    pairs = PairedFeatures(image[:500], names[labels[:500]])
    return token_vectors(fit(pairs, PrefixMapSettings(), 0, Checkpoint()), image[500:]), names[labels[500:]]


def test_the_vectors_of_names_are_reached_on_new_images():
    found, wanted = named(1.0)
    assert found.dtype == np.float32
    assert np.sqrt(np.square(found - wanted).mean()) < 0.2 * wanted.std(axis=0).mean()


@pytest.mark.parametrize("size", [0.01, 50.0])
def test_the_size_of_token_vectors_changes_nothing_else(size):
    np.testing.assert_allclose(named(size)[0], named(1.0)[0] * size, rtol=1e-3)


def test_one_name_alone_is_its_own_vector():
    image = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    pairs = PairedFeatures(image, np.full((20, 3), 2.0, np.float32))
    found = token_vectors(fit(pairs, PrefixMapSettings(epochs=300), 0, Checkpoint()), image)
    np.testing.assert_allclose(found, 2.0, atol=0.05)


def test_the_target_of_an_image_is_the_mean_of_its_names_token_vectors(source):
    found = gather(source(), PAIR, "cifar10")
    assert found.text.shape == (60, len(VOCABULARY))
    assert [VOCABULARY[row.argmax()] for row in found.text[:3]] == list(CLASSES)
    named = Dataset("made", ("a thing", "red"), {}, "single")
    both = name_vectors(writer().generator.load(), named)
    np.testing.assert_array_equal(both[0], (np.eye(8)[2] + np.eye(8)[3]) / 2)


def test_a_class_without_tokens_is_refused():
    silent = dataclasses.replace(writer().generator.load(), encode=lambda text: [5] * (text == "red"))
    with pytest.raises(BadDataset) as error:
        name_vectors(silent, Dataset("made", ("red", "blue"), {}, "single"))
    assert str(error.value) == "the language model has no token for the class name 'blue' of made"


def test_the_writer_is_in_the_key(source):
    key = source().training_key("prefix_map", PAIR, "cifar10")
    assert key == source().training_key("prefix_map", PAIR, "cifar10")
    assert source(gpt2=writer(weights="other")).training_key("prefix_map", PAIR, "cifar10") != key
    assert source().training_key("prefix_map", PAIR, "mnist") != key


def test_a_writer_that_cannot_be_identified_is_never_stored(source, tmp_path):
    unknown = source(gpt2=writer(weights=None))
    assert unknown.generator_key(unknown.model("gpt2")) is None
    assert unknown.training_key("prefix_map", PAIR, "cifar10") is None
    assert unknown.trained("prefix_map", PAIR, "cifar10", 0)["weight"].shape == (len(VOCABULARY), 3)
    assert not (tmp_path / "store" / "trainings").exists()


def test_a_model_that_writes_nothing_is_refused(source):
    with pytest.raises(Unmeasured) as error:
        gather(source(), Roles("clip", "clip_t"), "cifar10")
    assert str(error.value) == (
        "words writes no text; a model that does was expected, and of the roles of lineup 'tiny' these have one: gpt2"
    )


def test_several_labels_an_item_are_refused(tmp_path):
    lineup = tiny_lineup({"gpt2": writer()}, {"cifar10": dataset(multi=True)})
    with pytest.raises(Unmeasured, match="fitted to the name of one class, and cifar10 has several labels an item"):
        gather(LineupSource(lineup, Store(tmp_path), progress=False), PAIR, "cifar10")
