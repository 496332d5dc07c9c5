"""The contract of a training: fitted with a seed, stored by key, resumed after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mmbench.protocol import Roles, Settings
from mmbench.registry import Registry, by_name
from mmbench.source import Source, Takes

Weights = dict[str, NDArray[Any]]


class Fit(NamedTuple):
    """What ``Source.trained`` is asked for: the weights of one seed of a training."""

    name: str
    models: Roles
    dataset: str
    seed: int


class Keep(Protocol):
    """Where the state of an unfinished fit lies."""

    def load(self) -> Weights | None: ...
    def save(self, state: Mapping[str, NDArray[Any]]) -> None: ...


class Checkpoint:
    """What a fit asks while it runs. A fit that is killed goes on from the last state that was kept.

    ``every`` is the least number of seconds between two states; 0 keeps each.
    """

    def __init__(self, keep: Keep | None = None, every: float = 5.0) -> None:
        self._keep, self._every = keep, every
        self._last = time.monotonic()

    def resume(self) -> Weights | None:
        """The state that an earlier run of the same fit left, or None."""
        return self._keep.load() if self._keep else None

    def keep(self, state: Callable[[], Mapping[str, NDArray[Any]]], *, done: bool = False) -> None:
        """Keep the state when enough time has passed, or all is ``done``; ``state`` is called only then."""
        if self._keep is not None and (done or time.monotonic() - self._last >= self._every):
            self._keep.save(state())
            self._last = time.monotonic()


@dataclass(frozen=True)
class Training:
    """One thing to fit, under its settings.

    ``gather(source, models, dataset)`` makes what it learns from; ``parts`` names, as JSON values and without loading
    anything, all that decides that (None where a part is unknown: then nothing is stored). ``fit(inputs, settings,
    seed, checkpoint)`` returns the weights by name; it depends on its inputs, settings and seed alone, and a fit that
    was resumed gives the same weights as one that was not. ``takes`` says what several models mean to it.
    """

    name: str
    fit: Callable[[Any, Any, int, Checkpoint], Weights]
    gather: Callable[[Source, Roles, str], Any]
    parts: Callable[[Source, Roles, str], Sequence[Any]]
    settings: Settings
    takes: Takes = "joined"
    about: str = ""


TRAININGS: Registry[Training] = Registry(
    "training", package="mmbench.training", group="mmbench.trainings", order=by_name
)


def check_weights(training: Training, weights: Mapping[str, NDArray[Any]]) -> None:
    """Raise BadFeatures for weights that are not finite: a fit that diverged is never stored."""
    from mmbench.errors import BadFeatures

    for name, values in weights.items():
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise BadFeatures(
                f"training {training.name!r} diverged: {bad} of {values.size} numbers of {name!r} are not finite; "
                "lower its learning rate, or look for features that are far too large"
            )
