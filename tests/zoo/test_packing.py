"""Ten bits a weight: what comes back is within half a step of its group, and damage is reported."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmbench.errors import CorruptAsset
from mmbench.zoo import packing, weight_files

MATRICES = arrays(np.float32, (4, 128), elements=st.floats(-8, 8, width=32))


@given(MATRICES)
def test_a_value_moves_by_half_a_step_at_most(matrix):
    found = packing.unpack(packing.pack({"w": matrix}))["w"]
    assert found.shape == matrix.shape
    assert found.dtype == np.float32
    groups, back = matrix.reshape(-1, packing.GROUP), found.reshape(-1, packing.GROUP)
    step = np.maximum(np.abs(groups).max(axis=1, keepdims=True) / packing.MOST, np.finfo(np.float16).tiny)
    # a scale in half precision is off by 0.05 %, which at 511 steps is a quarter of a step more
    assert (np.abs(groups - back) <= 0.76 * step + 1e-9).all()


@given(MATRICES)
def test_packing_twice_changes_nothing_more(matrix):
    once = packing.unpack(packing.pack({"w": matrix}))["w"]
    twice = packing.unpack(packing.pack({"w": once}))["w"]
    np.testing.assert_allclose(twice, once, rtol=2e-3, atol=1e-6)


def test_a_weight_takes_ten_bits():
    packed = packing.pack({"w": np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)})
    assert sum(array.nbytes for array in packed.values()) / 256**2 < 1.27


def test_the_last_group_may_be_short():
    matrix = np.random.default_rng(0).standard_normal((29, 127)).astype(np.float32)
    packed = packing.pack({"w": matrix})
    assert sum(array.nbytes for array in packed.values()) < 1.35 * matrix.size
    np.testing.assert_allclose(packing.unpack(packed)["w"], matrix, atol=0.76 * np.abs(matrix).max() / packing.MOST)
    for shape in ((29, 128 + 127), (20, 127)):
        with pytest.raises(ValueError, match="values for a shape of"):
            packing.unpack(packed | {"w:shape": np.array(shape)})


def test_what_is_no_matrix_or_smaller_than_a_group_is_kept():
    plain = {"b": np.ones(5, np.float32), "n": np.array(3), "odd": np.ones((3, 9), np.float32)}
    packed = packing.pack(plain)
    assert packed.keys() == plain.keys()
    assert all(np.array_equal(packing.unpack(packed)[key], plain[key]) for key in plain)


@pytest.mark.parametrize("part", [packing.LOW, packing.SCALE, packing.SHAPE])
def test_a_missing_part_is_reported(part, tmp_path):
    from safetensors.numpy import load_file, save_file

    arrays = load_file(weight_files.path_of("rn50"))
    victim = next(key for key in arrays if key.endswith(part))
    del arrays[victim]
    save_file(arrays, tmp_path / "rn50.safetensors", metadata=weight_files.metadata("rn50"))
    with pytest.raises(CorruptAsset, match="'rn50' are packed wrongly"):
        weight_files.image_tower("rn50", tmp_path)
