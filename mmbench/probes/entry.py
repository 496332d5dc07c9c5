"""The contract of a probe and the registry of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from mmbench.protocol import Settings
from mmbench.registry import Registry, by_name
from mmbench.source import Takes


@dataclass(frozen=True)
class Probe:
    """``run(inputs, settings, trials=, seed=, device=)`` takes a sequence of settings and returns predictions for each.

    Settings come together so that a probe can solve all shots as one tensor problem. A prediction is int64
    ``[trials, m]``, or bool ``[trials, m, classes]`` for several labels. Trials are independent draws or
    initialisations derived from ``seed`` alone, the same whatever the model, so that models can be compared in pairs.
    ``inputs`` names the family that gathers for it (mmbench.inputs), ``takes`` what several models mean to it;
    ``multilabel`` says whether it takes several labels; ``side_by_side`` whether two runs, each on half of the cores,
    are done before one after the other on all cores. ``fits_test`` says that it is fitted on its test rows, as clusters
    are: it is run on random halves of them too, one trial each, and its inputs have ``with_rows(rows)``. ``title``
    heads its figure, ``figure`` names the figure that it shares with other probes (its own by default), ``task`` its
    panel in the figure of means over datasets. ``unnamed`` says whether roles that no claim names are measured by it
    too; a ``costly`` one measures the untrained network only where nothing cheaper does, and one without ``floor``
    never: what it measures is no less of an untrained network. ``lowers`` are the settings that a lineup may lower: its
    inputs or its run take the smaller of the protocol's value and ``Source.reduced``.
    Where trials are draws from the training rows, ``pool(inputs, settings)`` is the share of them that a trial draws,
    and intervals are about fresh training pools; without it (None) they are about this one.
    ``shows(inputs, predictions)`` are JSON values of the first examples that a record keeps, to be shown on its page.
    """

    name: str
    run: Callable[..., list[NDArray[Any]]]
    settings: type[Settings]
    inputs: str = "labelled"
    takes: Takes = "joined"
    multilabel: bool = False
    side_by_side: bool = False
    fits_test: bool = False
    unnamed: bool = True
    costly: bool = False
    floor: bool = True
    title: str = ""
    task: str = ""
    figure: str = ""
    about: str = ""
    lowers: tuple[str, ...] = ()
    pool: Callable[[Any, Any], float | None] | None = None
    shows: Callable[[Any, NDArray[Any]], dict[str, Any]] | None = None


PROBES: Registry[Probe] = Registry("probe", package="mmbench.probes", group="mmbench.probes", order=by_name)
