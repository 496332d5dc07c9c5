"""PGD at several epsilons, untargeted and targeted, in two norms (Devillers et al. 2021, section 3.4, Fig. 6).

Cells that differ in epsilon only are solved as one sweep (``mmbench.attacks.sweep``), so that an image which is broken
at a smaller epsilon counts as broken at the larger ones. A sweep has all epsilons of the figure, whichever are asked
for, so that a cell does not depend on the cells that are asked for beside it. Random noise of the same size is the
baseline.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.attacks.pgd import Norm, Threat
from mmbench.attacks.sweep import MOST_PAIRS, Sweep, sweep
from mmbench.errors import BadSpec
from mmbench.inputs.pixels import Pixels, seed_of
from mmbench.probes.attack import classes, start
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.seeds import trial_seeds
from mmbench.training.tensors import Tensor, to_tensor

Change = Literal["pgd", "noise"]
SIDE = 64  # pixels: images of this side are attacked MOST_PAIRS at a time, larger ones fewer
BLOCKS = 2  # the state is kept each time so many times MOST_PAIRS images are done
LINF_PUBLISHED = (0.0, 1e-4, 2e-4, 5e-4, 8e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0)  # the code's list
L2_OURS = (
    0.0,
    0.025,
    0.075,
    0.15,
    0.25,
    0.4,
    0.75,
    1.5,
    2.0,
    3.0,
    6.0,
    12.0,
)  # the authors' list for L2 is not published
EPSILONS: dict[Norm, tuple[float, ...]] = {"linf": LINF_PUBLISHED, "l2": L2_OURS}


@dataclass(frozen=True)
class SweepSettings(Settings):
    """The setting of Devillers et al. 2021 (section 3.4 and code): 1,000 images, 100 steps of 0.025 epsilon.

    ``epsilon`` is in units of pixels in [0, 1]. ``targeted``: an image is to be taken for the class 0.8 x classes after
    its own (the code adds 800 of 1,000), else for any class but its own. ``change`` "noise": no attack, but random
    signs (Linf) or a random direction (L2) of size epsilon. A lineup may lower ``images`` and ``steps``; steps are then
    longer, so that together they reach as far.
    """

    norm: Norm = "linf"
    epsilon: float = 0.01
    steps: int = 100
    relative_step: float = 0.025
    targeted: bool = False
    images: int = 1000
    change: Change = "pgd"

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.images, self.targeted)

    def within(self, reduced: Mapping[str, Any]) -> SweepSettings:
        """These settings with no more steps than the lineup's ``reduced`` allows."""
        steps = min(self.steps, int(reduced.get("steps", self.steps)))
        longer = self.relative_step * self.steps / max(steps, 1)
        return dataclasses.replace(self, steps=steps, relative_step=longer) if steps < self.steps else self


def attack_sweep(
    inputs: Pixels, settings: Sequence[SweepSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The class of each image after the change, int64 ``[trials, n]`` a setting; a trial is a seed of head and starts.

    Raises BadSpec for epsilons, steps, norms and changes that cannot be.
    """
    inputs.check()
    found: dict[tuple[SweepSettings, tuple[float, ...]], NDArray[np.int64]] = {}
    answers = []
    for s in settings:
        sweep_of = dataclasses.replace(s, epsilon=0.0), epsilons_with(s, inputs.reduced)
        if sweep_of not in found:
            seeds = enumerate(trial_seeds(seed, trials))
            by_trial = [_changed(inputs, *sweep_of, trial, trial_seed, device) for trial, trial_seed in seeds]
            found[sweep_of] = np.stack(by_trial, axis=1)
        answers.append(found[sweep_of][sweep_of[1].index(s.epsilon)])
    return answers


def epsilons_with(s: SweepSettings, reduced: Mapping[str, Any]) -> tuple[float, ...]:
    """The rising epsilons of the sweep that solves ``s``: the figure's, as far as the lineup has them, and its own."""
    figure, kept = EPSILONS.get(s.norm, ()), reduced.get("epsilon")
    return tuple(sorted({*(e for e in figure if kept is None or e in kept), s.epsilon}))


def _changed(
    inputs: Pixels, s: SweepSettings, epsilons: tuple[float, ...], trial: int, trial_seed: int, device: str
) -> NDArray[np.int64]:
    """Classes int64 ``[epsilons, n]`` of one trial."""
    if s.change == "noise":
        return _noisy(inputs, s, epsilons, trial, trial_seed, device)
    if s.change != "pgd":
        raise BadSpec(f"the change of a sweep is 'pgd' or 'noise', not {s.change!r}")
    return swept_classes(inputs, s, epsilons, trial, trial_seed, device)


def swept_classes(
    inputs: Pixels, s: SweepSettings, epsilons: tuple[float, ...], trial: int, trial_seed: int, device: str = "cpu"
) -> NDArray[np.int64]:
    """The sweep of one trial, int64 ``[epsilons, n]``, in blocks of images; a killed one goes on where it stood."""
    own = s.within(inputs.reduced)
    how = Sweep(own.norm, epsilons, own.steps, own.relative_step)
    images, labels = to_tensor(inputs.images, device), to_tensor(inputs.labels, device)
    targets = None if inputs.targets is None else to_tensor(inputs.targets, device)
    n, logits = len(images), inputs.logits(trial)
    pairs = most_pairs(images)
    found, done = np.zeros((len(epsilons), n), dtype=np.int64), 0
    checkpoint = inputs.checkpoint(json.dumps([dataclasses.asdict(own), epsilons, trial_seed, trial]))
    if (kept := checkpoint.resume()) is not None:
        found, done = kept["classes"], int(kept["done"].item())
    while done < n:
        part = slice(done, done + BLOCKS * pairs)
        starts = start(images[part], Threat(how.norm, 1.0), trial_seed, inputs.ids[part])
        wanted = None if targets is None else targets[part]
        swept = sweep(logits, images[part], labels[part], how, starts, targets=wanted, most_pairs=pairs)
        found[:, part] = swept.classes.cpu().numpy()
        done = min(n, part.stop)
        # what is finished is kept too: other probes look at the same sweep
        checkpoint.keep(lambda done=done: {"classes": found, "done": np.array(done)}, done=done == n)  # type: ignore[misc]
    return found


def most_pairs(images: Tensor) -> int:
    """How many images of this size are worked on at a time."""
    return max(1, MOST_PAIRS * SIDE**2 // (images.shape[2] * images.shape[3]))


def _noisy(
    inputs: Pixels, s: SweepSettings, epsilons: tuple[float, ...], trial: int, trial_seed: int, device: str
) -> NDArray[np.int64]:
    for epsilon in epsilons:
        Threat(s.norm, epsilon)
    logits, found = inputs.logits(trial), np.empty((len(epsilons), len(inputs.images)), dtype=np.int64)
    images = to_tensor(inputs.images, device)
    for first in range(0, len(images), most_pairs(images)):
        part = slice(first, first + most_pairs(images))
        directions = noise(images[part], s.norm, trial_seed, inputs.ids[part])
        for level, epsilon in enumerate(epsilons):
            found[level, part] = classes(logits, (images[part] + epsilon * directions).clamp_(0, 1))
    return found


def noise(images: Tensor, norm: Norm, trial_seed: int, ids: Sequence[str]) -> Tensor:
    """A change of size 1 for each image, drawn by trial and id alone: random signs, or a random direction in L2."""
    import torch

    drawn = [
        torch.randn(image.shape, generator=torch.Generator().manual_seed(seed_of(trial_seed, f"noise\0{name}")))
        for image, name in zip(images, ids, strict=True)
    ]
    found = torch.stack(drawn).to(images.device, images.dtype)
    return found.sign() if norm == "linf" else found / found.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


PROBES.add(
    Probe(
        "attack_sweep",
        attack_sweep,
        SweepSettings,
        inputs="pixels",
        takes="one",
        unnamed=False,
        costly=True,
        lowers=("images", "steps"),
        floor=False,
        side_by_side=True,
        title="Adversarial attacks at several epsilons (as Devillers et al. 2021, Fig. 6)",
        about="projected gradient descent from a random start over epsilons as one problem, and noise of the same size",
    )
)

# Claims ask for the mean over these. Beyond them, on small networks and on large ones, all models score alike.
JUDGED: dict[Norm, tuple[float, ...]] = {"linf": (1e-3, 1e-2, 5e-2), "l2": (0.25, 0.75, 2.0)}

UNTARGETED = PROTOCOLS.add(Protocol("rpgd_untargeted", "attack_sweep", SweepSettings(), "attack_success", trials=2))
TARGETED = PROTOCOLS.add(
    Protocol("rpgd_targeted", "attack_sweep", SweepSettings(targeted=True), "targeted_success", trials=2)
)
NOISE = PROTOCOLS.add(
    Protocol("noise_untargeted", "attack_sweep", SweepSettings(change="noise"), "attack_success", trials=2)
)
NOISE_TARGETED = PROTOCOLS.add(
    Protocol(
        "noise_targeted", "attack_sweep", SweepSettings(targeted=True, change="noise"), "targeted_success", trials=2
    )
)


def at_all(protocol: Protocol, norm: Norm, epsilons: Sequence[float] | None = None) -> tuple[Protocol, ...]:
    """The protocol in one norm at each of ``epsilons``; by default at all of the figure."""
    return protocol.over(norm=(norm,), epsilon=tuple(EPSILONS[norm] if epsilons is None else epsilons))


JUDGED_ATTACKS = {
    (kind, norm): at_all(protocol, norm, JUDGED[norm])
    for kind, protocol in (("untargeted", UNTARGETED), ("targeted", TARGETED))
    for norm in ("linf", "l2")
}
# Epsilon 0, the clean image, is the same in both norms, and is asked for in Linf. Noise hits a given target so seldom
# that it is asked for at the largest judged epsilon only.
FIGURE = (
    *(
        one
        for norm in ("linf", "l2")
        for protocol in (UNTARGETED, TARGETED)
        for one in at_all(protocol, norm, EPSILONS[norm] if norm == "linf" else EPSILONS[norm][1:])
    ),
    *(one for norm in ("linf", "l2") for one in at_all(NOISE, norm, EPSILONS[norm][1:])),
    *(one for norm in ("linf", "l2") for one in at_all(NOISE_TARGETED, norm, JUDGED[norm][-1:])),
)
