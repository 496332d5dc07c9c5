"""From a group's inputs to its cells' scores: one probe call, then the metric."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.bench.keys import code_digest, digest, provenance, stages
from mmbench.bench.lineup_source import LineupSource
from mmbench.datasets.groups import Groups, of_rows
from mmbench.errors import BadFeatures, BadScores, MMBenchError, Unmeasured
from mmbench.inputs.entry import FAMILIES, Family, Inputs
from mmbench.inputs.shared import joined
from mmbench.metrics import METRICS, Metric
from mmbench.probes.halves import draw
from mmbench.probes.halves import seeds as seeds_of_halves
from mmbench.protocol import Cell, Protocol, Settings
from mmbench.scores import Scores
from mmbench.source import require

if TYPE_CHECKING:
    from mmbench.datasets.entry import Split
    from mmbench.probes.entry import Probe

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Solved:
    """Predictions by settings as the probe sees them, and the seconds that the probe took.

    ``halves`` are rows of the test split with the predictions on them alone, for a probe that is fitted on these.
    """

    predictions: dict[Settings, NDArray[Any]]
    seconds: float
    halves: list[tuple[Rows, dict[Settings, NDArray[Any]]]] = field(default_factory=list)


def probe_of(protocol: Protocol) -> Probe:
    """The protocol's probe. Raises Unmeasured for one that only printed numbers have."""
    from mmbench.probes.entry import PROBES

    if protocol.probe not in PROBES:
        raise Unmeasured(f"no probe makes {protocol.name!r} yet; it can be judged on printed numbers only")
    return PROBES.get(protocol.probe)


def family_of(cell: Cell) -> Family:
    """The family that gathers the inputs of the cell's probe."""
    return FAMILIES.get(probe_of(cell.protocol).inputs)


def metric_of(source: LineupSource, cell: Cell) -> Metric:
    """The metric that judges the cell's dataset. Raises Unmeasured when the protocol has none for several labels."""
    if family_of(cell).own_truth or source.dataset_entry(cell.dataset).task == "single":
        return METRICS.get(cell.protocol.metric)
    if cell.protocol.multilabel_metric is None:
        raise Unmeasured(f"{cell} judges one label an item, and {cell.dataset} has several; bind another dataset")
    return METRICS.get(cell.protocol.multilabel_metric)


def gather(source: LineupSource, cell: Cell) -> Inputs:
    """The inputs of the cell's probe. Refuses, before anything is encoded, what the probe cannot take."""
    probe = probe_of(cell.protocol)
    require(cell, probe.takes)
    metric_of(source, cell)
    return family_of(cell).gather(source, cell)


def halves_of(source: LineupSource, cell: Cell, inputs: Inputs) -> list[Rows]:
    """Random halves of the rows of a probe that is fitted on its test rows; none for others.

    None either where a half would have fewer rows than there are classes: the scores' provenance says so.
    """
    if not probe_of(cell.protocol).fits_test:
        return []
    dataset = source.dataset(cell.dataset)
    test = dataset.split("test")
    groups = groups_of(test, inputs)
    whole = groups.of if groups is not None and groups.of.ndim == 1 else None
    found = draw(inputs.truth, whole, cell.protocol.seed, inputs.examples(test))
    return found if min(map(len, found)) >= len(dataset.classes) else []


def groups_of(test: Split, inputs: Inputs) -> Groups | None:
    """What the examples of these inputs share: what they were made from, and what inputs say of their own (``groups``).

    None where examples are no items of the test split, or share nothing.
    """
    ids: tuple[str, ...] = getattr(inputs, "ids", test.ids)
    shared: Groups | None = getattr(inputs, "groups", None)
    if test.groups is None or len(inputs.truth) != len(ids):
        return shared
    place = {name: row for row, name in enumerate(test.ids)}
    made_from = test.groups if ids == test.ids else of_rows(test.groups, [place[name] for name in ids])
    return joined(shared, made_from)


def solve(cells: list[Cell], inputs: Inputs, halves: list[Rows], device: str) -> Solved | MMBenchError:
    """Run the probe for cells that differ in settings only. Thread-safe; an error is returned, not raised."""
    protocol, started = cells[0].protocol, time.perf_counter()
    settings = list(dict.fromkeys(cell.protocol.settings.for_probe() for cell in cells))
    probe = probe_of(protocol)
    try:
        found = probe.run(inputs, settings, trials=protocol.trials, seed=protocol.seed, device=device)
        on_halves = []
        for rows, seed in zip(halves, seeds_of_halves(protocol.seed), strict=False):
            some = probe.run(inputs.with_rows(rows), settings, trials=1, seed=seed, device=device)  # type: ignore[attr-defined]
            on_halves.append((rows, dict(zip(settings, some, strict=True))))
    except BadFeatures as error:
        return BadFeatures(f"{cells[0]}: {error}")
    except MMBenchError as error:
        return error
    return Solved(dict(zip(settings, found, strict=True)), time.perf_counter() - started, on_halves)


def outcomes_of(metric: Metric, predicted: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
    """The metric's outcomes. Raises BadScores unless there is one for each trial and example."""
    found, expected = np.asarray(metric.outcome(predicted, truth)), (len(predicted), len(truth))
    if found.shape != expected:
        raise BadScores(
            f"metric {metric.name}: expected one outcome for each trial and example, {list(expected)}, got shape "
            f"{list(found.shape)}; a statistic over all examples is written outcome=jackknifed(statistic)"
        )
    return found


def labels_of(source: LineupSource, cell: Cell, inputs: Inputs) -> dict[str, Any]:
    """What scores say of their examples (``examples``, ``chance``, ``classes``, ``groups``, ``grouped_by``)."""
    test, metric = source.dataset(cell.dataset).split("test"), metric_of(source, cell)
    count = len(inputs.truth)
    kept = cell.protocol.settings.counted(count)
    rows_are_labelled = metric.over == "rows" and inputs.truth.ndim == 1 and not family_of(cell).own_truth
    among = of_rows(groups_of(test, inputs), np.arange(kept)) if metric.over == "rows" else None
    paired_by = inputs.examples(test)
    return {
        "examples": paired_by if kept == count else f"{paired_by}:{kept}",
        "chance": metric.chance(inputs.truth),
        "classes": inputs.truth[:kept] if rows_are_labelled else None,
        "groups": None if among is None else among.of,
        "grouped_by": "" if among is None else among.kind,
    }


def pool_of(cell: Cell, inputs: Inputs) -> float | None:
    """The share of its training pool that a trial draws; None for a probe that draws none."""
    probe = probe_of(cell.protocol)
    return probe.pool(inputs, cell.protocol.settings) if probe.pool else None


def score(source: LineupSource, cells: list[Cell], inputs: Inputs, solved: Solved) -> dict[Cell, Scores]:
    """Turn a group's predictions into scores, with what they are made from.

    A cell whose metric needs what is not here, or is wrong, is left out where it was not the first: that is said when
    it is asked for.
    """
    probe = probe_of(cells[0].protocol)
    made_of = stages(source, cells[0], inputs) | {"seconds": solved.seconds / len(cells)}
    if left_out := getattr(inputs, "left_out", ""):
        made_of["left_out"] = left_out
    if probe.fits_test and not solved.halves:
        made_of["halves"] = "none: half of the test rows are fewer than there are classes"
    scores = {}
    for cell in cells:
        try:
            scores[cell] = _scored(source, cell, inputs, solved, made_of)
        except (Unmeasured, BadScores):
            if cell == cells[0]:
                raise
    return scores


def _scored(source: LineupSource, cell: Cell, inputs: Inputs, solved: Solved, made_of: dict[str, Any]) -> Scores:
    probe, metric = probe_of(cell.protocol), metric_of(source, cell)
    predicted = solved.predictions[cell.protocol.settings.for_probe()]
    kept = cell.protocol.settings.counted(len(inputs.truth))
    made_by: dict[str, Any] = {"code": code_digest(probe, metric), "predictions": digest(predicted)}
    if probe.shows:
        made_by["shown"] = probe.shows(inputs, predicted)
    return Scores(
        outcomes_of(metric, predicted, inputs.truth)[:, :kept],
        metric.name,
        **labels_of(source, cell, inputs),
        provenance=provenance(source, cell) | made_of | made_by,
        halves=_on_halves(cell, metric, inputs, solved, kept) if solved.halves else None,
        pool=pool_of(cell, inputs),
    )


def _on_halves(cell: Cell, metric: Metric, inputs: Inputs, solved: Solved, kept: int) -> NDArray[np.float32]:
    """The metric's mean on each half, over those of its rows that the metric sees."""
    means = []
    for rows, predictions in solved.halves:
        seen = rows < kept
        predicted = predictions[cell.protocol.settings.for_probe()][:, seen]
        means.append(outcomes_of(metric, predicted, inputs.truth[rows[seen]]).mean(dtype=np.float64))
    return np.array(means, dtype=np.float32)
