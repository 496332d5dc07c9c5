"""Whether torch can compute on a device here, and whether a precision pays there."""

from __future__ import annotations

import functools
import warnings

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


@functools.cache
def warn_of_slow_precision(device: str, precision: str) -> None:
    """Warn, once, where a processor has no instructions for ``precision`` and computes it several times as slowly."""
    if not device.startswith("cpu") or precision == "float32":
        return
    import torch

    known = {"bf16": "_is_mkldnn_bf16_supported", "fp16": "_is_mkldnn_fp16_supported"}
    supported = getattr(torch.ops.mkldnn, known[precision], None)
    if supported is not None and not supported():
        warnings.warn(
            f"this processor has no instructions for {precision}: encoding takes several times as long as in float32, "
            "and gains nothing; leave --mmbench-precision out, or name a GPU with --mmbench-device",
            stacklevel=2,
        )
