"""The canonical text is blind to how a program is written down, and never to what it does."""

from __future__ import annotations

import ast
import gc
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import mmbench
from mmbench.program import canonical
from mmbench.program.names import rename_locals
from mmbench.program.text import parsed

MODULES = sorted(Path(mmbench.__file__).parent.rglob("*.py"))
SOURCE = '''
"""A module."""
from __future__ import annotations
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
import numpy as np
from torch import sin as wave
from mmbench.zoo.backbone import DIM
from mmbench.zoo import augment
if TYPE_CHECKING:
    from torch import Tensor
RATE: float = 0.5
@dataclass
class Settings:
    """Settings."""
    shots: int
    seed: int = 0
def scale(x: Tensor, by: float = 2.0) -> Tensor:
    """Scale."""
    # a comment
    total: float = x * by
    for step, weight in enumerate(x):
        total -= step - weight * RATE
    return total - sum(each * step for each in x)
def shift(x, by, /, *rest):
    def inner(y):
        nonlocal by
        by = y - x
        return by
    try:
        return inner(x)
    except ValueError as error:
        raise KeyError(str(error)) from error
def call(f: Callable[[Any], Any], x):
    import math
    given = math.log(x)
    return f(given, by=given)
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another docstring."""'),
        ('    """Scale."""\n', ""),
        ('    """Settings."""\n', ""),
        ("    # a comment\n", ""),
        ("x: Tensor, by: float = 2.0) -> Tensor", "x,\n          by = 2.0,\n)"),
        ("total: float = x * by", "total = (x * by)"),
        ("RATE: float = 0.5", "RATE = 0.50"),
        ("    from torch import Tensor", "    from numpy import ndarray as Tensor"),
        ("if TYPE_CHECKING:\n    from torch import Tensor\n", ""),
        ("from typing import TYPE_CHECKING, Any", "from typing import Any, Literal, TYPE_CHECKING"),
        ("f: Callable[[Any], Any]", "f"),
        ("from mmbench.zoo.backbone import DIM", "from mmbench.zoo.frozen.backbone import DIM"),
        (
            "from mmbench.zoo.backbone import DIM\nfrom mmbench.zoo import augment",
            "from mmbench.models import augment\nfrom mmbench.zoo.backbone import DIM",
        ),
        ("step", "place"),
        ("total", "found"),
        ("error", "fault"),
        ("each", "item"),
        ("given", "logarithm"),
    ],
)
def test_the_same_program_has_the_same_text(old, new):
    assert old in SOURCE
    assert canonical(SOURCE.replace(old, new)) == canonical(SOURCE)


def test_positional_only_parameters_have_no_name():
    assert canonical("def f(x, /, *, y): return x - y") == canonical("def f(z, /, *, y): return z - y")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.5", "0.6"),
        ("by: float = 2.0", "by: float = 3.0"),
        ("x * by", "x / by"),
        ("x * by", "by * x"),
        ("step - weight", "weight - step"),
        ("for step, weight", "for weight, step"),
        ("y - x", "x - y"),
        ("return total", "return -total"),
        ("RATE: float", "PACE: float"),
        ("weight * RATE", "weight * step"),
        ("total -= step", "RATE -= step"),
        ("    total: float = x", "    global total\n    total = x"),
        ("nonlocal by\n", "pass\n"),
        ("def inner(y)", "def inner(x)"),
        ("def scale", "def shrink"),
        ("def inner(y):", "def outer(y):"),
        ("def call(f: Callable[[Any], Any], x)", "def call(f, x=1)"),
        ("def call(f: Callable[[Any], Any], x)", "def call(f, *, x)"),
        ("by=given", "to=given"),
        ("from torch import sin as wave", "from torch import cos as wave"),
        ("from torch import sin as wave", "from numpy import sin as wave"),
        ("import numpy as np", "import scipy as np"),
        ("import math\n", "import cmath as math\n"),
        ("from mmbench.zoo.backbone import DIM", "from mmbench.zoo.backbone import SIZE as DIM"),
        ("from mmbench.zoo.backbone import DIM", "from torch import DIM"),
        ("    shots: int\n    seed: int = 0", "    seed: int = 0\n    shots: int = 0"),
        ("seed: int = 0", "seed = 0"),
        ("shots: int\n", "shots\n"),
        ("shots: int\n", "shots: ClassVar[int]\n"),
        ("@dataclass\n", "@dataclass(frozen=True)\n"),
        ("KeyError", "ValueError"),
        ("each * step for each in x", "each * step for step in x"),
    ],
)
def test_another_program_has_another_text(old, new):
    assert old in SOURCE
    assert canonical(SOURCE.replace(old, new)) != canonical(SOURCE)


MATCH = "def f(x):\n    match x:\n        case {}: return {}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(a, b):\n    x = a; y = b\n    return x - y", "def f(a, b):\n    x = a; y = b\n    return y - x"),
        ("def f():\n    x = 1\n    return y", "def f():\n    y = 1\n    return y"),  # a shadowed global
        ("def f():\n    return [x for y in z]", "def f():\n    return [y for y in z]"),
        ("def f(x):\n    def g():\n        return x", "def f(x):\n    def g():\n        return y"),
        ("def f():\n    x: int\n    return x", "def f():\n    x\n    return x"),
        ("class A:\n    x = 1\n    def f(self): return x", "class A:\n    y = 1\n    def f(self): return y"),
        ("class A:\n    x = 1", "class A:\n    y = 1"),
        ("def f():\n    x = 1\n    return locals()", "def f():\n    y = 1\n    return locals()"),
        ("def f():\n    x = 1\n    return eval('x')", "def f():\n    y = 1\n    return eval('x')"),
        ("def f():\n    x = 1\n    return f'{x=}'", "def f():\n    y = 1\n    return f'{y=}'"),
        ("def f(x): return x\nf(x=1)", "def f(y): return y\nf(x=1)"),
        ("f = lambda x: x", "f = lambda y: y"),
        ("def f(**x): return x", "def f(*x): return x"),
        ("def f():\n    'a'\nprint(f.__doc__)", "def f():\n    'b'\nprint(f.__doc__)"),
        ("if TYPE_CHECKING:\n    x = 1", ""),
        ("from typing import TYPE_CHECKING\nTYPE_CHECKING = 1\nif TYPE_CHECKING:\n    x = 1", "TYPE_CHECKING = 1"),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    x = 1\nelse:\n    x = 2",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    x = 1\nelse:\n    x = 3",
        ),
        ("from mmbench.a import f\nfrom torch import f", "from torch import f\nfrom mmbench.a import f"),
        ("from typing import List as T", "from typing import Tuple as T"),
        ("@register\ndef f(x: int): ...", "@register\ndef f(x: str): ..."),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("x = a.b.c", "x = a.c.b"),
        ("f(about='one')", "f(about='two')"),
        ("x = {**a, 'b': 1}", "x = {'b': 1, **a}"),
        ("x = a[1:]", "x = a[:1]"),
        ("x = '$0'", "def f():\n    y = 1"),
        ("def f():\n    y = 1\n    return '$0'", "def f():\n    y = 1\n    return y"),
        ("match x:\n    case [a, b]: y = a", "match x:\n    case [b, a]: y = a"),
        (
            "def f(x):\n    match x:\n        case [a, b]: return a",
            "def f(x):\n    match x:\n        case [a, b]: return b",
        ),
        (
            "def f(x):\n    match x:\n        case {'k': a, **b}: return a",
            "def f(x):\n    match x:\n        case {'k': a, **b}: return b",
        ),
        ("def f(x):\n    if (y := x): return y", "def f(x):\n    if (y := x): return x"),
        ("async def f(): pass", "def f(): pass"),
        ("def f():\n    yield 1", "def f():\n    return 1"),
    ],
)
def test_planted_pairs_are_told_apart(one, other):
    assert canonical(one) != canonical(other)


def test_a_class_in_a_function_reads_the_modules_name_and_not_the_functions():
    """``x = x`` in a class body never reads a variable of the function around it."""
    inner = "def f():\n    x = 1\n    class A:\n        {0} = x\n    return A.{0}"
    assert canonical(inner.format("x")) != canonical(inner.format("y"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_formatting_changes_no_text(module):
    source = module.read_text(encoding="utf-8")
    assert canonical(ast.unparse(ast.parse(source))) == canonical(source)


PROGRAM = """
y = "global"
def counter(start, /, step=1):
    count = start
    def advance(*many):
        nonlocal count
        count += step + sum(m for m in many)
        return count
    return advance
def scopes(items):
    found = [y for y in items if (last := y)]
    table = {key: [key * inner for inner in items] for key in items}
    class Box:
        y = y
        size = len(found)
        last = "of the class"
        def get(self, found=found):
            return found, y, last
    with Manager() as held, Manager():
        total = held
    for a, (b, *c) in [(1, (2, 3, 4))]:
        total += a * b
    try:
        raise ValueError("x")
    except ValueError as error:
        text = str(error)
    match items:
        case [first, *others, {"k": k, **more}]: shape = (first, others, k, more)
        case [first, *others] as whole: shape = (first, others, whole)
    def mark():
        global seen
        seen = len(items)
        return (lambda: seen)()
    f = lambda z, /, w=total: z * w + last
    del b
    return found, table, Box.y, Box.size, Box().get(), total, text, shape, f(2), c, y, mark()
class Manager:
    __slots__ = ()
    def __enter__(self): __private = 3; return __private
    def __exit__(self, *what): return None
one = counter(5, step=2)
result = [one(), one(1, 2), scopes([1, 2, 3]), scopes([1, 2, {"k": 1, "l": 2}][:2]), seen]
"""


def test_a_renamed_program_does_the_same():
    tree = ast.parse(PROGRAM)
    rename_locals(tree)
    written = ast.unparse(tree)
    assert "$" in written
    assert "count " not in written
    plain, renamed = {}, {}
    exec(PROGRAM, plain)
    exec(written.replace("$", "renamed_"), renamed)
    assert plain["result"] == renamed["result"]


def test_several_threads_parse_while_the_collector_calls_back():
    texts = [path.read_text() for path in MODULES[:24]] * 4

    def yields(phase, info):
        time.sleep(0)

    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    gc.callbacks.append(yields)
    gc.set_threshold(20)
    try:
        with ThreadPoolExecutor(4) as pool:
            trees = list(pool.map(parsed, texts))
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*threshold)
        gc.callbacks.remove(yields)
    assert [ast.unparse(tree) for tree in trees[:24]] == [ast.unparse(ast.parse(text)) for text in texts[:24]]
