"""Models of one's own: modules, objects and entry points become entries that are told apart and measured."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import torch

from mmbench.errors import BadSpec, UnknownName
from mmbench.models import objects
from mmbench.models.entry import Preprocess
from mmbench.models.objects import from_module, from_object, module_digest
from mmbench.models.specs import resolve

PLAIN = Preprocess(8, 8, (0.5,) * 3, (0.5,) * 3)


def network(width=4, seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Conv2d(3, width, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())


class Towers:
    """An object with both towers and no weights that anyone could see."""

    name = "towers"
    preprocess = PLAIN

    def encode_image(self, batch):
        return batch.mean(dim=(2, 3))

    def encode_text(self, texts):
        return torch.tensor([[float(len(text)), 1.0] for text in texts])


class TestFromModule:
    def test_gives_the_modules_features(self, pictures):
        module = network()
        entry = from_module(module, PLAIN, name="mine")
        encoder = entry.load()
        batch = torch.stack([encoder.prepare(picture) for picture in pictures])
        with torch.inference_mode():
            torch.testing.assert_close(encoder.forward(batch), module(batch))
        assert (entry.name, entry.dim, encoder.dim, entry.modality) == ("mine", 4, 4, "image")

    def test_identity_follows_weights_structure_and_version(self):
        same, again = from_module(network(), PLAIN).identity(), from_module(network(), PLAIN).identity()
        assert same == again
        others = [
            from_module(network(seed=1), PLAIN),
            from_module(torch.nn.Sequential(network(), torch.nn.ReLU()), PLAIN),
            from_module(network(), PLAIN, version="2"),
            from_module(network(), Preprocess(8, 9, (0.5,) * 3, (0.5,) * 3)),
            from_module(network(), PLAIN).raw(),
        ]
        identities = [same, *(entry.identity() for entry in others)]
        assert all(identities.count(identity) == 1 for identity in identities)

    def test_a_module_that_gives_no_rows_is_refused(self):
        with pytest.raises(
            BadSpec, match=r"model 'module': the module gives shape \[1, 4, 6, 6\] and not features of shape"
        ):
            from_module(network()[:1], PLAIN)

    def test_raw_of_raw_pixels_is_none(self):
        assert from_module(network(), PLAIN).raw().raw is None


class TestFromObject:
    def test_both_towers(self, pictures):
        image, text = from_object(Towers()), from_object(Towers(), modality="text")
        assert (image.modality, image.load().dim, text.modality, text.load().dim) == ("image", 3, "text", 2)
        assert text.load().forward(["abc"]).tolist() == [[3.0, 1.0]]
        assert text.raw is None
        assert image.raw().load().prepare(pictures[0]).min() >= 0

    def test_without_weights_or_identity_nothing_is_cached(self):
        assert from_object(Towers()).identity().weights is None

    def test_an_objects_own_identity_or_weights(self):
        named = Towers()
        named.identity = "towers-1.0"
        assert from_object(named).identity().weights == "towers-1.0"

        class Module(torch.nn.Linear):
            def encode_text(self, texts):
                return self(torch.ones(len(texts), 2))

        module = Module(2, 3)
        assert from_object(module).identity().weights == module_digest(module)

    def test_refusals(self):
        with pytest.raises(BadSpec, match=r"model 'object' has no encode_text; it needs encode_image"):
            from_object(object())
        with pytest.raises(BadSpec, match=r"model 'towers' has no encode_text"):
            from_object(type("T", (), {"name": "towers", "encode_image": print})(), modality="text")
        with pytest.raises(BadSpec, match=r"model 'T' encodes images but states no Preprocess"):
            from_object(type("T", (), {"encode_image": print})())
        flat = type("T", (), {"encode_text": lambda self, texts: torch.zeros(len(texts))})()
        with pytest.raises(
            BadSpec, match=r"model 'T' encodes to shape \[1\] and not to features of shape \[batch, dim\]"
        ):
            from_object(flat).load()


TOWERS = Towers()
ENTRY = from_object(TOWERS, name="given")


def make():
    return TOWERS


NOTHING = 3


class TestEntryPoints:
    @pytest.fixture(autouse=True)
    def installed(self, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "some_package", sys.modules[__name__])
        offered = {"my_towers": "TOWERS", "my_entry": "ENTRY", "made": "make", "classy": "Towers", "nothing": "NOTHING"}
        points = [EntryPoint(name, f"some_package:{value}", objects.GROUP) for name, value in offered.items()]
        monkeypatch.setattr(objects, "entry_points", lambda group: [p for p in points if p.group == group])

    @pytest.mark.parametrize("name", ["my_towers", "my_entry", "made", "classy"])
    def test_resolve_by_name(self, name):
        assert resolve(name).load().forward(torch.ones(1, 3, 8, 8)).tolist() == [[1.0, 1.0, 1.0]]

    def test_another_kind_of_thing_is_refused(self):
        with pytest.raises(
            BadSpec, match=r"entry point 'nothing' \(some_package:NOTHING\) gives a int; it should give a ModelE"
        ):
            resolve("nothing")

    def test_a_typing_mistake_suggests_them(self):
        with pytest.raises(UnknownName, match=r"no model named 'my_tower'. Did you mean 'my_towers'"):
            resolve("my_tower")
