"""Projected gradient descent: adversarial images within a ball around the given ones (Madry et al. 2018, section 2.1).

Images are float ``[n, 3, h, w]`` with pixels in [0, 1], and so are epsilons and step sizes, whatever normalisation the
encoder begins with. The zoo's adversarial recipes hash this module into their weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from mmbench.errors import BadSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Norm = Literal["l2", "linf"]


@dataclass(frozen=True)
class Threat:
    """How far an image may be changed: ``epsilon`` in the L2 norm of all its pixels together or in Linf, of each.

    Raises BadSpec for another norm, or an epsilon that is negative or not finite.
    """

    norm: Norm
    epsilon: float

    def __post_init__(self) -> None:
        if self.norm not in get_args(Norm):
            raise BadSpec(f"the norm of an attack is 'l2' or 'linf', not {self.norm!r}")
        if not (math.isfinite(self.epsilon) and self.epsilon >= 0):
            raise BadSpec(f"the epsilon of an attack must be 0 or more, got {self.epsilon}; pixels lie in [0, 1]")


def pgd(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    epsilon: float,
    steps: int,
    step_size: float,
    random_start: bool = True,
    targets: Tensor | None = None,
    generator: torch.Generator | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Images within ``epsilon`` of ``images`` and in [0, 1] that ``logits`` takes for other classes than ``labels``.

    ``logits`` maps images ``[n, 3, h, w]`` to scores ``[n, classes]`` and must treat each image alone (evaluation
    mode), so that each is attacked alone. ``labels`` and ``targets`` are int64 ``[n]``. Each step goes ``step_size``
    along the sign of the gradient (``"linf"``) or along the gradient (``"l2"``), so that the cross-entropy of the
    labels rises or, with ``targets``, that of the targets falls; then back into the ball and into [0, 1].

    The first step starts from ``images`` plus a random change within the ball, drawn with ``generator``: uniform for
    Linf, of uniform direction and length for L2; or plus ``start``, as large as ``images``; or from ``images``.

    Raises BadSpec for a setting that cannot be and for pixels outside of [0, 1].
    """
    import torch
    from torch.nn import functional as F

    threat = Threat(norm, epsilon)
    _check(images, steps, step_size)
    clean = images.detach()
    if start is None and random_start:
        start = random_change(clean, threat, generator)
    changed = clean if start is None else projected(clean, clean + start, threat)
    wanted, stride = (labels, step_size) if targets is None else (targets, -step_size)
    for _ in range(steps):
        changed = changed.detach().requires_grad_(True)
        with torch.enable_grad():
            loss = F.cross_entropy(logits(changed), wanted, reduction="sum")
            (slope,) = torch.autograd.grad(loss, changed)
        direction = slope.sign() if norm == "linf" else slope / lengths(slope)
        changed = projected(clean, changed.detach() + stride * direction, threat)
    return changed.detach()


def projected(images: Tensor, changed: Tensor, threat: Threat) -> Tensor:
    """The image of the ball around each of ``images`` that is nearest to ``changed``, then cut to [0, 1].

    Cutting brings an image nearer to that of ``images``, so it stays in the ball.
    """
    change = changed - images
    if threat.norm == "linf":
        change = change.clamp(-threat.epsilon, threat.epsilon)
    else:
        change = change * (threat.epsilon / lengths(change)).clamp(max=1)
    return (images + change).clamp_(0, 1)


def random_change(images: Tensor, threat: Threat, generator: torch.Generator | None = None) -> Tensor:
    """A random change of each image within the ball; drawn on the generator's device, so that it is the same on all."""
    import torch

    device = images.device if generator is None else generator.device

    def drawn(draw: Callable[..., Tensor], *shape: int) -> Tensor:
        return draw(shape, generator=generator, device=device, dtype=images.dtype).to(images.device)

    if threat.norm == "linf":
        return (2 * drawn(torch.rand, *images.shape) - 1) * threat.epsilon
    change = drawn(torch.randn, *images.shape)
    return change / lengths(change) * threat.epsilon * drawn(torch.rand, len(images), 1, 1, 1)


def lengths(images: Tensor) -> Tensor:
    """The L2 norm of each image, float ``[n, 1, 1, 1]``, at least 1e-12 so that one can divide by it."""
    return images.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)


def _check(images: Tensor, steps: int, step_size: float) -> None:
    if steps < 0:
        raise BadSpec(f"an attack takes 0 or more steps, got {steps}")
    if not (math.isfinite(step_size) and step_size >= 0):
        raise BadSpec(f"the step size of an attack must be 0 or more, got {step_size}")
    if images.ndim != 4 or not images.dtype.is_floating_point:
        raise BadSpec(f"expected float images [n, 3, h, w], got {images.dtype} {list(images.shape)}")
    if len(images) and not (float(images.min()) >= 0 and float(images.max()) <= 1):
        raise BadSpec(
            f"expected pixels in [0, 1], got values from {float(images.min()):.3g} to {float(images.max()):.3g}; "
            "give images before their normalisation, and normalise inside of logits"
        )
