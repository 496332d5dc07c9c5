"""Modules import from floors below their own or their own folder, and never in a circle; heavy libraries load late."""

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mmbench

ROOT = Path(mmbench.__file__).parent
FLOORS = [
    {"words"},
    {"errors", "locks", "progress", "seeds", "two_workers"},
    {"files", "imports"},
    {"array_checks", "program", "registry", "spec"},
    {"assets", "attacks", "stats"},
    {"protocol", "datasets"},
    {"metrics"},
    {"conditions", "scores", "zoo"},
    {"models", "forms"},
    {"features"},
    {"source"},
    {"training"},
    {"inputs"},
    {"probes"},
    {"lineups"},
    {"claims"},
    {"bench", "verdict"},
    {"records"},
    {"report"},
    {"gate"},
    {"calibration", "session"},
    {"contract_checks", "plugin", "cli"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS, start=1) for room in rooms}
# What `pytest --collect-only` and an unrelated pytest run must not pay for.
HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "open_clip",
    "transformers",
    "sklearn",
    "matplotlib",
    "PIL",
    "resvg_py",
    "jinja2",
    "datasets",
    "pyarrow",
    "gensim",
    "nltk",
    "cv2",
    "onnxruntime",
}


def room_of(module: Path, root: Path = ROOT) -> str:
    return module.relative_to(root).parts[0].removesuffix(".py")


def imports(tree: ast.AST, *, top_level_only: bool) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import; those under ``if TYPE_CHECKING`` cost nothing and are left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        elif top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        else:
            yield from imports(node, top_level_only=top_level_only)


def faults(source: str, room: str) -> list[str]:
    """What breaks the layering in one module's source."""
    tree = ast.parse(source)
    found = []
    for line, name in imports(tree, top_level_only=False):
        parts = name.split(".")
        if parts[0] != "mmbench" or len(parts) == 1 or parts[1] not in FLOOR or parts[1] == room:
            continue
        if FLOOR[parts[1]] >= FLOOR[room]:
            found.append(f"line {line}: {room} (floor {FLOOR[room]}) imports {parts[1]} (floor {FLOOR[parts[1]]})")
    for line, name in imports(tree, top_level_only=True):
        if name.split(".")[0] in HEAVY:
            found.append(f"line {line}: imports {name} at the top; import it inside the function that needs it")
    return found


MODULES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py" or path.parent != ROOT)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_keeps_to_its_floor(module):
    room = room_of(module)
    assert room in FLOOR, f"{module} is in no room of the house; give it a floor"
    assert faults(module.read_text(), room) == []


def other_studies(source: str, own: str, studies: set[str]) -> set[str]:
    """Studies other than ``own`` whose modules the source imports."""
    named = (name.split(".") for _, name in imports(ast.parse(source), top_level_only=False))
    return {parts[2] for parts in named if parts[:2] == ["mmbench", "claims"] and len(parts) > 2} & (studies - {own})


def test_a_study_imports_no_other_study():
    """What several share stands in a module of ``claims`` whose name begins with an underscore."""
    claims = ROOT / "claims"
    studies = {path.stem for path in claims.iterdir() if re.fullmatch(r"[a-z]+\d{4}", path.stem)}
    assert {"devillers2021", "bielawski2022", "matched2026"} <= studies
    for study in studies:
        for module in [*claims.glob(f"{study}.py"), *(claims / study).glob("*.py")]:
            assert other_studies(module.read_text(), study, studies) == set(), module
    trap = "from mmbench.claims.devillers2021.robustness import ATTACKS"
    assert other_studies(trap, "bielawski2022", studies) == {"devillers2021"}


@pytest.mark.parametrize(
    ("source", "room", "fault"),
    [
        ("from mmbench.verdict import judge", "probes", "imports verdict"),
        ("from mmbench import verdict", "probes", "imports verdict"),
        ("import mmbench.plugin", "report", "imports plugin"),
        ("def f():\n    from mmbench.bench.bench import Bench", "scores", "imports bench"),
        ("import torch", "probes", "inside the function"),
        ("class A:\n    from torch import nn", "models", "inside the function"),
        ("try:\n    import timm\nexcept ImportError:\n    timm = None", "models", "inside the function"),
    ],
)
def test_the_rule_can_fail(source, room, fault):
    assert any(fault in found for found in faults(source, room))


def test_what_is_allowed_passes():
    source = (
        "from typing import TYPE_CHECKING\nfrom mmbench.errors import BadItem\n"
        "if TYPE_CHECKING:\n    import torch\ndef f():\n    import torch\n    return torch"
    )
    assert faults(source, "probes") == []


# Circles between modules, inside a folder or over several, imports inside of functions included.

Graph = dict[str, set[str]]


def names_of(root: Path = ROOT) -> dict[str, Path]:
    """The modules of a package by their dotted names."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def module_graph(sources: dict[str, str]) -> Graph:
    """Which module imports which; ``from package import name`` is of the module ``name`` where there is one.

    That a package runs before its modules is no import of theirs.
    """
    graph: Graph = {}
    for module, source in sources.items():
        graph[module] = set()
        for _, name in imports(ast.parse(source), top_level_only=False):
            while name and name not in sources:
                name = name.rpartition(".")[0]
            graph[module] |= {name} - {"", module}
    return graph


def circle(graph: Graph) -> list[str]:
    """The first circle that is found, as the names on the way round; empty when there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def package_graph() -> Graph:
    return module_graph({name: path.read_text() for name, path in names_of().items()})


def test_no_module_imports_itself_by_a_way_round():
    assert circle(package_graph()) == []


@pytest.mark.parametrize(
    "sources",
    [
        {"p.a": "from p import b", "p.b": "from p import a"},
        {"p.a": "import p.b", "p.b": "from p.a import f"},
        {"p.a": "from p.b import f", "p.b": "def f():\n    from p.c import g", "p.c": "class A:\n    import p.a"},
        {"p.x": "from p.x.a import f", "p.x.a": "from p.x import g"},
    ],
)
def test_a_planted_circle_of_modules_is_found(sources):
    found = circle(module_graph({"p": "", **sources}))
    assert found[0] == found[-1]
    assert set(found) == set(sources)


@pytest.mark.parametrize(
    "sources",
    [
        {"p.a": "from p import b", "p.b": "import os"},
        {"p.a": "from p import b", "p.b": "if TYPE_CHECKING:\n    from p import a"},
        {"p.x": "from p.x import a", "p.x.a": "from p.x import b", "p.x.b": ""},
        {"p.a": "from p.b import a", "p.b": "a = 1"},
    ],
)
def test_what_is_no_circle_passes(sources):
    assert circle(module_graph({"p": "", **sources})) == []
