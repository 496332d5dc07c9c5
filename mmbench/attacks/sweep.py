"""PGD from a random start at several epsilons as one problem, which stops where an image is broken.

``mmbench.attacks.pgd`` holds the attack itself (Madry et al. 2018, section 2.1); this module runs it for many pairs of
image and epsilon side by side. Devillers et al. 2021, section 3.4, report such sweeps.

An image is broken at an epsilon when its clean version, or an adversarial image that the attack passed at this or a
smaller epsilon of the sweep, is classified as the attack wants. The ball of the smaller epsilon lies in the larger
one, so the same adversarial image counts there: success never falls as epsilon grows, by construction.

``rule`` says at which epsilons an image is attacked. "halving" (the default) looks for the smallest epsilon that breaks
it by halving what is left: after a success larger epsilons are decided, as above, and after a failure smaller ones are
taken as failures too, which is true of a perfect attack and nearly always of this one (the tests compare). "all" makes
no use of failures. "alone" attacks at each epsilon by itself, and neither the clean image nor other epsilons count:
what a library gives that attacks one epsilon at a time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from mmbench.attacks.pgd import Norm, Threat, lengths, projected
from mmbench.errors import BadSpec, NoGradients

if TYPE_CHECKING:
    from torch import Tensor

    Logits = Callable[[Tensor], Tensor]

Rule = Literal["halving", "all", "alone"]
MOST_PAIRS = 128  # pairs of image and epsilon worked on at a time, at most


@dataclass(frozen=True)
class Sweep:
    """How to attack: ``steps`` steps of ``relative_step`` times epsilon, at each of ``epsilons`` (pixels in [0, 1]).

    ``relative_step`` 0.025 with 100 steps is the setting of Devillers et al. 2021. Raises BadSpec for epsilons that do
    not rise or are negative or not finite, an unknown norm, and steps that cannot be.
    """

    norm: Norm
    epsilons: tuple[float, ...]
    steps: int = 100
    relative_step: float = 0.025

    def __post_init__(self) -> None:
        if not self.epsilons:
            raise BadSpec("a sweep needs at least one epsilon, got none")
        for epsilon in self.epsilons:
            Threat(self.norm, epsilon)
        if any(later <= earlier for earlier, later in itertools.pairwise(self.epsilons)):
            raise BadSpec(
                f"the epsilons of a sweep must rise, each above the one before it; got {list(self.epsilons)}; "
                "sort them and name each once"
            )
        if self.steps < 0:
            raise BadSpec(f"an attack takes 0 or more steps, got {self.steps}")
        if not (math.isfinite(self.relative_step) and self.relative_step > 0):
            raise BadSpec(f"the relative step of an attack must be above 0, got {self.relative_step}")


@dataclass(frozen=True)
class Swept:
    """What a sweep found, by epsilon and image.

    ``classes`` int64 ``[epsilons, n]``: the class of the adversarial image, or of the clean one where there was no need
    to attack. ``broken`` bool ``[epsilons, n]``: it is another than the label or, in a targeted attack, the target.
    ``stuck`` bool ``[epsilons, n]``: the loss had no gradient at all where the attack stood, or none that is finite, so
    that it could not go on. ``images`` float ``[epsilons, n, 3, h, w]``, where they were asked for.
    """

    classes: Tensor
    broken: Tensor
    stuck: Tensor
    images: Tensor | None = None


def sweep(
    logits: Logits,
    images: Tensor,
    labels: Tensor,
    how: Sweep,
    starts: Tensor,
    *,
    targets: Tensor | None = None,
    rule: Rule = "halving",
    keep_images: bool = False,
    most_pairs: int = MOST_PAIRS,
) -> Swept:
    """Attack each of ``images`` float ``[n, 3, h, w]`` in [0, 1] over the epsilons of ``how``.

    ``logits``, ``labels`` and ``targets`` are those of ``pgd``. ``starts``, like ``images``, are changes within the
    ball of epsilon 1; an attack starts from the image plus epsilon times its start. The logits of a gradient step also
    say whether the image is broken, so there is no second forward pass. At most ``most_pairs`` pairs of image and
    epsilon are worked on at a time; those that are decided make room for others. What is found for an image does not
    depend on the images beside it, up to rounding.

    Raises BadSpec for targets that are labels and pixels outside of [0, 1], NoGradients where logits have none.
    """
    if rule not in get_args(Rule):
        raise BadSpec(f"the rule of a sweep is one of {', '.join(get_args(Rule))}, not {rule!r}")
    _check(images, labels, targets)
    return _Run(logits, images.detach(), labels, how, starts, targets, rule, keep_images).run(most_pairs)


class _Run:
    """The state of a sweep: pairs that are worked on, and what was found of those that are decided.

    By image, ``first`` is the smallest epsilon (by its number) that is known to break it, and ``held`` the largest at
    which the attack failed.
    """

    def __init__(
        self,
        logits: Logits,
        images: Tensor,
        labels: Tensor,
        how: Sweep,
        starts: Tensor,
        targets: Tensor | None,
        rule: Rule,
        keep_images: bool,
    ) -> None:
        import torch

        self.logits, self.clean, self.labels, self.targets = logits, images, labels, targets
        self.how, self.starts, self.rule, self.monotone = how, starts, rule, rule != "alone"
        n, levels = len(images), len(how.epsilons)
        self.radius = torch.tensor(how.epsilons, dtype=images.dtype, device=images.device)
        self.limit = torch.where(self.radius > 0, how.steps, 0)
        self.first = torch.full((n,), levels, device=images.device)
        self.held = torch.full((n,), -1, device=images.device)
        self.classes = labels.new_zeros((levels, n))
        self.stuck = torch.zeros((levels, n), dtype=torch.bool, device=images.device)
        self.found = images.expand(levels, *images.shape).clone() if keep_images else None

    def run(self, most_pairs: int) -> Swept:
        import torch

        waiting = self._first_pairs(most_pairs)
        of, at, step, here = waiting[0][:0], waiting[0][:0], waiting[0][:0], self.clean[:0]
        while len(waiting[0]) or len(of):
            room = most_pairs - len(of)
            (rows, levels), waiting = (each[:room] for each in waiting), tuple(each[room:] for each in waiting)
            of, at, step = torch.cat((of, rows)), torch.cat((at, levels)), torch.cat((step, torch.zeros_like(rows)))
            begun = self.clean[rows] + self._radius(levels) * self.starts[rows]
            here = torch.cat((here, self._projected(rows, levels, begun)))
            kept, here = self._step(of, at, step, here)
            if self.rule == "halving":
                gone = torch.ones_like(of, dtype=torch.bool)
                gone[kept] = False
                waiting = tuple(torch.cat(both) for both in zip(waiting, self._next(of[gone]), strict=True))
            of, at, step = of[kept], at[kept], step[kept] + 1
        return self._swept()

    def _first_pairs(self, most_pairs: int) -> tuple[Tensor, Tensor]:
        """Numbers of images and of epsilons to begin with. An epsilon of 0 is decided by the clean image."""
        import torch

        rows, levels = torch.arange(len(self.clean)), torch.arange(len(self.radius))
        if self.monotone:
            rows = self._not_broken_clean(most_pairs)
            self.held[rows] = int((self.radius == 0).sum()) - 1
            levels = levels[self.radius.cpu() > 0]
        rows, levels = rows.to(self.clean.device), levels.to(self.clean.device)
        if self.rule == "halving":
            return self._next(rows)
        return rows.repeat_interleave(len(levels)), levels.repeat(len(rows))

    def _next(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Of these images, those that are not decided at all epsilons, and the epsilon half way between."""
        rows = rows[self.first[rows] - self.held[rows] > 1]
        return rows, (self.first[rows] + self.held[rows]) // 2

    def _step(self, of: Tensor, at: Tensor, step: Tensor, here: Tensor) -> tuple[Tensor, Tensor]:
        """One step of all pairs: which of them go on, and where these stand then."""
        import torch
        from torch.nn import functional as F

        spent = step >= self.limit[at]
        rows, scores, classes = self._classified(here, spent)
        won = self._wins(classes, of)
        self._note(of, at, classes, here, won, spent & ~won)
        going = ~(won | spent)
        if self.rule == "all":
            going &= at < self.first[of]
        kept = going.nonzero()[:, 0]
        if not len(kept):
            return kept, here[:0]
        _require_gradients(scores)
        wanted = self.labels if self.targets is None else self.targets
        among = going[~spent].nonzero()[:, 0]  # the same pairs as rows of ``rows`` and ``scores``
        loss = F.cross_entropy(scores[among], wanted[of[kept]], reduction="sum")
        (slope,) = torch.autograd.grad(loss, rows)
        slope = slope[among]
        largest = slope.flatten(1).abs().amax(dim=1)
        dead = ~((largest > 0) & largest.isfinite())
        if bool(dead.any()):
            failing = kept[dead]
            self.stuck[at[failing], of[failing]] = True
            failed = torch.ones_like(failing, dtype=torch.bool)
            self._note(of[failing], at[failing], classes[failing], here[failing], ~failed, failed)
            kept, slope = kept[~dead], slope[~dead]
        direction = slope.sign() if self.how.norm == "linf" else slope / lengths(slope)
        stride = self._radius(at[kept]) * (self.how.relative_step if self.targets is None else -self.how.relative_step)
        return kept, self._projected(of[kept], at[kept], here[kept] + stride * direction)

    def _classified(self, here: Tensor, spent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The images that may take a step more, their logits with a graph to them, and the class of every image.

        What is ``spent`` is classified by itself: a backward pass over a batch pays for all of its images.
        """
        import torch

        rows, classes = here[~spent].requires_grad_(True), self.labels.new_empty(len(here))
        with torch.enable_grad():
            scores = self.logits(rows) if len(rows) else rows
        if len(rows):
            classes[~spent] = scores.detach().argmax(dim=1)
        if len(rows) < len(here):
            with torch.no_grad():
                classes[spent] = self.logits(here[spent]).argmax(dim=1)
        return rows, scores, classes

    def _wins(self, classes: Tensor, of: Tensor) -> Tensor:
        return classes != self.labels[of] if self.targets is None else classes == self.targets[of]

    def _note(self, of: Tensor, at: Tensor, classes: Tensor, here: Tensor, won: Tensor, failed: Tensor) -> None:
        """Note the pairs that are decided now."""
        if self.monotone:
            self.first.scatter_reduce_(0, of[won], at[won], "amin")
            self.held.scatter_reduce_(0, of[failed], at[failed], "amax")
        done = won | failed
        self.classes[at[done], of[done]] = classes[done]
        if self.found is not None:
            self.found[at[done], of[done]] = here.detach()[done]

    def _not_broken_clean(self, most_pairs: int) -> Tensor:
        """Row numbers of the images that their clean version does not break; notes the classes of all."""
        import torch

        rows = torch.arange(len(self.clean), device=self.clean.device)
        with torch.no_grad():
            parts = [self.logits(part).argmax(dim=1) for part in self.clean.split(most_pairs)]
        classes = torch.cat(parts) if parts else self.labels
        self.classes[:] = classes
        won = self._wins(classes, rows)
        self.first[won] = 0
        return rows[~won]

    def _radius(self, at: Tensor) -> Tensor:
        return self.radius[at].view(-1, 1, 1, 1)

    def _projected(self, of: Tensor, at: Tensor, changed: Tensor) -> Tensor:
        """As ``pgd.projected``, with a radius for each row."""
        clean, radius = self.clean[of], self._radius(at)
        change = changed - clean
        if self.how.norm == "linf":
            change = change.clamp(-radius, radius)
        else:
            change = change * (radius / lengths(change)).clamp(max=1)
        return (clean + change).clamp_(0, 1)

    def _swept(self) -> Swept:
        """The adversarial image of the smallest epsilon that breaks counts at larger ones, unless each is "alone".

        It is the same whatever ran beside it: no smaller epsilon broke the image, so its own attack ran until it did.
        """
        import torch

        if self.monotone:
            levels = torch.arange(len(self.radius), device=self.first.device)[:, None]
            source = torch.minimum(levels, self.first[None]).clamp(max=len(levels) - 1)
            self.classes = self.classes.gather(0, source)
            self.stuck &= levels < self.first
            broken = levels >= self.first
            if self.found is not None:
                self.found = self.found[source, torch.arange(len(self.clean), device=source.device)]
        else:
            broken = self._wins(self.classes, torch.arange(len(self.labels), device=self.labels.device))
        return Swept(self.classes, broken, self.stuck, self.found)


def losses_by_step(
    logits: Logits, images: Tensor, labels: Tensor, how: Sweep, starts: Tensor, targets: Tensor | None = None
) -> Tensor:
    """The cross-entropy that an untargeted attack raises, after each step: float ``[steps + 1, n]``, in nats.

    Of one epsilon, and with every step taken, so that it shows whether more steps help. With ``targets`` it is that of
    the targets, which the attack lowers. Raises BadSpec for several epsilons and what ``sweep`` refuses, NoGradients
    where logits have none.
    """
    import torch
    from torch.nn import functional as F

    if len(how.epsilons) != 1:
        raise BadSpec(f"losses by step are those of one epsilon, got {list(how.epsilons)}")
    _check(images, labels, targets)
    threat = Threat(how.norm, how.epsilons[0])
    wanted, sign = (labels, 1.0) if targets is None else (targets, -1.0)
    clean, found = images.detach(), []
    here = projected(clean, clean + starts * threat.epsilon, threat)
    for step in range(how.steps + 1):
        last = step == how.steps
        with torch.set_grad_enabled(not last):
            here = here.detach().requires_grad_(not last)
            losses = F.cross_entropy(logits(here), wanted, reduction="none")
        found.append(losses.detach())
        if not last:
            _require_gradients(losses)
            (slope,) = torch.autograd.grad(losses.sum(), here)
            direction = slope.sign() if how.norm == "linf" else slope / lengths(slope)
            moved = here.detach() + sign * how.relative_step * threat.epsilon * direction
            here = projected(clean, moved, threat)
    return torch.stack(found)


def has_gradient(logits: Logits, images: Tensor, labels: Tensor) -> Tensor:
    """Whether the cross-entropy of each image has a gradient to its pixels, finite and not 0 everywhere: bool ``[n]``.

    Raises NoGradients where logits have none at all.
    """
    import torch
    from torch.nn import functional as F

    with torch.enable_grad():
        given = images.detach().requires_grad_(True)
        scores = logits(given)
        _require_gradients(scores)
        (slope,) = torch.autograd.grad(F.cross_entropy(scores, labels, reduction="sum"), given)
    largest = slope.flatten(1).abs().amax(dim=1)
    return (largest > 0) & largest.isfinite()


def _require_gradients(scores: Tensor) -> None:
    if not scores.requires_grad:
        raise NoGradients(
            "an attack needs gradients from logits to pixels, and these logits have none; compute them with torch "
            "from the images that are given, without detach() and outside of no_grad()"
        )


def shifted_targets(labels: Tensor, classes: int, share: float = 0.8) -> Tensor:
    """The class that each image is to be taken for: ``share`` of all classes further on, as int64 ``[n]``.

    The code of Devillers et al. 2021 adds 800 to the label, modulo the 1,000 classes of ImageNet. Raises BadSpec where
    the target would be the label: with one class.
    """
    shift = int(classes * share)
    if shift % max(classes, 1) == 0:
        raise BadSpec(
            f"with {classes} classes a target of {share:g} x classes further on is the label itself; "
            "a targeted attack needs at least 2 classes and a share between 0 and 1"
        )
    return (labels + shift) % classes


def _check(images: Tensor, labels: Tensor, targets: Tensor | None) -> None:
    if images.ndim != 4 or not images.dtype.is_floating_point:
        raise BadSpec(f"expected float images [n, 3, h, w], got {images.dtype} {list(images.shape)}")
    if len(images) and not (float(images.min()) >= 0 and float(images.max()) <= 1):
        raise BadSpec(
            f"expected pixels in [0, 1], got values from {float(images.min()):.3g} to {float(images.max()):.3g}; "
            "give images before their normalisation, and normalise inside of logits"
        )
    if targets is not None and bool((targets == labels).any()):
        same = int((targets == labels).sum())
        raise BadSpec(
            f"{same} of {len(labels)} targets are the labels of their images, which are no attack; name another class "
            "for each"
        )
