"""Small things that probes and trained heads share: late torch tensors, unit rows, and blocks of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = Any  # torch.Tensor; torch is imported inside functions only

BLOCK = 2**22
"""Elements of the largest temporary block of a probe (16 MB in float32): memory does not grow with trials."""


def blocks(total: int, each: int, limit: int = BLOCK) -> Iterator[slice]:
    """Slices over ``total`` things of ``each`` elements, none holding more than ``limit`` elements (but one thing)."""
    step = max(1, limit // max(each, 1))
    return (slice(start, min(start + step, total)) for start in range(0, total, step))


def to_tensor(array: NDArray[Any], device: str) -> Tensor:
    """A float32 or integer copy of ``array`` on ``device``; read-only and memory-mapped arrays are welcome."""
    import torch

    return torch.from_numpy(np.array(array, dtype=np.float32 if array.dtype.kind == "f" else None)).to(device)


def unit_rows(x: Tensor) -> Tensor:
    """``x`` divided by the Euclidean norm of its last axis; a zero row stays zero, as in scikit-learn."""
    import torch

    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / norm.masked_fill(norm == 0, 1.0)
