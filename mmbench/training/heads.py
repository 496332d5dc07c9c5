"""Heads for many seeds at once: weights ``[seeds, out, in]``, one Adam for all, a batch of its own for each seed.

A seed's result is that of ``torch.nn.Linear`` (and ReLU) trained alone by ``torch.optim.Adam``, up to rounding: the
tests hold it to that. The gradients of one or two linear layers are written out. Those of ``torch.func``
(``vmap`` of ``grad``) take two to three times as long for a step of the MLP head, and five times or more for one of a
linear head: ``pytest benchmarks/test_timings.py --mmbench-timings -k gradients`` measures it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.protocol import Settings
from mmbench.training.entry import Checkpoint
from mmbench.training.tensors import Tensor, blocks, to_tensor


@dataclass(frozen=True)
class LinearSettings(Settings):
    """Devillers et al. 2021, section 3.3: Adam, 20 epochs. D-05a: batch 64 (README) or 60 (code).

    D-05b (random crops for every model but CLIP) is not reproduced: features are encoded once, without crops.
    """

    epochs: int = 20
    learning_rate: float = 1e-3
    weight_decay: float = 5e-4
    batch_size: int = 64

    def as_code(self) -> LinearSettings:
        return dataclasses.replace(self, batch_size=60)


class Heads:
    """One stack of linear layers for each seed, of ``widths`` (input, hidden ones, output), ReLU in between.

    ``several`` chooses the loss: binary cross-entropy summed over batch and classes (Bielawski 2022), or else softmax
    cross-entropy averaged over the batch. Initial weights are PyTorch's default for ``nn.Linear`` under each seed.
    ``values`` float32 ``[seeds, numbers]`` holds all weights and biases of a seed in one row, so that Adam is one pass
    over one array; ``layers`` are views of it, weights ``[seeds, out, in]`` and biases ``[seeds, 1, out]``.
    """

    def __init__(
        self, widths: Sequence[int], seeds: Sequence[int], *, several: bool, device: str, **adam: float
    ) -> None:
        import torch

        self.widths, self.several, self.device = tuple(widths), several, device
        self.adam = {"weight_decay": 0.0} | adam
        # shuffles are drawn on the CPU, so that every device sees the same batches
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        values = torch.empty(len(seeds), sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(widths)))
        for weight, bias in self._layers(values):
            for w, b, generator in zip(weight, bias, self.generators, strict=True):
                for part in (w, b):
                    part.uniform_(-(w.shape[1] ** -0.5), w.shape[1] ** -0.5, generator=generator)
        self._hold(values.to(device))
        self.moments = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self.steps = torch.zeros((), device=device)

    def _layers(self, values: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Weights and biases of each layer as views of ``values`` ``[seeds, numbers]``."""
        shapes = list(itertools.pairwise(self.widths))
        parts = values.split([size for inputs, outputs in shapes for size in (inputs * outputs, outputs)], dim=1)
        return [
            (weight.view(-1, outputs, inputs), bias.unsqueeze(1))
            for (inputs, outputs), weight, bias in zip(shapes, parts[::2], parts[1::2], strict=True)
        ]

    def _hold(self, values: Tensor) -> None:
        import torch

        self.values, self.slopes = values, torch.empty_like(values)
        self.layers = self._layers(values)
        self._slopes = self._layers(self.slopes)

    @property
    def parameters(self) -> list[Tensor]:
        return [p for layer in self.layers for p in layer]

    def activations(self, x: Tensor) -> list[Tensor]:
        """Input, hidden activations and logits for ``x`` ``[seeds, rows, in]``."""
        import torch

        outputs = [x]
        for depth, (weight, bias) in enumerate(self.layers):
            outputs.append(torch.baddbmm(bias, outputs[-1], weight.transpose(1, 2)))
            if depth < len(self.layers) - 1:
                outputs[-1].relu_()
        return outputs

    def logits(self, x: Tensor) -> Tensor:
        """Logits ``[seeds, rows, out]`` of the same rows ``x`` ``[rows, in]`` under every seed."""
        return self.activations(x.expand(len(self.layers[0][0]), *x.shape))[-1]

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Summed loss of each seed, ``[seeds]``, on its own rows ``x`` ``[seeds, rows, in]``."""
        from torch.nn import functional

        logits = self.activations(x)[-1]
        if self.several:
            return functional.binary_cross_entropy_with_logits(logits, y, reduction="none").sum(dim=(1, 2))
        return functional.cross_entropy(logits.transpose(1, 2), y, reduction="none").sum(dim=1)

    def step(self, x: Tensor, y: Tensor) -> None:
        """One Adam step of every seed on its own rows ``x`` ``[seeds, batch, in]``, ``y`` ``[seeds, batch(, out)]``."""
        import torch
        from torch.optim.adam import adam

        outputs = self.activations(x)
        if self.several:
            slope = outputs[-1].sigmoid_().sub_(y)
        else:
            slope = outputs[-1].softmax(dim=-1)
            slope.scatter_add_(2, y[..., None], slope.new_full((*y.shape, 1), -1.0))
            slope /= y.shape[1]
        for depth in reversed(range(len(self.layers))):
            weight_slope, bias_slope = self._slopes[depth]
            torch.bmm(slope.transpose(1, 2), outputs[depth], out=weight_slope)
            torch.sum(slope, dim=1, keepdim=True, out=bias_slope)
            if depth:
                slope = torch.bmm(slope, self.layers[depth][0]).mul_(outputs[depth] > 0)
        first, second = self.moments
        adam(
            [self.values], [self.slopes], [first], [second], [], [self.steps],
            fused=True, amsgrad=False, maximize=False, beta1=0.9, beta2=0.999, eps=1e-8, **self.adam,
        )  # fmt: skip

    def batches(self, rows: int, size: int, *, drop_last: bool) -> Iterator[Tensor]:
        """Row numbers ``[seeds, batch]`` of one epoch, shuffled for each seed by its own generator."""
        import torch

        order = torch.stack([torch.randperm(rows, generator=g) for g in self.generators]).to(self.device)
        size = min(size, rows)
        return (order[:, i : i + size] for i in range(0, rows - size + 1 if drop_last else rows, size))

    def keep(self, alive: Sequence[int]) -> None:
        """Go on with the seeds at these positions only, their Adam moments included."""
        self.generators = [self.generators[i] for i in alive]
        self.moments = self.moments[0][alive], self.moments[1][alive]
        self._hold(self.values[alive])

    def adopt(self, values: Tensor) -> None:
        """Take these ``values`` ``[seeds, numbers]``; the number of seeds may differ."""
        self._hold(values)

    def state(self, done: int) -> dict[str, NDArray[Any]]:
        """Everything that training needs to go on after ``done`` epochs."""
        import torch

        first, second = self.moments
        kept = {"values": self.values, "first": first, "second": second, "steps": self.steps}
        kept["generators"] = torch.stack([generator.get_state() for generator in self.generators])
        return {"done": np.array(done)} | {name: values.cpu().numpy().copy() for name, values in kept.items()}

    def restore(self, state: Mapping[str, NDArray[Any]] | None) -> int:
        """Go on from a kept state, to the last bit; returns the number of epochs that are done, 0 without a state."""
        if state is None:
            return 0
        self._hold(to_tensor(state["values"], self.device))
        self.moments = to_tensor(state["first"], self.device), to_tensor(state["second"], self.device)
        self.steps = to_tensor(state["steps"], self.device).reshape(())  # a file may have made it a row of one
        for generator, kept in zip(self.generators, to_tensor(state["generators"], "cpu"), strict=True):
            generator.set_state(kept)
        return int(state["done"].item())

    def scores(self, x: NDArray[Any]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Logits of ``x`` ``[m, in]``, in blocks of rows ``[seeds, rows, out]``, so that memory stays bounded."""
        widest = max(max(weight.shape[1:]) for weight, _ in self.layers)
        for part in blocks(len(x), len(self.layers[0][0]) * widest):
            yield part, self.logits(to_tensor(x[part], self.device)).cpu().numpy()


def fit_linear(
    x: NDArray[Any],
    y: NDArray[Any],
    classes: int,
    s: LinearSettings,
    seeds: Sequence[int],
    device: str = "cpu",
    checkpoint: Checkpoint | None = None,
) -> Heads:
    """One linear head for each seed, trained on all rows of ``x`` ``[n, d]`` with classes ``y`` ``[n]``.

    Cross-entropy, Adam with L2 weight decay (not AdamW), every row once an epoch in shuffled batches, the last one
    smaller, and the weights after the last epoch: nothing is selected (Devillers et al. 2021, section 3.3).
    """
    checkpoint = checkpoint or Checkpoint()
    rows, labels = to_tensor(x, device), target(y, device)
    heads = Heads(
        (x.shape[1], classes), seeds, several=False, device=device, lr=s.learning_rate, weight_decay=s.weight_decay
    )
    for epoch in range(heads.restore(checkpoint.resume()), s.epochs):
        for batch in heads.batches(len(rows), s.batch_size, drop_last=False):
            heads.step(rows_at(rows, batch), rows_at(labels, batch))
        checkpoint.keep(lambda done=epoch + 1: heads.state(done))  # type: ignore[misc]
    return heads


def target(y: NDArray[Any], device: str) -> Tensor:
    """Labels as the losses take them: int64 classes, or float32 zeros and ones for several labels."""
    return to_tensor(y.astype(np.float32 if y.ndim == 2 else np.int64), device)


def rows_at(rows: Tensor, batch: Tensor) -> Tensor:
    """``rows[batch]`` for row numbers ``[seeds, batch]``; torch's own indexing takes five times as long."""
    return rows.index_select(0, batch.reshape(-1)).unflatten(0, batch.shape)
