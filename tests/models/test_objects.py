"""Models of one's own: modules, objects and entry points become entries that are told apart and measured."""

from __future__ import annotations

import io
import sys

import pytest
import torch
from distributions import write_distribution

from mmbench.errors import BadSpec, BrokenEntryPoint, UnknownName
from mmbench.models import objects, sources
from mmbench.models.entry import Preprocess
from mmbench.models.objects import from_module, from_object, module_digest
from mmbench.models.specs import parse, resolve
from mmbench.program import digest as program

PLAIN = Preprocess(8, 8, (0.5,) * 3, (0.5,) * 3)
PREPROCESS_160 = Preprocess(160, 160, (0.5,) * 3, (0.5,) * 3)


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

    @pytest.mark.filterwarnings("ignore")  # TorchScript as a whole is deprecated
    def test_torchscript_is_told_with_a_way_out(self):
        scripted = torch.jit.trace(network(), torch.zeros(1, 3, 8, 8))
        with pytest.raises(BadSpec, match=r"model 'mine' is a TorchScript module.* whose forward calls it, and give"):
            from_module(scripted, PLAIN, name="mine")
        whole = torch.nn.Module()
        whole.net, whole.forward = scripted, lambda batch: scripted(batch)
        assert from_module(whole, PLAIN, name="mine").dim == 4

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

    def test_what_attributes_set_is_part_of_the_identity(self):
        """Two poolings of one backbone, with the same weights, code and printed structure."""

        class Pooled(torch.nn.Module):
            def __init__(self, pool, more=None):
                super().__init__()
                self.body, self.pool, self.more = network(), pool, more

            def forward(self, images):
                return self.body(images) if self.pool == "mean" else self.body(images).abs()

        def wrapped(pool, more=None):  # the class of the whole is torch's own, and prints nothing of the setting
            return from_module(torch.nn.Sequential(Pooled(pool, more)), PLAIN).identity()

        settings = [
            ("mean",),
            ("max",),
            ("mean", [1, {"a": (2,)}]),
            ("mean", [1, {"a": (3,)}]),
            ("mean", torch.ones(2)),
        ]
        found = [wrapped(*each) for each in settings]
        assert all(found.count(one) == 1 for one in found)
        assert found == [wrapped(*each) for each in settings]
        assert all(one.weights for one in found)

    def test_what_nothing_tells_apart_is_not_cached(self):
        class Keeping(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.body, self.stream = network(), io.StringIO()

            def forward(self, images):
                return self.body(images)

        assert from_module(Keeping(), PLAIN).identity().weights is None
        assert from_module(Keeping(), PLAIN, version="1").identity().weights is not None

    def test_a_library_models_setting_counts_and_leaves_it_identified(self):
        import timm

        def identity(pool):
            torch.manual_seed(0)
            return from_module(
                timm.create_model("test_vit", num_classes=0, global_pool=pool), PREPROCESS_160
            ).identity()

        token, mean = identity("token"), identity("avg")
        assert token.weights is not None
        assert token == identity("token")
        assert token.architecture != mean.architecture

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


SOME_PACKAGE = """
import torch
from mmbench.models.entry import Preprocess
from mmbench.models.objects import from_object

PLAIN = Preprocess(8, 8, (0.5,) * 3, (0.5,) * 3)


class Towers:
    preprocess = PLAIN

    def encode_image(self, batch):
        return batch.mean(dim=(2, 3))


TOWERS = Towers()
ENTRY = from_object(TOWERS, name="given")
NOTHING = 3


def make():
    return TOWERS


def bare():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())


def module():
    made = bare()
    made.preprocess = PLAIN
    return made


def source(spec):
    return from_object(TOWERS, name=f"{spec.name} at {spec.option('size')}")
"""
SOURCE = """
from mmbench.models.sources import ModelSource
from mmbench.spec import choice
from some_package import source

SOURCE = ModelSource("shelf", "shelf:NAME:TAG", source, {"": frozenset({"size", "colour"})}, tagged=True,
                     values={"colour": choice("red", "blue")})
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution with models, one that cannot be imported among them, and a source of models."""
    offered = {"my_towers": "TOWERS", "my_entry": "ENTRY", "made": "make", "classy": "Towers", "nothing": "NOTHING"}
    offered |= {"module": "module", "bare": "bare"}
    points = {name: f"some_package:{value}" for name, value in offered.items()} | {"broken": "some_broken:ENTRY"}
    write_distribution(
        tmp_path / "site",
        "some-models",
        {objects.GROUP: points, sources.GROUP: {"shelf": "some_source:SOURCE", "fallen": "some_broken:SOURCE"}},
        {"some_package": SOME_PACKAGE, "some_source": SOURCE, "some_broken": "import a_module_that_nobody_has"},
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield
    for name in ("some_package", "some_source"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("installed")
class TestEntryPoints:
    @pytest.mark.parametrize("name", ["my_towers", "my_entry", "made", "classy"])
    def test_resolve_by_name(self, name):
        entry = resolve(name)
        assert entry.name == name
        assert entry.load().forward(torch.ones(1, 3, 8, 8)).tolist() == [[1.0, 1.0, 1.0]]

    def test_another_kind_of_thing_is_refused(self):
        with pytest.raises(BadSpec) as caught:
            resolve("nothing")
        assert str(caught.value) == (
            "model 'nothing' of the distribution some-models 1.0 (entry point some_package:NOTHING) gives a int; "
            "it should give a ModelEntry, an object with encode_image or encode_text, or a torch module with its "
            "preprocess"
        )

    def test_a_module_with_its_preprocessing_is_enough(self):
        assert resolve("module").load().forward(torch.ones(1, 3, 8, 8)).shape == (1, 4)
        with pytest.raises(BadSpec, match=r"\(entry point some_package:bare\) gives a torch module; it needs its"):
            resolve("bare")

    def test_a_typing_mistake_suggests_them(self):
        with pytest.raises(UnknownName, match=r"no model named 'my_tower'. Did you mean 'my_towers'"):
            resolve("my_tower")

    def test_one_that_cannot_be_imported_names_its_distribution_and_harms_no_other(self):
        with pytest.raises(BrokenEntryPoint) as caught:
            resolve("broken")
        assert str(caught.value) == (
            "model 'broken' of the distribution some-models 1.0 (entry point some_broken:ENTRY) cannot be loaded "
            "(ModuleNotFoundError: No module named 'a_module_that_nobody_has'); update or uninstall it"
        )
        assert resolve("minilm").dim == 384
        assert resolve("timm:test_resnet?random=1").modality == "image"

    def test_a_source_of_models(self):
        entry = resolve("shelf:book:second?size=3&colour=red")
        assert (entry.name, entry.modality) == ("book at 3", "image")
        assert parse("shelf:book:second").tag == "second"
        with pytest.raises(
            BadSpec, match=r"model 'shelf:book\?colour=green': colour is one of red, blue, not 'green'$"
        ):
            resolve("shelf:book?colour=green")
        with pytest.raises(BadSpec, match=r"no option named 'colours'. Did you mean 'colour'\?$"):
            resolve("shelf:book?colours=red")
        with pytest.raises(UnknownName, match=r"no model source named 'shelv'. Did you mean 'shelf'\?"):
            resolve("shelv:book")
        with pytest.raises(BrokenEntryPoint, match=r"^model source 'fallen' of the distribution some-models 1.0"):
            resolve("fallen:book")


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

LATE = """
from dataclasses import replace
from mmbench.models.entry import GeneratorEntry
from mmbench.models.objects import from_module


def load():
    import my_helper

    return my_helper.WIDTH


PLAIN = from_module(Mine(), Mine.preprocess)
LATE = replace(PLAIN, load=load, raw=lambda: replace(PLAIN, load=load), generator=GeneratorEntry(load, PLAIN.identity))
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
        (tmp_path / "my_models.py").write_text(README)
        (tmp_path / "broken.py").write_text("import a_module_that_nobody_has")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in ("", str(tmp_path))])
        yield
        for name in ("my_models", "my_helper", "my_code", "my_part"):
            sys.modules.pop(name, None)

    @pytest.mark.parametrize("base", ["torch.nn.Module", "object"])
    @pytest.mark.parametrize("changed", ["my_code.py", "my_part.py"])
    def test_the_same_weights_under_other_code_are_another_model(self, tmp_path, base, changed):
        """Her file, or a file that it imports: with the weights alone in the identity, old features would be found."""
        texts = {
            "my_part.py": "def end(x):\n    return x",
            "my_code.py": f"import torch\nimport my_part\nfrom mmbench.models.entry import Preprocess\n"
            f"class Mine({base}):\n    identity = 'v1'\n"
            "    preprocess = Preprocess(8, 8, (0.5,) * 3, (0.5,) * 3)\n"
            "    def forward(self, x):\n        return my_part.end(x.mean(dim=(2, 3)))\n"
            + ("" if base == "torch.nn.Module" else "    encode_image = forward\n"),
        }

        def identity(edited="", addition=""):
            for name, text in texts.items():
                (tmp_path / name).write_text(text + addition * (name == edited))
                sys.modules.pop(name.removesuffix(".py"), None)
            program._remembered.cache_clear()  # as in a new process
            return resolve("python:my_code:Mine").identity()

        before = identity()
        assert identity(changed, "  # a comment") == before
        assert identity(changed, "\nADDED = 1") != before

    def test_the_search_path_is_left_as_it_was_even_after_a_failure(self):
        before = list(sys.path)
        resolve("python:my_models:mine").load()
        with pytest.raises(BadSpec):
            resolve("python:broken:mine")
        assert sys.path == before

    def test_a_file_beside_it_is_found_as_late_as_when_the_model_is_loaded(self, tmp_path, monkeypatch):
        (tmp_path / "my_helper.py").write_text("WIDTH = 3")
        (tmp_path / "my_models.py").write_text(README + LATE)
        entry = resolve("python:my_models:LATE")
        monkeypatch.chdir(tmp_path.parent)
        assert entry.load() == entry.raw().load() == entry.generator.load() == 3

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

    @pytest.mark.parametrize(("code", "words"), [
        ("def f(:", r"SyntaxError: invalid syntax \(my_models.py, line 1\); mend it"),
        ("raise RuntimeError('boom\\nand more')", r"RuntimeError: boom at .*my_models.py:1; mend it and try again$"),
        ("import sys; sys.exit(0)", r"SystemExit: 0 at .*my_models.py:1; mend it"),
        ("def mine():\n    exit()", r"SystemExit: None at "),
        ("def mine(more):\n    pass", r"TypeError: mine\(\) missing 1 required positional argument: 'more'"),
        ("class mine:\n    encode_text = None\n    def __init__(self):\n        1 / 0", r"ZeroDivisionError: "),
        (README + "class Late(Towers):\n    def encode_image(self, x):\n        raise SystemExit\nmine = Late()",
         r"SystemExit: *at .*my_models.py:"),
    ])  # fmt: skip
    def test_code_that_ends_in_an_error_or_an_exit_is_refused_in_one_line(self, tmp_path, code, words):
        (tmp_path / "my_models.py").write_text(code)
        with pytest.raises(BadSpec, match=rf"model 'python:my_models:mine': its code ended in {words}") as caught:
            resolve("python:my_models:mine").load()
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("spec", ["python:..os:x", "python:os.path:join"])
    def test_a_place_that_holds_no_model_is_refused(self, spec):
        with pytest.raises(BadSpec, match=rf"^model '{spec}': its code ended in TypeError: "):
            resolve(spec)

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
