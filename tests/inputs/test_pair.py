"""What a comparison of two models is given: features of images, prompts of classes, and what decides the key."""

import dataclasses

import numpy as np
import pytest

from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.errors import BadDataset, BadFeatures, BadSpec, Unmeasured
from mmbench.inputs.entry import FAMILIES
from mmbench.inputs.pair import Pair, Side, gather, parts
from mmbench.models.entry import Identity, ModelEntry
from mmbench.probes.rdm import RSA
from mmbench.protocol import Cell, Roles
from mmbench.source import require

NAMES = ("red", "green", "blue", "white")
LABELS = np.arange(12) % 4


class Told:
    """A source of two image encoders and a text encoder that notes what it was asked for."""

    device = "cpu"

    def __init__(self, names=NAMES, labels=LABELS, task="single", templates=("the colour {}.", "{}")):
        self.asked = []
        split = Split(tuple(f"i{i}" for i in range(len(labels))), labels)
        self.loaded = Dataset("colours", names, {"test": split}, task)
        self.entry = DatasetEntry("colours", lambda: self.loaded, lambda: "d1", 4, task=task, templates=templates)

    def model(self, role, *, raw=False):
        kind = "text" if role.startswith(("clip_t", "bert")) else "image"
        spans = role.startswith("bert")
        return ModelEntry(role, kind, 3, lambda: None, lambda: Identity(role, "tiny", "last"), spans=spans)

    def dataset_entry(self, role):
        return self.entry

    def dataset(self, role):
        return self.loaded

    def features(self, model, split, where, layer="output"):
        self.asked.append((model.name, where, layer))
        return np.zeros((len(split), 3), np.float32)

    def texts(self, model, texts, where, layer="output"):
        self.asked.append((model.name, where, layer, *texts))
        self.parts = [text.part for text in texts]
        return np.ones((len(texts), 3), np.float32)

    def feature_key(self, model, layer="output"):
        return None if model.name == "unknown" else f"{model.name}/{layer}"


def cell(*roles, protocol=RSA):
    return Cell(protocol, Roles(*roles), "imagenet")


def test_images_have_labels_and_texts_are_prompts_in_the_order_of_the_roles():
    source = Told()
    found = gather(source, cell("bert", "rn50"))
    assert [side.role for side in found.sides] == ["bert", "rn50"]
    assert found.sides[0].labels is None
    assert found.sides[1].labels is source.loaded.split("test").labels
    assert found.class_names == NAMES
    prompts = [f"a photo of a {name}." for name in NAMES]
    assert source.asked == [("bert", "imagenet/prompts", "span_mean", *prompts), ("rn50", "imagenet/test", "output")]
    assert source.parts == list(NAMES)
    found.check()


def test_another_template_or_the_datasets_first():
    for template, first in (("so {} it is", "so red it is"), (None, "the colour red.")):
        source = Told()
        gather(source, cell("clip", "bert", protocol=RSA.at(template=template)))
        assert source.asked[1][3] == first


def test_the_label_is_read_as_paper_or_code_and_an_encoder_without_token_states_as_a_whole():
    found = {}
    for role in ("bert", "clip_t"):
        for protocol in (RSA, RSA.code, RSA.at(label="text")):
            source = Told()
            gather(source, cell("rn50", role, protocol=protocol))
            found[role, protocol.settings.label] = source.asked[1][2]
            assert parts(source, cell("rn50", role, protocol=protocol))[1] == f"{role}/{source.asked[1][2]}"
    assert found == {
        ("bert", "mean"): "span_mean",
        ("bert", "first"): "span_first",
        ("bert", "text"): "output",
        ("clip_t", "mean"): "output",
        ("clip_t", "first"): "output",
        ("clip_t", "text"): "output",
    }


def test_the_marked_part_is_in_the_key():
    """One text, two labels within it."""
    source = Told(names=("a", "b", "c", "d"))
    one = parts(source, cell("clip", "bert", protocol=RSA.at(template="a {}")))[-1]
    other = parts(Told(names=("a a", "a b", "a c", "a d")), cell("clip", "bert", protocol=RSA.at(template="{}")))[-1]
    assert [text for text, *_ in one["prompts"]] == [text for text, *_ in other["prompts"]]
    assert one != other


def test_the_layer_is_that_of_the_images_and_prompts_have_none():
    source = Told()
    gather(source, cell("clip", "rn50", protocol=RSA.at_layer("stage2")))
    assert source.asked == [("clip", "imagenet/test", "stage2"), ("rn50", "imagenet/test", "stage2")]
    with pytest.raises(Unmeasured) as error:
        gather(source, cell("bert", "clip", protocol=RSA.at_layer("stage2")))
    assert str(error.value) == (
        "rsa@stage2[bert+clip, imagenet] asks for the layer 'stage2', and prompts are encoded at 'output'"
    )
    assert len(source.asked) == 2


def test_the_key_holds_features_dataset_layer_and_prompts():
    source = Told()
    assert parts(source, cell("rn50", "clip")) == ["rn50/output", "clip/output", "d1:single"]
    prompts = {"prompts": [(f"a photo of a {name}.", 13, 13 + len(name)) for name in NAMES]}
    assert parts(source, cell("clip", "bert")) == ["clip/output", "bert/span_mean", "d1:single", prompts]
    assert parts(source, cell("bert", "clip")) == ["bert/span_mean", "clip/output", "d1:single", prompts]
    assert parts(source, cell("clip", "bert", protocol=RSA.at_layer("stage2")))[:2] == ["clip/stage2", "bert/span_mean"]
    bare = {"prompts": [(name, 0, len(name)) for name in NAMES]}
    assert parts(source, cell("clip", "bert", protocol=RSA.at(template="{}")))[-1] == bare
    assert parts(source, cell("unknown", "clip"))[0] is None


def test_its_arrays_are_the_features_of_both():
    found = gather(Told(), cell("clip", "bert"))
    assert [array.shape for array in found.arrays()] == [(12, 3), (4, 3)]
    assert FAMILIES.get("pair").gather is gather


@pytest.mark.parametrize("roles", [("clip",), ("clip", "bert", "gpt2")])
def test_another_number_of_models_is_refused(roles):
    with pytest.raises(BadSpec) as error:
        require(cell(*roles), "pair")
    assert str(error.value) == (
        f"rsa[{'+'.join(roles)}, imagenet]: the probe 'rdm' takes an ordered pair of models; got {len(roles)}: "
        f"{', '.join(roles)}. Write several models of a claim as Roles(first, second)"
    )


def test_too_few_classes_are_refused_before_anything_is_encoded():
    source = Told(NAMES[:3], np.arange(12) % 3)
    with pytest.raises(BadDataset) as error:
        gather(source, cell("clip", "bert"))
    assert str(error.value) == (
        "imagenet has 3 classes, ['red', 'green', 'blue']; a correlation of dissimilarity matrices needs at least 4; "
        "bind another dataset"
    )
    assert source.asked == []


def test_several_labels_an_item_are_refused():
    source = Told(labels=np.eye(4, dtype=bool), task="multi")
    with pytest.raises(BadSpec, match="compares classes, and items of imagenet have several; bind another dataset"):
        gather(source, cell("clip", "bert"))


def test_a_class_without_a_name_is_refused_where_prompts_need_it():
    source = Told(("red", " ", "blue", "white"))
    with pytest.raises(BadDataset, match="class 1 of colours has no name"):
        gather(source, cell("clip", "bert"))
    gather(source, cell("clip", "rn50"))


def test_what_no_probe_can_work_on_is_refused():
    good = Pair((Side("clip", np.ones((12, 3), np.float32), LABELS), Side("bert", np.ones((4, 3), np.float32))), NAMES)
    good.check()

    def with_first(**changes):
        return dataclasses.replace(good, sides=(dataclasses.replace(good.sides[0], **changes), good.sides[1]))

    with pytest.raises(BadFeatures, match="clip features: 12 of 12 rows hold NaN or infinity"):
        with_first(x=np.full((12, 3), np.nan, np.float32)).check()
    with pytest.raises(BadDataset, match="test has 12 feature rows and 11 labels; give one a row"):
        with_first(labels=LABELS[:-1]).check()
    with pytest.raises(BadDataset, match="class 'white' has 0 test images; its spread needs at least 2"):
        with_first(labels=LABELS % 3).check()
    with pytest.raises(BadDataset, match="clip needs one row a class, 4 in all, got 12; images need a label"):
        with_first(labels=None).check()
