"""The Latent CycleGAN: translators between image vectors and text vectors, learnt without pairs (Bielawski 2022, 6.2).

Two generators of four dense layers with Tanh, two discriminators of two layers, an adversarial loss, an L1 cycle loss
and an L1 identity loss. The readings differ in what D-14b to D-14e list. Several networks of different seeds are
trained side by side as one batch of matrices; none depends on the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.protocol import Settings
from mmbench.seeds import trial_seeds
from mmbench.training.entry import TRAININGS, Checkpoint, Training, Weights
from mmbench.training.tensors import Tensor, optimiser_state, restore_optimiser, warm_then_falling
from mmbench.training.unpaired import (
    Unpaired,
    gather,
    gather_masked,
    gather_sixteenth,
    gather_unrelated,
    masked_parts,
    parts,
)

LAYERS = 4  # dense layers of a generator
SKIPPED = 12  # in the code: the discriminators rest in every step whose number this divides
LEAK = 0.2
Direction = Literal["text", "image"]  # what a generator makes


@dataclass(frozen=True)
class LatentCycleGANSettings(Settings):
    """Bielawski 2022, section 6.2. ``as_code`` holds the released code's settings.

    ``tanh_output``: whether a Tanh follows the last layer too, as printed (D-14b). The loss weights are not printed
    (D-14c): 1, 10 and 5 for the adversarial, cycle and identity terms are those of the first CycleGAN (Zhu et al.
    2017). ``every_step``: whether the adversarial and cycle terms train the generators in every step (D-14d; else one
    in twelve). ``matched``: whether a batch holds images with their own captions (D-14e; no loss uses it). Epochs,
    batches and rates are not printed either and are the code's. Vectors are divided by ``unit`` before the generators
    and multiplied behind them, so that a Tanh can reach them: 1 for CLIP's.
    """

    tanh_output: bool = True
    adversarial_text: float = 1.0
    adversarial_image: float = 1.0
    cycle_text: float = 10.0
    cycle_image: float = 10.0
    identity_text: float = 5.0
    identity_image: float = 5.0
    every_step: bool = True
    matched: bool = False
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 2e-5
    warm_up: int = 5000
    hidden: int = 256
    networks: int = 3
    unit: float = 1.0

    def as_code(self) -> LatentCycleGANSettings:
        return dataclasses.replace(
            self, tanh_output=False, adversarial_image=2.0, cycle_image=100.0, identity_image=50.0, every_step=False,
            matched=True,
        )  # fmt: skip


def fit(inputs: Unpaired, s: LatentCycleGANSettings, seed: int, checkpoint: Checkpoint) -> Weights:
    """Both generators of each network, ``text_0_weight`` float32 ``[networks, d, d]`` and so on; ``unit`` and ``tanh``.

    Nothing is selected: the networks are taken as they are after ``epochs`` passes over the texts.
    """
    import torch

    inputs.check(one_width=True)
    seeds = trial_seeds(seed, s.networks)
    networks = _networks(inputs.image.shape[1], s, seeds)
    image, text = (torch.from_numpy(np.array(x)) / s.unit for x in (inputs.image, inputs.text))
    adam = torch.optim.AdamW(networks.parameters(), lr=s.learning_rate, weight_decay=0.0, eps=1e-6)
    steps = max(1, max(len(text), len(image)) // s.batch_size)
    for epoch in range(restore_optimiser(networks, adam, checkpoint.resume()), s.epochs):
        for number, (rows, lines) in enumerate(batches(inputs, s, seeds, epoch)):
            step = epoch * steps + number
            passed = step if s.every_step else step + -step // SKIPPED  # less the steps that were skipped before
            for group in adam.param_groups:
                group["lr"] = s.learning_rate * warm_then_falling(passed, s.warm_up, s.epochs * steps)
            _learn(networks, adam, image[rows], text[lines], s, step)
        checkpoint.keep(lambda done=epoch + 1: optimiser_state(networks, adam, done))  # type: ignore[misc]
    return _weights(networks, s)


def _learn(networks: Any, adam: Any, image: Tensor, text: Tensor, s: LatentCycleGANSettings, step: int) -> None:
    """One step of the generators, then one of the discriminators on what the generators made before it."""
    adam.zero_grad()
    loss, made_image, made_text = _of_generators(networks, image, text, s, step)
    loss.backward()
    for values in networks["critics"].values():
        values.grad = None
    adam.step()
    if len(networks["critics"]) and (s.every_step or step % SKIPPED):
        adam.zero_grad()
        sides = (("image", image, made_image), ("text", text, made_text))
        for side, real, made in sides:
            ((_wrongly(networks, side, real, 1.0) + _wrongly(networks, side, made.detach(), 0.0)) / 2).backward()
        adam.step()


def _of_generators(
    networks: Any, image: Tensor, text: Tensor, s: LatentCycleGANSettings, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The generators' loss, summed over networks, and the image and text vectors that they made."""
    make = _maker(networks["generators"], s.tanh_output)
    identity = s.identity_text * _distance(make(text, "text"), text) + s.identity_image * _distance(
        make(image, "image"), image
    )
    made_image, made_text = make(text, "image"), make(image, "text")
    if not (s.every_step or step == 0 or step % SKIPPED == 1):
        return identity, made_image, made_text
    loss = identity + s.cycle_image * _distance(make(made_text, "image"), image)
    loss = loss + s.cycle_text * _distance(make(made_image, "text"), text)
    if len(networks["critics"]):
        loss = loss + s.adversarial_image * _wrongly(networks, "image", made_image, 1.0)
        loss = loss + s.adversarial_text * _wrongly(networks, "text", made_text, 1.0)
    return loss, made_image, made_text


def _maker(generators: Any, tanh_output: bool) -> Callable[[Tensor, Direction], Tensor]:
    """Vectors ``[networks, n, d]`` to those of the other kind, or of the same kind where they are of it already."""

    def make(x: Tensor, side: Direction) -> Tensor:
        for layer in range(LAYERS):
            x = x @ generators[f"{side}_{layer}_weight"].mT + generators[f"{side}_{layer}_bias"].unsqueeze(1)
            if tanh_output or layer < LAYERS - 1:
                x = x.tanh()
        return x

    return make


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of each network, summed over networks."""
    return (a - b).abs().mean(dim=(1, 2)).sum()


def _wrongly(networks: Any, side: str, x: Tensor, label: float) -> Tensor:
    """Cross-entropy in nats of a discriminator's judgement of ``x`` ``[networks, n, d]``, summed over networks."""
    import torch
    from torch.nn import functional as F

    critics = networks["critics"]
    for layer in range(2):
        x = x @ critics[f"{side}_{layer}_weight"].mT + critics[f"{side}_{layer}_bias"].unsqueeze(1)
        x = F.leaky_relu(x, LEAK) if layer == 0 else x
    found = F.binary_cross_entropy_with_logits(x, torch.full_like(x, label), reduction="none")
    return found.mean(dim=(1, 2)).sum()


def _networks(width: int, s: LatentCycleGANSettings, seeds: Sequence[int]) -> Any:
    """Untrained generators and discriminators; none of the latter where nothing asks them."""
    import torch
    from torch import nn

    shapes = {
        "generators": {f"{side}_{layer}": (width, width) for side in ("text", "image") for layer in range(LAYERS)},
        "critics": {
            f"{side}_{layer}": shape
            for side in ("text", "image")
            for layer, shape in enumerate(((s.hidden, width), (1, s.hidden)))
        },
    }
    if s.adversarial_text == s.adversarial_image == 0:
        shapes["critics"] = {}
    dice = [torch.Generator().manual_seed(seed) for seed in seeds]
    found: dict[str, Any] = {}
    for part, layers in shapes.items():
        values = {}
        for name, (rows, columns) in layers.items():  # as torch.nn.Linear begins
            for suffix, shape in (("weight", (rows, columns)), ("bias", (rows,))):
                drawn = [torch.empty(shape).uniform_(-(columns**-0.5), columns**-0.5, generator=g) for g in dice]
                values[f"{name}_{suffix}"] = nn.Parameter(torch.stack(drawn))
        found[part] = nn.ParameterDict(values)
    return nn.ModuleDict(found)


def untrained(width: int, s: LatentCycleGANSettings, seed: int) -> Weights:
    """The generators before any step, as ``fit`` would give them."""
    return _weights(_networks(width, s, trial_seeds(seed, s.networks)), s)


def _weights(networks: Any, s: LatentCycleGANSettings) -> Weights:
    found = {name: value.detach().numpy() for name, value in networks["generators"].items()}
    return found | {"unit": np.array(s.unit, np.float32), "tanh": np.array(s.tanh_output)}


def translate(weights: Weights, x: NDArray[np.float32], network: int, to: Direction = "text") -> NDArray[np.float32]:
    """Vectors ``[n, d]`` as those of texts (or of images) by one network of a fitted Latent CycleGAN."""
    import torch

    unit = float(weights["unit"])
    own = {name: torch.from_numpy(np.array(v[network : network + 1])) for name, v in weights.items() if v.ndim > 1}
    with torch.inference_mode():
        made = _maker(own, bool(weights["tanh"]))(torch.from_numpy(np.array(x, dtype=np.float32))[None] / unit, to)
    found: NDArray[np.float32] = made[0].numpy() * np.float32(unit)
    return found


def batches(
    inputs: Unpaired, s: LatentCycleGANSettings, seeds: Sequence[int], epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of images and of texts of each step of an epoch, int64 ``[networks, batch]`` each.

    Images and texts are in orders that are drawn independently, so that rows of a batch do not belong together
    (``matched``: each image is that of its text). The shorter side begins again; what fills no batch is left out.
    """
    import torch

    sizes = len(inputs.image), len(inputs.text)
    whole = max(sizes) // s.batch_size * s.batch_size or max(sizes)
    rows, lines = [], []
    for seed in seeds:
        dice = torch.Generator().manual_seed((seed + epoch) % 2**63)
        orders = [_order(size, whole, dice) for size in sizes]
        lines.append(orders[1])
        rows.append(torch.from_numpy(inputs.own)[orders[1]] if s.matched else orders[0])
    yield from zip(
        torch.stack(rows).split(s.batch_size, dim=1), torch.stack(lines).split(s.batch_size, dim=1), strict=True
    )


def _order(size: int, length: int, dice: Any) -> Tensor:
    """``length`` row numbers below ``size``: permutations one after the other."""
    import torch

    return torch.cat([torch.randperm(size, generator=dice) for _ in range(-(-length // size))])[:length]


PAPER = LatentCycleGANSettings()
ABOUT = "translators between image vectors and text vectors, learnt without pairs"
NO_CRITICS = dataclasses.replace(PAPER, adversarial_text=0.0, adversarial_image=0.0)
VARIANTS = {  # name: settings, what it learns from, how it differs
    "latent_cyclegan": (PAPER, gather, ""),
    "latent_cyclegan_code": (PAPER.as_code(), gather, ", as in the released code (D-14b to D-14e)"),
    "latent_cycle_alone": (
        dataclasses.replace(NO_CRITICS, identity_text=0.0, identity_image=0.0),
        gather,
        ", by the cycle loss alone",
    ),
    "latent_identity_alone": (
        dataclasses.replace(NO_CRITICS, cycle_text=0.0, cycle_image=0.0),
        gather,
        ", by the identity loss alone",
    ),
    "latent_cyclegan_unrelated": (PAPER, gather_unrelated, ", from texts of other images"),
    "latent_cyclegan_sixteenth": (PAPER, gather_sixteenth, ", from a sixteenth of the images and texts"),
}
for _name, (_settings, _gather, _how) in VARIANTS.items():
    TRAININGS.add(Training(_name, fit, _gather, parts, _settings, takes="image_and_text", about=ABOUT + _how))
MASKED = "latent_cyclegan_masked"
TRAININGS.add(
    Training(
        MASKED, fit, gather_masked, masked_parts, PAPER, takes="one",
        about="translators between vectors of images and of the same images without their text, learnt without pairs",
    )
)  # fmt: skip
