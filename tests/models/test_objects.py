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


def bare():
    return network()


def module():
    made = network()
    made.preprocess = PLAIN
    return made


class TestEntryPoints:
    @pytest.fixture(autouse=True)
    def installed(self, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "some_package", sys.modules[__name__])
        offered = {"my_towers": "TOWERS", "my_entry": "ENTRY", "made": "make", "classy": "Towers", "nothing": "NOTHING"}
        offered |= {"module": "module", "bare": "bare"}
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

    def test_a_module_with_its_preprocessing_is_enough(self):
        assert resolve("module").load().forward(torch.ones(1, 3, 8, 8)).shape == (1, 4)
        with pytest.raises(
            BadSpec, match=r"entry point 'bare' \(some_package:bare\) gives a torch module; it needs its"
        ):
            resolve("bare")

    def test_a_typing_mistake_suggests_them(self):
        with pytest.raises(UnknownName, match=r"no model named 'my_tower'. Did you mean 'my_towers'"):
            resolve("my_tower")


README = """
import torch
from mmbench.models.entry import Preprocess


class Mine(torch.nn.Module):
    preprocess = Preprocess(size=32, resize=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3 * 32 * 32, 16)

    def forward(self, images):  # [batch, 3, 32, 32] to [batch, 16]
        return self.layer(images.flatten(1))


class Towers:
    preprocess = Mine.preprocess
    identity = "towers of 23 November"  # what is stored is kept as long as this stays

    def encode_image(self, images):
        return images.mean(dim=(2, 3))

    def encode_text(self, texts):
        return torch.tensor([[float(len(text)), 1.0, 0.0] for text in texts])


def mine():
    torch.manual_seed(0)
    return Mine()
"""

# Two entries that call themselves the same; untrained networks differ.
ENTRIES = """
from mmbench.models.objects import from_module

one, other = (from_module(module, Mine.preprocess, name="mine") for module in (Mine(), Mine()))
"""


class TestPython:
    """``python:MODULE:NAME``, the shortest way from a file of one's own to the command line."""

    @pytest.fixture(autouse=True)
    def file(self, tmp_path, monkeypatch):
        import sys

        (tmp_path / "my_models.py").write_text(README)
        (tmp_path / "broken.py").write_text("import a_module_that_nobody_has")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", list(sys.path))
        yield
        sys.modules.pop("my_models", None)

    def test_a_module_needs_nothing_but_its_preprocessing(self):
        from mmbench import contract_checks as checks

        entry = resolve("python:my_models:mine")
        assert (entry.name, entry.modality, entry.dim) == ("python:my_models:mine", "image", 16)
        checks.features_are_invariant(entry)
        checks.identity_is_cheap_and_stable(entry)

    def test_it_is_bound_on_the_command_line(self, pictures):
        from mmbench.lineups import load_lineup

        bound = load_lineup("paper").bind_model("clip=python:my_models:mine").model("clip")
        encoder = bound.entry.load()
        with torch.inference_mode():
            assert encoder.forward(torch.stack([encoder.prepare(p) for p in pictures])).shape == (3, 16)

    def test_both_towers_of_an_object(self):
        image, text = (resolve(f"python:my_models:Towers#{tower}") for tower in ("image", "text"))
        assert (image.modality, text.modality) == ("image", "text")
        assert text.load().forward(["abc"]).tolist() == [[3.0, 1.0, 0.0]]
        assert image.identity().weights == "towers of 23 November"
        assert resolve("python:my_models:Towers").modality == "image"

    def test_an_entry_goes_by_the_name_that_it_is_asked_for_with(self, tmp_path):
        """Two entries that call themselves the same are two models, raw input included."""
        (tmp_path / "my_models.py").write_text(README + ENTRIES)
        one, other = (resolve(f"python:my_models:{name}") for name in ("one", "other"))
        assert [entry.name for entry in (one, other)] == ["python:my_models:one", "python:my_models:other"]
        assert [entry.raw().name for entry in (one, other)] == [
            "python:my_models:one_raw",
            "python:my_models:other_raw",
        ]
        assert one.identity() != other.identity()

    @pytest.mark.parametrize(("spec", "words"), [
        ("python:my_models", r"model 'python:my_models' is not python:MODULE:NAME\[#image\|#text\]$"),
        ("python:my_models:mine#both", r"is not python:MODULE:NAME"),
        ("python:my_models:min", r"cannot be imported from .*: module 'my_models' has no attribute 'min'"),
        ("python:my_modells:mine", r"cannot be imported from .*: No module named 'my_modells'$"),
        ("python:broken:mine", r"cannot be imported from .*: No module named 'a_module_that_nobody_has'$"),
        ("python:my_models:README", r"has no attribute 'README'"),
        ("python:my_models:Preprocess.size", r"has no attribute|gives a"),
        ("python:math:pi", r"model 'python:math:pi' gives a float; it should give a ModelEntry"),
    ])  # fmt: skip
    def test_refusals(self, spec, words):
        with pytest.raises(BadSpec, match=words):
            resolve(spec)
