"""Whether torch can compute on a device here."""

from __future__ import annotations

from mmbench.errors import BadSpec


def require_device(device: str) -> None:
    """Raise BadSpec where torch has no such device on this machine. Of ``cpu`` it is known without importing torch."""
    if device == "cpu":
        return
    import torch

    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # AssertionError: torch without CUDA
        why = str(error).strip().partition("\n")[0]
        raise BadSpec(f"device {device!r} cannot be used here ({why}); give another, such as cpu or cuda:0") from None
