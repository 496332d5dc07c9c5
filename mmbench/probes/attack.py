"""Adversarial attacks on an encoder under a linear head (Devillers et al. 2021, section 3.4).

The heads are ours, trained by the recipe of the linear probe on clean features: the paper's heads of CLIP and VirTex
were not published, and the zoo's networks have none for these classes. What is measured is the encoder with our head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.attacks.pgd import Norm, Threat, pgd, random_change
from mmbench.errors import BadSpec
from mmbench.inputs.pixels import Pixels, seed_of
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.seeds import trial_seeds
from mmbench.training.tensors import Tensor, to_tensor

BATCH = 100  # images attacked at a time: bounds memory, and changes no outcome


@dataclass(frozen=True)
class AttackSettings(Settings):
    """Projected gradient descent (PGD) from a random start, as the code of Devillers et al. 2021 has it for Linf.

    ``epsilon`` is in units of pixels in [0, 1]; the code's are 0, 1e-4 to 1e-3, 0.005, 0.01, 0.05, 0.1, 0.5 and 1, and
    those for L2 are not published. A step is ``relative_step`` times epsilon long. The code takes 100 steps of 0.025 on
    1,000 images; 10 steps of 0.25, which reach as far, on 100 images are ours, so that a cell takes seconds on a CPU.
    An epsilon of 0 leaves the images as they are. ``images`` test images are attacked, or all where there are fewer.
    D-06 (the code gives CLIP pixels under ImageNet's normalisation) is not reproduced: each encoder has its own.
    """

    norm: Norm = "linf"
    epsilon: float = 0.01
    steps: int = 10
    relative_step: float = 0.25
    targeted: bool = False
    images: int = 100

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.images,)


def attack(
    inputs: Pixels, settings: Sequence[AttackSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The class of each image after the attack, int64 ``[trials, n]``; a trial is a seed of the head and of the starts.

    An image starts where the trial's seed and its id say, at a distance in proportion to epsilon. The images beside it,
    their order and other settings change nothing. Raises BadSpec for a targeted attack.
    """
    inputs.check()
    for s in settings:
        if s.targeted:
            raise BadSpec(
                "a targeted attack succeeds where the target is predicted, and this probe compares with labels; set "
                "targeted=False, or take the probe attack_sweep, which has both"
            )
    images, labels = to_tensor(inputs.images, device), to_tensor(inputs.labels, device)
    found = [np.empty((trials, len(images)), dtype=np.int64) for _ in settings]
    for trial, trial_seed in enumerate(trial_seeds(seed, trials)):
        logits = inputs.logits(trial)
        for s, predictions in zip(settings, found, strict=True):
            for first in range(0, len(images), BATCH):
                part = slice(first, first + BATCH)
                starts = start(images[part], Threat(s.norm, s.epsilon), trial_seed, inputs.ids[part])
                changed = attacked(logits, images[part], labels[part], starts, s)
                predictions[trial, part] = classes(logits, changed)
    return found


def attacked(logits: Any, images: Tensor, labels: Tensor, starts: Tensor, s: AttackSettings) -> Tensor:
    """The images ``[n, 3, h, w]`` after the attack."""
    steps = s.steps if s.epsilon else 0
    stride = s.relative_step * s.epsilon
    how = {"norm": s.norm, "epsilon": s.epsilon, "steps": steps, "step_size": stride, "start": starts}
    return pgd(logits, images, labels, **how)


def start(images: Tensor, threat: Threat, trial_seed: int, ids: Sequence[str]) -> Tensor:
    """The change of each image that the attack begins with, like ``images``."""
    import torch

    generators = [torch.Generator().manual_seed(seed_of(trial_seed, name)) for name in ids]
    rows = images.split(1)
    return torch.cat([random_change(row, threat, one) for row, one in zip(rows, generators, strict=True)])


def classes(logits: Any, images: Tensor) -> NDArray[np.int64]:
    """The class with the highest logit of each image, int64 ``[n]``."""
    import torch

    with torch.no_grad():
        found: NDArray[np.int64] = logits(images).argmax(dim=1).cpu().numpy()
    return found


PROBES.add(
    Probe(
        "attack",
        attack,
        AttackSettings,
        inputs="pixels",
        takes="one",
        unnamed=False,
        costly=True,
        lowers=("images",),
        side_by_side=True,
        title="Adversarial attacks by PGD, through linear heads of ours",
        about="projected gradient descent on pixels, through the encoder and a linear head of ours",
    )
)
PGD = PROTOCOLS.add(Protocol("pgd", "attack", AttackSettings(), metric="attack_success", trials=2))
PGD_LINF = PGD.at(norm="linf", epsilon=0.01)  # of the code's list, the largest below the 4/255 of adversarial training
PGD_L2 = PGD.at(norm="l2", epsilon=0.5)  # ours: no L2 list is published; 1.75 at 224 pixels, of the 3 of AR-L2
