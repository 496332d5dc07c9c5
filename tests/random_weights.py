"""Random weights of a network's real shapes, for files that no test may download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def random_state(build: Callable[[], Any], seed: int = 0) -> dict[str, Any]:
    """A state dict of what ``build`` makes, with random values that keep features finite and apart.

    Nothing is initialised, which for large networks takes longer than all the rest.
    """
    import torch

    with torch.device("meta"):
        module = build()
    generator = torch.Generator().manual_seed(seed)
    return {key: _random(key, tuple(value.shape), value.dtype, generator) for key, value in module.state_dict().items()}


def _random(key: str, shape: tuple[int, ...], dtype: Any, generator: Any) -> Any:
    import torch

    if not dtype.is_floating_point:
        return torch.zeros(shape, dtype=dtype)
    if key.endswith("running_var"):
        return 1 + 0.2 * torch.rand(shape, generator=generator)
    noise = torch.randn(shape, generator=generator)
    if key == "logit_scale":
        return torch.tensor(4.6)
    if len(shape) < 2:
        return 0.1 * noise + (1.0 if key.endswith(("weight", "gain")) else 0.0)
    fan_in = noise[0].numel()
    return noise * (1.5 / fan_in) ** 0.5
