"""Weights in ten bits: what lets two dozen models be shipped, at no accuracy that could be measured.

A tensor is cut into groups of 256 values as they lie in memory; a group has one scale in half precision, and a value
is a whole multiple of it between -511 and 511. Eight bits of each stand in one array, the other two, of four values
a byte, in a second. The last group is filled up with zeros. Tensors that are no matrices, or smaller than a group, stay
as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GROUP = 256
MOST = 511
HIGH, LOW, SCALE, SHAPE = ":high", ":low", ":scale", ":shape"

Arrays = dict[str, NDArray[Any]]


def pack(tensors: Arrays) -> Arrays:
    """Float32 arrays by name, those of two and more axes in ten bits a value; others are passed through."""
    packed: Arrays = {}
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32 or tensor.ndim < 2 or tensor.size < GROUP:
            packed[name] = tensor
            continue
        values = np.pad(tensor.reshape(-1), (0, -tensor.size % GROUP)).reshape(-1, GROUP)
        scale = np.maximum(np.abs(values).max(axis=1, keepdims=True) / MOST, np.finfo(np.float16).tiny)
        scale = scale.astype(np.float16)
        whole = np.clip(np.rint(values / scale.astype(np.float32)), -MOST, MOST).astype(np.int16) + (MOST + 1)
        quarters = (whole.reshape(-1, 4) & 3).astype(np.uint8)
        packed[name + HIGH] = (whole.reshape(-1) >> 2).astype(np.uint8)
        packed[name + LOW] = np.bitwise_or.reduce(quarters << np.array([0, 2, 4, 6], np.uint8), axis=1)
        packed[name + SCALE] = scale[:, 0]
        packed[name + SHAPE] = np.array(tensor.shape, np.int64)
    return packed


def unpack(packed: Arrays) -> Arrays:
    """The arrays of ``pack`` as float32 again; floats that were passed through become float32 too.

    Raises KeyError or ValueError when the parts of a packed array are missing or do not fit each other.
    """
    parts = (HIGH, LOW, SCALE, SHAPE)
    tensors = {
        name: array.astype(np.float32) if array.dtype.kind == "f" else array
        for name, array in packed.items()
        if not name.endswith(parts)
    }
    for name in (key.removesuffix(HIGH) for key in packed if key.endswith(HIGH)):
        high, low, scale, shape = (packed[name + part] for part in parts)
        quarters = (low[:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
        whole = (high.astype(np.int16) << 2 | quarters.reshape(-1)) - (MOST + 1)
        values = whole.reshape(-1, GROUP) * scale.astype(np.float32)[:, None]
        if not 0 <= values.size - np.prod(shape) < GROUP:
            raise ValueError(f"{name} has {values.size} values for a shape of {shape.tolist()}")
        tensors[name] = values.astype(np.float32).reshape(-1)[: np.prod(shape)].reshape(shape)
    return tensors
