"""What a callable was given, keeps or has as attribute counts; what nothing tells from another thing is refused."""

from __future__ import annotations

import functools
import json
import math
import random
import re
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmbench.probes.logistic
import mmbench.probes.spectral
from mmbench.errors import UnknownCode
from mmbench.program import code_of
from mmbench.program.kept import Kept


@dataclass
class Scaled:
    by: Any

    def __call__(self, x):
        return x

    def method(self, x):
        return x


class Slotted:
    __slots__ = ("by",)

    def __init__(self, by):
        self.by = by

    def __call__(self, x):
        return x


def enclosing(by):
    def inner(x):
        return by

    return inner


def one(x):
    return x


def two(x):
    return x


@functools.cache
def remembered(x):
    return x


ONE, TWO = Scaled(1), Scaled(2)
KEEPING = [Scaled, Slotted, enclosing, lambda by: Scaled(by).method, lambda by: functools.partial(one, by=by)]


def code(thing):
    return code_of([thing], {"probes"})


@pytest.mark.parametrize("keeping", KEEPING)
@pytest.mark.parametrize(
    ("this", "that"),
    [
        (1.0, 2.0),
        (1, True),
        ("a", "b"),
        ([1, 2], [2, 1]),
        ([1], (1,)),
        ({"a": 1}, {"a": 2}),
        (np.arange(3.0), np.arange(3.0)[::-1]),
        (np.arange(3), np.arange(3, dtype=np.int8)),
        (one, two),
        (math.sin, math.cos),
        (np.add, np.subtract),
        (Scaled(1), Scaled(2)),
        (Scaled(Scaled(1)), Scaled(Scaled(2))),
        (Scaled(1).method, Scaled(2).method),
        (Scaled, Slotted),
        (Slotted(1), Slotted(2)),
        (json, math),
        pytest.param(re.compile("a" * 300 + "b"), re.compile("a" * 300 + "c"), id="long patterns"),
        ([ONE, TWO, ONE], [ONE, TWO, TWO]),
        (remembered, one),
        (functools.partial(one, 1), functools.partial(one, 2)),
        (functools.partial(one, Scaled(1)), functools.partial(one, Scaled(2))),
        (mmbench.probes.logistic, mmbench.probes.spectral),
    ],
)
def test_what_is_kept_counts(keeping, this, that):
    assert code(keeping(this)) == code(keeping(this)) != code(keeping(that))


@given(st.recursive(st.integers() | st.text() | st.floats(), lambda part: st.lists(part) | st.sets(st.integers())))
def test_plain_values_have_one_reading(value):
    assert code(Scaled(value)) == code(Scaled(value))


def test_the_module_of_an_attribute_is_followed():
    """``MODULE.function`` of a user's object, whose file says nothing of the module's."""
    kept = Kept(lambda module: module.startswith("mmbench"))
    kept.main(Scaled(mmbench.probes.logistic))
    assert "mmbench.probes.logistic" in kept.modules
    kept.main(Scaled([mmbench.probes.spectral.__name__, code_of]))
    assert list(kept.modules) == ["mmbench.probes.logistic", "mmbench.program.digest"]


def test_which_function_of_a_users_file_is_taken_counts():
    assert code(one) != code(two)


@pytest.mark.parametrize("keeping", KEEPING)
@pytest.mark.parametrize("thing", [random.Random(1), object(), threading.Lock()])
def test_what_nothing_tells_from_another_is_refused(keeping, thing):
    kind = f"{type(thing).__module__}.{type(thing).__qualname__}"
    with pytest.raises(UnknownCode, match=f"keeps a {re.escape(kind)}, and nothing tells it from another one; keep"):
        code(keeping(thing))


def test_an_object_that_holds_itself_is_read_once():
    ring = Scaled(None)
    ring.by = ring
    assert code(ring) == code(ring)
