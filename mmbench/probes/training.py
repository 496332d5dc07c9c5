"""Heads for many seeds at once: weights ``[seeds, out, in]``, one Adam for all, a batch of its own for each seed.

A seed's result is that of ``torch.nn.Linear`` (and ReLU) trained alone by ``torch.optim.Adam``, up to rounding: the
tests hold it to that. The gradients of one or two linear layers are written out, which saves a fifth of the time
that autograd takes at this size.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.probes.tensors import Tensor, blocks, to_tensor


class Heads:
    """One stack of linear layers for each seed, of ``widths`` (input, hidden ones, output), ReLU in between.

    ``several`` chooses the loss: binary cross-entropy summed over batch and classes (Bielawski 2022), or else softmax
    cross-entropy averaged over the batch. Initial weights are PyTorch's default for ``nn.Linear`` under each seed.
    """

    def __init__(
        self, widths: Sequence[int], seeds: Sequence[int], *, several: bool, device: str, **adam: float
    ) -> None:
        import torch

        self.several, self.device, self.adam = several, device, adam
        # shuffles are drawn on the CPU, so that every device sees the same batches
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.layers: list[tuple[Tensor, Tensor]] = []
        for inputs, outputs in itertools.pairwise(widths):
            weight, bias = torch.empty(len(seeds), outputs, inputs), torch.empty(len(seeds), 1, outputs)
            for w, b, generator in zip(weight, bias, self.generators, strict=True):
                w.uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
                b.uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
            self.layers.append((weight.to(device), bias.to(device)))
        self._new_optimiser()

    def _new_optimiser(self) -> None:
        import torch

        for p in self.parameters:
            p.grad = torch.zeros_like(p)
        self.optimiser = torch.optim.Adam(self.parameters, fused=True, **self.adam)

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
        """Summed loss of each seed, ``[seeds]``, on the same rows ``x`` ``[rows, in]``."""
        from torch.nn import functional

        logits = self.logits(x)
        y = y.expand(len(logits), *y.shape)
        if self.several:
            return functional.binary_cross_entropy_with_logits(logits, y, reduction="none").sum(dim=(1, 2))
        return functional.cross_entropy(logits.transpose(1, 2), y, reduction="none").sum(dim=1)

    def step(self, x: Tensor, y: Tensor) -> None:
        """One Adam step of every seed on its own rows ``x`` ``[seeds, batch, in]``, ``y`` ``[seeds, batch(, out)]``."""
        import torch

        outputs = self.activations(x)
        if self.several:
            slope = outputs[-1].sigmoid_().sub_(y)
        else:
            slope = outputs[-1].softmax(dim=-1)
            slope.scatter_add_(2, y[..., None], slope.new_full((*y.shape, 1), -1.0))
            slope /= y.shape[1]
        for depth in reversed(range(len(self.layers))):
            weight, bias = self.layers[depth]
            torch.bmm(slope.transpose(1, 2), outputs[depth], out=weight.grad)
            torch.sum(slope, dim=1, keepdim=True, out=bias.grad)
            if depth:
                slope = torch.bmm(slope, weight).mul_(outputs[depth] > 0)
        self.optimiser.step()

    def batches(self, rows: int, size: int, *, drop_last: bool) -> Iterator[Tensor]:
        """Row numbers ``[seeds, batch]`` of one epoch, shuffled for each seed by its own generator."""
        import torch

        order = torch.stack([torch.randperm(rows, generator=g) for g in self.generators]).to(self.device)
        size = min(size, rows)
        return (order[:, i : i + size] for i in range(0, rows - size + 1 if drop_last else rows, size))

    def keep(self, alive: Sequence[int]) -> None:
        """Go on with the seeds at these positions only, their Adam moments included."""
        before = [self.optimiser.state[p] for p in self.parameters]
        self.generators = [self.generators[i] for i in alive]
        self.layers = [(w[alive].clone(), b[alive].clone()) for w, b in self.layers]
        self._new_optimiser()
        for p, state in zip(self.parameters, before, strict=True):
            moments = {k: v if k == "step" else v[alive].clone() for k, v in state.items()}
            self.optimiser.state[p] = moments

    def adopt(self, parameters: Sequence[Tensor]) -> None:
        """Take these parameters, in the order of ``parameters``; the number of seeds may differ."""
        self.layers = list(zip(parameters[::2], parameters[1::2], strict=True))

    def scores(self, x: NDArray[Any]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Logits of ``x`` ``[m, in]``, in blocks of rows ``[seeds, rows, out]``, so that memory stays bounded."""
        widest = max(max(weight.shape[1:]) for weight, _ in self.layers)
        for part in blocks(len(x), len(self.layers[0][0]) * widest):
            yield part, self.logits(to_tensor(x[part], self.device)).cpu().numpy()


def target(y: NDArray[Any], device: str) -> Tensor:
    """Labels as the losses take them: int64 classes, or float32 zeros and ones for several labels."""
    return to_tensor(y.astype(np.float32 if y.ndim == 2 else np.int64), device)
