"""Outcomes in memory and in the file beside a record: every float32 comes back bit by bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load

from mmbench.records.outcome_codec import pack
from mmbench.records.outcomes import Outcomes, as_outcomes, encode

VALUES = st.sampled_from([0.0, -0.0, 1.0, 0.5, 2.0, 255.0, 256.0, float("nan"), float("inf")])
ARRAYS = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=VALUES)


@given(ARRAYS)
def test_every_bit_comes_back(array):
    (again,) = load(encode({"a": array})).values()
    assert again.astype(np.float32).tobytes() == array.tobytes()


def test_right_and_wrong_take_a_byte_each():
    hits = np.array([[0, 1, 1]], np.float32)
    found = load(encode({"hits": hits, "f1": hits / 3, "zero": -0.0 * hits}))
    assert {name: array.dtype for name, array in found.items()} == {
        "hits": np.uint8, "f1": np.float32, "zero": np.float32
    }  # fmt: skip


def test_equal_outcomes_make_equal_files_in_any_order():
    a, b = np.ones((1, 2), np.float32), np.zeros((1, 2), np.float32)
    assert encode({"a": a, "b": b}) == encode({"b": b, "a": a})


def test_outcomes_are_loaded_once_and_compared_by_their_bits():
    calls = []
    array = np.array([[0.0, 1.0]], np.float32)
    lazy = Outcomes(lambda: calls.append(1) or array)
    assert calls == []
    assert lazy == as_outcomes(array) == as_outcomes(pack(array))
    assert lazy.array is array
    assert calls == [1]
    assert lazy != as_outcomes(-array)
    assert lazy != as_outcomes(array.T)
    assert lazy != array.tolist()


def test_outcomes_cannot_be_hashed():
    with pytest.raises(TypeError, match="unhashable"):
        hash(as_outcomes(np.ones((1, 1), np.float32)))
