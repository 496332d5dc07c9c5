"""Whether attacks work as they should: the loss by steps, images without a gradient, and adversarial images of others.

A network can be hard to attack only because its gradients are of no use (Athalye et al. 2018, "Obfuscated gradients").
Signs of it: more steps do not raise the loss, the loss has no gradient, noise or adversarial images of another network
fool it as often as an attack on itself, a larger epsilon breaks fewer images. The last cannot be seen in a sweep, where
an image that is broken at one epsilon counts at all larger ones; so each epsilon is attacked alone here.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from mmbench.attacks.pgd import Norm, Threat
from mmbench.attacks.sweep import Sweep, has_gradient, losses_by_step, sweep
from mmbench.inputs.pixels import Pixels
from mmbench.inputs.transferred import Transferred
from mmbench.probes.attack import classes, start
from mmbench.probes.attack_sweep import JUDGED, SweepSettings, at_all, most_pairs
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.seeds import trial_seeds
from mmbench.training.tensors import Tensor, to_tensor


@dataclass(frozen=True)
class CheckSettings(Settings):
    """The untargeted attack of ``SweepSettings`` at one epsilon. ``done`` is the share of its steps that are taken.

    ``quantity`` "loss" is the cross-entropy of the label then; "no_gradient" says whether there is a gradient to the
    pixels at the start, and "class" is the class of the image after an attack at this epsilon alone, which stops where
    the image is broken (for these two ``done`` is not used).
    """

    norm: Norm = "linf"
    epsilon: float = 0.01
    steps: int = 100
    relative_step: float = 0.025
    images: int = 1000
    quantity: Literal["loss", "no_gradient", "class"] = "loss"
    done: float = 1.0

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.images,)

    def how(self, reduced: Mapping[str, Any]) -> Sweep:
        own = SweepSettings(self.norm, self.epsilon, self.steps, self.relative_step).within(reduced)
        return Sweep(own.norm, (own.epsilon,), own.steps, own.relative_step)


def attack_checks(
    inputs: Pixels, settings: Sequence[CheckSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The loss of each image, whether it has no gradient, or its class: float64 ``[trials, n]``.

    All of ``done`` are from one attack.
    """
    inputs.check()
    found: dict[CheckSettings, NDArray[np.float64]] = {}
    for shared in dict.fromkeys(dataclasses.replace(s, done=0.0) for s in settings):
        how = shared.how(inputs.reduced)
        by_trial = [
            _checked(inputs, shared, how, trial, ts, device) for trial, ts in enumerate(trial_seeds(seed, trials))
        ]
        for s in settings:
            if dataclasses.replace(s, done=0.0) == shared:
                step = round(s.done * how.steps) if s.quantity == "loss" else 0
                found[s] = np.stack([values[step] for values in by_trial])
    return [found[s] for s in settings]


def _checked(
    inputs: Pixels, s: CheckSettings, how: Sweep, trial: int, trial_seed: int, device: str
) -> NDArray[np.float64]:
    """By step ``[steps + 1, n]``; ``[1, n]`` of "no_gradient", at the start, and of "class", at the end."""
    images, labels = to_tensor(inputs.images, device), to_tensor(inputs.labels, device)
    logits, found = inputs.logits(trial), []
    for first in range(0, len(images), most_pairs(images)):
        part = slice(first, first + most_pairs(images))
        starts = start(images[part], Threat(how.norm, 1.0), trial_seed, inputs.ids[part])
        if s.quantity == "loss":
            found.append(losses_by_step(logits, images[part], labels[part], how, starts))
        elif s.quantity == "class":
            found.append(sweep(logits, images[part], labels[part], how, starts, rule="alone").classes)
        else:
            found.append(~has_gradient(logits, images[part], labels[part])[None])
    return np.concatenate([values.cpu().numpy() for values in found], axis=1).astype(np.float64)


def transfer(
    inputs: Transferred, settings: Sequence[SweepSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The class that the second model sees in adversarial images of the first, int64 ``[trials, n]`` a setting.

    The attack on the first model stops at the first step that breaks an image, as in a sweep, and that image is shown:
    it has just crossed the first model's boundary, so it fools another model less often than one after all steps may.
    Pairs with the same first model that follow each other share its adversarial images.
    Images of another size are resized (bilinear) between the two.
    """
    import torch

    inputs.check()
    one, other = inputs.attacked, inputs.shown
    found = [np.empty((trials, len(one.images)), dtype=np.int64) for _ in settings]
    size = other.images.shape[2:]
    for trial, trial_seed in enumerate(trial_seeds(seed, trials)):
        for s, predictions in zip(settings, found, strict=True):
            made = _adversarial(one, s, trial, trial_seed, device)
            for first in range(0, len(made), most_pairs(made)):
                part = slice(first, first + most_pairs(made))
                changed = made[part]
                if changed.shape[2:] != size:
                    changed = torch.nn.functional.interpolate(changed, size, mode="bilinear", antialias=True)
                predictions[trial, part] = classes(other.logits(trial), changed)
    return found


# Adversarial images of the network that was attacked last: they are shown to one network after another.
_MADE: WeakKeyDictionary[Any, dict[tuple[Any, ...], Tensor]] = WeakKeyDictionary()


def _adversarial(one: Pixels, s: SweepSettings, trial: int, trial_seed: int, device: str) -> Tensor:
    """Adversarial images float ``[n, 3, h, w]`` of one trial, those that exist already where nothing differs."""
    import torch

    if one.encode not in _MADE:
        _MADE.clear()
    kept = _MADE.setdefault(one.encode, {})
    own = s.within(one.reduced)
    given = b"".join(each.tobytes() for each in (one.images, one.labels, one.weight[trial], one.bias[trial]))
    key = (own, trial_seed, hashlib.sha256(given).digest(), one.ids, device)
    if key not in kept:
        how = Sweep(own.norm, (own.epsilon,), own.steps, own.relative_step)
        images, labels = to_tensor(one.images, device), to_tensor(one.labels, device)
        parts = []
        for first in range(0, len(images), most_pairs(images)):
            part = slice(first, first + most_pairs(images))
            starts = start(images[part], Threat(how.norm, 1.0), trial_seed, one.ids[part])
            swept = sweep(one.logits(trial), images[part], labels[part], how, starts, keep_images=True)
            assert swept.images is not None
            parts.append(swept.images[0])
        kept[key] = torch.cat(parts)
    return kept[key]


PROBES.add(
    Probe(
        "attack_checks",
        attack_checks,
        CheckSettings,
        inputs="pixels",
        takes="one",
        unnamed=False,
        costly=True,
        lowers=("images", "steps"),
        floor=False,
        side_by_side=True,
        title="Checks of the attacks: loss by share of steps, images without a gradient",
        about="the loss that an attack raises, by its steps, images without a gradient, and epsilons one by one",
    )
)
PROBES.add(
    Probe(
        "transfer",
        transfer,
        SweepSettings,
        inputs="transferred",
        takes="pair",
        unnamed=False,
        costly=True,
        lowers=("images", "steps"),
        floor=False,
        title="Adversarial images of one model, shown to another",
        about="adversarial images of the first model, classified by the second",
    )
)
SHARES = (0.0, 0.25, 0.5, 1.0)
LOSSES = PROTOCOLS.add(Protocol("rpgd_loss", "attack_checks", CheckSettings(), "attack_loss", trials=2)).over(
    done=SHARES
)
NO_GRADIENT = PROTOCOLS.add(
    Protocol("no_gradient", "attack_checks", CheckSettings(quantity="no_gradient"), "no_gradient", trials=2)
)
ALONE = PROTOCOLS.add(
    Protocol("rpgd_alone", "attack_checks", CheckSettings(quantity="class"), "attack_success", trials=2)
)
# The two largest judged epsilons: attacks that succeed on all images cost less, and failures at small ones say nothing.
ALONE_BY_NORM = {norm: at_all(ALONE, norm, epsilons[-2:]) for norm, epsilons in JUDGED.items()}
TRANSFER = PROTOCOLS.add(Protocol("rpgd_transfer", "transfer", SweepSettings(), "attack_success", trials=2))
