"""A user's own model under one weights digest: what else decides its features is in its identity, or it has none."""

from __future__ import annotations

import sys

import pytest
import torch
import torchvision

from mmbench.models.entry import Preprocess
from mmbench.models.objects import from_module
from mmbench.models.specs import resolve
from mmbench.program import digest as program

HEAD = """
import importlib.util, io, json, types
import torch
from mmbench.models.entry import Preprocess
PLAIN = Preprocess(8, 8, (0.5,) * 3, (0.5,) * 3)
def library():
    torch.manual_seed(0)
    made = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    made.preprocess = PLAIN
    return made
class Net(torch.nn.Module):
    preprocess, scale = PLAIN, 1
    def forward(self, x):
        return x.mean(dim=(2, 3)) * self.scale
"""
PATCHED = """
def mine():
    made = library()
    def forward(self, x):
        return torch.nn.Sequential.forward(self, x) * VALUE
    made.forward = types.MethodType(forward, made)
    return made
"""
HOOKED = """
import my_part
def mine():
    made = library()
    made[0].register_forward_hook(my_part.hook(VALUE))
    return made
"""
CLOSED = """
def make(scale):
    class Inner(torch.nn.Module):
        preprocess = PLAIN
        def forward(self, x):
            return x.mean(dim=(2, 3)) * scale
    return Inner()
def one(): return make(1)
def two(): return make(2)
"""
CLASSED = """
def one(): Net.scale = 1; return Net()
def two(): Net.scale = 2; return Net()
"""
READ = """
with open("table.json") as file: TABLE = json.load(file)
class Mine(Net):
    def forward(self, x):
        return x.mean(dim=(2, 3)) * TABLE["scale"]
"""
BY_PATH = """
def mine():
    spec = importlib.util.spec_from_file_location("my_place", "place.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Mine()
"""
SCRIPTED = """
def mine():
    made = torch.nn.Sequential(torch.jit.trace(library(), torch.zeros(1, 3, 8, 8)))
    made.preprocess = PLAIN
    return made
"""
KEEPING = """
def mine():
    made = library()
    made[0].stream = io.StringIO()
    return made
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in ("", str(tmp_path))])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "my_part.py").write_text("def hook(k): return lambda module, given, out: out * k")
    (tmp_path / "place.py").write_text(HEAD + "class Mine(Net): pass")
    yield tmp_path
    forget()


def forget():
    for name in ("my_net", "my_part"):
        sys.modules.pop(name, None)
    program._remembered.cache_clear()  # as in a new process


def identity(folder, text, name="mine", table="1"):
    forget()
    (folder / "my_net.py").write_text(HEAD + text)
    (folder / "table.json").write_text(f'{{"scale": {table}}}')
    return resolve(f"python:my_net:{name}").identity()


@pytest.mark.parametrize("text", [PATCHED, HOOKED])
def test_code_that_a_library_module_was_given_counts(folder, text):
    one, two, again = (identity(folder, text.replace("VALUE", value)) for value in "121")
    assert one == again != two
    assert one.weights == two.weights != None  # noqa: E711


def test_a_hook_of_another_file_and_what_it_keeps_count():
    def hooked(factor):
        made = torch.nn.Sequential(torch.nn.Flatten())
        made[0].register_forward_hook(lambda module, given, out: out * factor)
        return from_module(made, Preprocess(8, 8, (0.5,) * 3, (0.5,) * 3)).identity()

    assert hooked(1) == hooked(1) != hooked(2)


@pytest.mark.parametrize("text", [CLOSED, CLASSED])
def test_two_models_of_one_file_differ_by_what_their_classes_keep(folder, text):
    one, two, again = (identity(folder, text, name) for name in ("one", "two", "one"))
    assert one == again
    assert one.architecture.partition(" of ")[0] != two.architecture.partition(" of ")[0]


def test_data_of_the_module_that_its_code_reads_counts(folder):
    one, two, again = (identity(folder, READ, "Mine", table) for table in "121")
    assert one == again != two
    assert one.weights is not None


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("text", [BY_PATH, SCRIPTED, KEEPING])
def test_what_nothing_tells_from_another_is_not_cached(folder, text):
    assert identity(folder, text).weights is None


def test_the_ordinary_case_is_cached():
    made = torchvision.models.resnet18(weights=None)
    assert from_module(made, Preprocess(32, 32, (0.5,) * 3, (0.5,) * 3)).identity().weights is not None
