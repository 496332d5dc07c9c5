"""Which training rows a few-shot trial sees: the same for every model, nested in the number of shots."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import NotEnoughShots
from mmbench.inputs.labelled import Labelled
from mmbench.seeds import trial_seeds

MOST = 0.9  # share of a pool: draws that leave fewer rows out hardly differ, and say nothing about other rows


def draw_shots(
    labels: NDArray[Any], shots: int, trials: int, seed: int, class_names: Sequence[str] | None = None
) -> NDArray[np.int64]:
    """Row numbers ``[trials, classes, shots]``: each trial permutes all rows and takes the first of each class.

    Without replacement, uniform over the rows of a class (Devillers et al. 2021, section 3.1). Depends on the
    labels and the seed alone; fewer shots are a prefix of more; renaming the classes moves the draws with the names.
    ``labels`` are int ``[n]`` or bool ``[n, classes]``; in the second case the rows that carry a label are drawn for
    it, and a row with two labels can be drawn for both. Raises NotEnoughShots and names the class with too few rows.
    """
    if shots < 1 or trials < 1:
        raise NotEnoughShots(f"shots and trials start at 1, got shots={shots}, trials={trials}")
    several = labels.ndim == 2
    classes = labels.shape[1] if several else len(class_names or ()) or int(labels.max(initial=-1)) + 1
    counts = class_rows(labels, classes)
    _refuse_scarce(counts, shots, class_names)
    take = (np.cumsum(counts) - counts)[:, None] + np.arange(shots)
    draws = np.empty((trials, classes, shots), dtype=np.int64)
    for trial, key in enumerate(trial_seeds(seed, trials)):
        order = np.random.default_rng(key).permutation(len(labels))
        # rows grouped by class, in permuted order within a class
        grouped = np.nonzero(labels[order].T)[1] if several else np.argsort(labels[order], kind="stable")
        draws[trial] = order[grouped[take]]
    return draws


class Shots(typing.Protocol):
    """Settings of a probe whose trials draw ``shots`` training rows a class; None: they have them all."""

    @property
    def shots(self) -> int | None: ...


def drawn_share(arrays: Labelled, settings: Shots) -> float | None:
    """The share of its training pool that a trial draws: shots over rows, averaged over classes.

    ``stats.pools`` says why this mean. None where trials have the whole pool, or so nearly that they say nothing about
    fresh pools: a result is then about this pool.
    """
    if settings.shots is None:
        return None
    rows = class_rows(arrays.train_y, arrays.classes)
    share = float((settings.shots / rows).mean())
    return share if share <= MOST else None


def class_rows(labels: NDArray[Any], classes: int) -> NDArray[Any]:
    """Training rows of each class, ``[classes]``, of labels int ``[n]`` or bool ``[n, classes]``."""
    return labels.sum(axis=0) if labels.ndim == 2 else np.bincount(labels, minlength=classes)


def _refuse_scarce(counts: NDArray[Any], shots: int, class_names: Sequence[str] | None) -> None:
    scarce = np.flatnonzero(counts < shots)
    if len(scarce) == 0:
        return
    first = int(scarce[0])
    name = repr(class_names[first]) if class_names else str(first)
    others = f", and {len(scarce) - 1} more classes have too few" if len(scarce) > 1 else ""
    raise NotEnoughShots(
        f"class {name} has {counts[first]} training rows and {shots} shots are asked{others}; ask for at most "
        f"{counts.min()} shots or give more rows"
    )


def cut_rows(rows: int, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers kept for training and held out for validation: a seeded cut, at least one row on each side."""
    held = min(max(round(share * rows), 1), rows - 1)
    if rows < 2:
        raise NotEnoughShots(f"a validation cut needs two training rows, got {rows}")
    order = np.random.default_rng([seed, 0xC07]).permutation(rows)
    return np.sort(order[held:]), np.sort(order[:held])
