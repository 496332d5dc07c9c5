"""Whether targeted attacks succeed less often on classes that are further away in meaning (Bielawski 2022, 7.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.attacks.pgd import Norm
from mmbench.errors import Unmeasured
from mmbench.inputs.meant import Meant
from mmbench.probes.attack_sweep import SweepSettings, epsilons_with, swept_classes
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.seeds import trial_seeds


@dataclass(frozen=True)
class SemanticSettings(Settings):
    """The targeted sweep of one norm, with all epsilons of the figure: settings as in ``SweepSettings``.

    It is the sweep that solves the figure's cells, so a state that those left is used again.
    """

    norm: Norm = "l2"
    steps: int = 100
    relative_step: float = 0.025
    targeted: bool = True
    images: int = 1000

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.images, self.targeted)


def semantic_attack(
    inputs: Meant, settings: Sequence[SemanticSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """At what share of the epsilons above 0 the attack reaches its target, float64 ``[trials, n]`` a setting.

    Raises Unmeasured where this is the same for all images, so that no correlation exists.
    """
    inputs.check()
    found = []
    for s in settings:
        one = SweepSettings(s.norm, 0.0, s.steps, s.relative_step, s.targeted, s.images)
        epsilons = epsilons_with(one, inputs.attacked.reduced)
        by_trial = [
            swept_classes(inputs.attacked, one, epsilons, trial, trial_seed, device)
            for trial, trial_seed in enumerate(trial_seeds(seed, trials))
        ]
        reached = np.stack(by_trial) == inputs.attacked.truth
        shares = reached[:, np.array(epsilons) > 0].mean(axis=1)
        if (shares == shares[:, :1]).all(axis=1).any():
            raise Unmeasured(
                f"targeted attacks succeed equally often on all {shares.shape[1]} images ({shares.mean():.0%} of the "
                f"{s.norm} epsilons {list(epsilons)}), so success goes with nothing; measure more images, or epsilons "
                "at which some attacks succeed and some fail"
            )
        found.append(shares)
    return found


PROBES.add(
    Probe(
        "semantic_attack",
        semantic_attack,
        SemanticSettings,
        inputs="meant",
        takes="image_and_text",
        unnamed=False,
        costly=True,
        floor=False,
        title="Targeted attacks: correlation of success with distance in meaning (as Bielawski 2022, section 7.4)",
        about="targeted attacks, and how far apart in meaning label and target are",
    )
)
SEMANTIC = PROTOCOLS.add(
    Protocol("rpgd_by_meaning", "semantic_attack", SemanticSettings(), metric="success_by_distance", trials=2)
)
