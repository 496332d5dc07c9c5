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


def warm_then_falling(step: int, warm: int, total: int) -> float:
    """The share of the learning rate at a step: rising over ``warm`` steps, then falling to 0 at ``total``.

    Of a training that is shorter than ten times ``warm`` a tenth is warm-up.
    """
    rising = max(1, min(warm, total // 10))
    return min((step + 1) / rising, (total - step) / max(1, total - rising))


def optimiser_state(network: Any, adam: Any, done: int) -> dict[str, NDArray[Any]]:
    """Everything that a fit with Adam needs to go on after ``done`` epochs."""
    state: dict[str, NDArray[Any]] = {"done": np.array(done)}
    for name, values in network.named_parameters():
        moments = adam.state[values]
        state |= {f"value.{name}": values.detach().cpu().numpy().copy()}
        state |= {f"{key}.{name}": moments[key].cpu().numpy().copy() for key in ("step", "exp_avg", "exp_avg_sq")}
    return state


def restore_optimiser(network: Any, adam: Any, state: dict[str, NDArray[Any]] | None) -> int:
    """Lay a kept state into network and optimiser; returns the number of epochs that are done."""
    import torch

    if state is None:
        return 0
    with torch.no_grad():
        for name, values in network.named_parameters():
            values.copy_(torch.from_numpy(np.array(state[f"value.{name}"])))
            adam.state[values] = {
                key: torch.from_numpy(np.array(state[f"{key}.{name}"])).to(values.device if key != "step" else "cpu")
                for key in ("step", "exp_avg", "exp_avg_sq")
            }
    return int(state["done"])
