"""The contract of a probe and the registry of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.protocol import Settings
from mmbench.registry import Registry


@dataclass(frozen=True)
class Arrays:
    """Frozen features and labels of one dataset.

    ``train_x`` float32 ``[n, d]``, ``test_x`` float32 ``[m, d]``; labels int64 ``[n]`` or bool ``[n, classes]``. ``class_names``
    are what zero-shot prompts are made of; ``prompts`` float32 ``[classes, templates, d]`` are those prompts encoded.
    ``valid_x``, ``valid_y`` when the dataset has a validation split.
    """

    train_x: NDArray[np.float32]
    train_y: NDArray[Any]
    test_x: NDArray[np.float32]
    test_y: NDArray[Any]
    class_names: tuple[str, ...]
    valid_x: NDArray[np.float32] | None = None
    valid_y: NDArray[Any] | None = None
    prompts: NDArray[np.float32] | None = None

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def multilabel(self) -> bool:
        return self.train_y.ndim == 2


@dataclass(frozen=True)
class Probe:
    """``run(arrays, settings, trials=, seed=, device=)`` takes a sequence of settings and returns predictions for each.

    Settings come together so that a probe can solve all shots as one tensor problem. A prediction is int64
    ``[trials, m]``, or bool ``[trials, m, classes]`` for several labels. Trials are independent draws or
    initialisations derived from ``seed`` alone, the same whatever the model, so that models can be compared in pairs.
    ``needs`` lists what must be present: ``train``, ``prompts``; ``multilabel`` says whether it takes several labels.
    """

    name: str
    run: Callable[..., list[NDArray[Any]]]
    settings: type[Settings]
    needs: tuple[str, ...] = ("train",)
    multilabel: bool = False
    about: str = ""


PROBES: Registry[Probe] = Registry("probe", package="mmbench.probes")
