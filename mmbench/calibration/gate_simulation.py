"""How often the gate is right and wrong, simulated at the sizes of a real record.

A base and a candidate role with as many cells, trials and examples, the same means and the same spread over trials, as
the role with the most cells of a record. Outcomes are 0 or 1 by the latent model of ``planted_scores``: examples
differ in difficulty, trials in luck, and half of both is a model's own. Two trainings of one recipe differ truly: the
mean of each cell moves with the standard deviation between seeds in the table (``mmbench.lineups.seed_table``), and
cells move together as its seeds did. A cell that is not in the table moves by itself, with the mean variance of its
probe and metric. A loss takes no cell below chance.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench import stats
from mmbench.calibration import real_seeds
from mmbench.errors import BadSpec
from mmbench.gate.decision import DEFAULT_MARGINS, LEVEL, Decided, Seeds, gains, overall, settle
from mmbench.gate.seed_margins import FACTOR, seed_margin
from mmbench.lineups import load_lineup
from mmbench.lineups.seed_table import Place, SeedTable, read_seeds
from mmbench.metrics import METRICS
from mmbench.probes.entry import PROBES
from mmbench.records.files import read_record
from mmbench.records.schema import CellPart, Record
from mmbench.scores import Scores
from mmbench.stats import tails

FEWER = (1, 4, 12, 36)  # cells of smaller gates
LOSSES = tuple(0.5 * step for step in range(7))  # in margins
ROOM = 2.0  # margins that a dataset's cells must have to lose
FALSE_FAIL, CAUGHT = 0.02, 0.8  # what the gate must keep: below the one, above the other
EXAMPLE_SHARE, OWN = 0.6, 0.5
ENDS = (0.002, 0.998)  # of true means
FIELDS = ("value", "se", "down", "up", "third", "df")  # of an estimate: what its p-values follow from
OUTCOMES: tuple[Decided, ...] = ("pass", "inconclusive", "fail")
HOUSE = Path(__file__).resolve().parents[2]
RUNS = HOUSE / "reports" / "runs"
Array = NDArray[np.float64]
Settle = Callable[[Array, Array], Sequence[Decided]]
Gains = Callable[[Seeds, Sequence[Seeds]], stats.Contrasts]


@dataclass(frozen=True)
class Size:
    """A cell to plant; ``mean``, ``chance`` and ``spread`` over trials are shares (0 to 1), ``family`` its probe.

    ``sd`` between seeds is a share too; the gate's margin follows it where the base has it on record (``recorded``).
    ``ways`` are the directions in which the table's seeds moved this cell, of length 1; none where it moves by itself.
    """

    family: str
    dataset: str
    metric: str
    trials: int
    examples: int
    mean: float
    chance: float
    spread: float
    sd: float = 0.0
    ways: tuple[float, ...] = ()
    recorded: bool = True

    def margin(self, seeds: tuple[int, int] = (1, 1)) -> float:
        """The cell's default margin, in the metric's printed unit."""
        return seed_margin(self.metric, self.sd * self.recorded * METRICS.get(self.metric).scale, seeds)


@dataclass(frozen=True)
class Variant:
    """A candidate: ``noise`` of a training in measured standard deviations, true ``loss`` in margins.

    ``change`` is None for a model of its own; else the share of the base's latent scores that is drawn anew: a
    candidate that is nearly the base (other precision, a few more steps). ``seeds`` of base and candidate are compared.
    """

    noise: float = 1.0
    loss: float = 0.0
    change: float | None = None
    seeds: tuple[int, int] = (1, 1)


RETRAINED = tuple(Variant(loss=loss) for loss in LOSSES)
NOISES = tuple(Variant(noise) for noise in (0.0, 1.0, 1.5, 2.0))
SEVERAL = tuple(Variant(loss=loss, seeds=seeds) for seeds in ((1, 1), (1, 3), (3, 3)) for loss in (0.0, 2.0))
FEWER_RUNS = 4  # several seeds take as many times longer
EDGE = Variant(0.0, 1.0)  # worse by exactly the margin
NEAR = tuple(Variant(0.0, loss, change=0.02) for loss in LOSSES[:5])
VARIANTS = tuple(dict.fromkeys((*RETRAINED, *NOISES, EDGE, *NEAR)))


def table_of(record: Record) -> SeedTable:
    """The table of seed scores of the record's lineup. Raises BadSpec or UnknownName where there is none."""
    lineup = load_lineup(record.lineup.name)
    if lineup.seeds is None:
        raise BadSpec(f"lineup {lineup.name!r} has no table of seed scores; measure it: mmbench seeds {lineup.name}")
    return read_seeds(lineup.seeds)


def sizes_of(record: Record, table: SeedTable, chosen: Callable[[str], bool] = lambda cell: True) -> tuple[Size, ...]:
    """Cells of one role of ``record`` whose names are ``chosen``, in metrics whose default margins are simulated.

    The role with the most cells, of those with a dataset whose cells can all lose ROOM margins.

    Cells of labelled features alone: outcomes that are 0 or 1, or shares, are planted here. Raises BadSpec when no cell
    is left.
    """
    by_role: dict[str, list[Size]] = {}
    for cell in record.cells:
        if cell.metric not in DEFAULT_MARGINS or not _plain(cell) or not chosen(str(cell)):
            continue
        scale = METRICS.get(cell.metric).scale
        spread = float(np.std(cell.trials, ddof=1)) if len(cell.trials) > 1 else 0.0
        shape = (cell.probe, cell.dataset, cell.metric, len(cell.trials), cell.examples)
        size = Size(*shape, cell.mean / scale, cell.chance / scale, spread / scale)
        for role in cell.models:
            by_role.setdefault(role, []).append(_with_seeds(size, cell, role, table))
    if not by_role:
        raise BadSpec(f"record {record.label!r} has no cells to take sizes from")
    best = max(by_role, key=lambda role: (bool(datasets_with_room(by_role[role])), len(by_role[role])))
    return tuple(by_role[best])


def _with_seeds(size: Size, cell: CellPart, role: str, table: SeedTable) -> Size:
    others = tuple(other for other in cell.models if other != role)
    name = cell.protocol if cell.reading == "code" else ""
    row = table.row_at(Place(cell.fingerprint, cell.dataset, others), name)
    sd = table.seed_sd(row, cell.probe, cell.metric)
    ways = () if row is None else tuple(map(float, table.deviations[:, row] / np.linalg.norm(table.deviations[:, row])))
    recorded = cell.seed_sd is not None
    return replace(size, sd=(sd or 0.0) / METRICS.get(cell.metric).scale, ways=ways, recorded=recorded)


def _plain(cell: CellPart) -> bool:
    """Whether the cell probes labelled features of the encoder's output, as most cells of a gate do."""
    return cell.probe in PROBES and PROBES.get(cell.probe).inputs == "labelled" and "@" not in cell.protocol


def latest_record(folder: Path = RUNS) -> Path:
    """The record of the embedded lineup with the highest number. Raises BadSpec when there is none."""
    found = sorted(folder.rglob("*_embedded.json"), key=lambda path: path.name)
    if not found:
        raise BadSpec(f"there is no record of the embedded lineup below {folder}; run pytest benchmarks, or name one")
    return found[-1]


# Planting


def planted(
    sizes: Sequence[Size], variants: Sequence[Variant], rng: np.random.Generator
) -> Iterator[tuple[list[Scores], list[list[Scores]]]]:
    """Seeds of the base and of every variant, cell by cell; cells of a dataset share its examples."""
    from scipy.special import ndtri

    most = max(size.examples for size in sizes)
    seeds = tuple(max((variant.seeds[side] for variant in variants), default=1) for side in (0, 1))
    moves = rng.standard_normal((sum(seeds), max(len(size.ways) for size in sizes)))
    by_dataset: dict[str, Array] = {}
    for size in sizes:
        if size.dataset not in by_dataset:
            by_dataset[size.dataset] = rng.standard_normal((1 + sum(seeds), most))
        latent = _latent(size, by_dataset[size.dataset][:, : size.examples], rng)
        moved = moves @ size.ways if size.ways else rng.standard_normal(sum(seeds))
        again = rng.standard_normal(latent[0].shape, np.float32)
        candidates = []
        for variant in variants:
            old, new = (slice(first, first + count) for first, count in zip((0, seeds[0]), variant.seeds, strict=True))
            drawn, change = latent[new], variant.change
            if change is not None:
                drawn = (math.sqrt(1 - change) * latent[0] + math.sqrt(change) * again)[None]
            goals = _targets(size, variant, moved[new] - moved[old].mean())
            candidates.append([_scores(size, x, float(ndtri(goal))) for x, goal in zip(drawn, goals, strict=True)])
        middle = float(ndtri(np.clip(size.mean, *ENDS)))
        yield [_scores(size, x, middle) for x in latent[: seeds[0]]], candidates


def _latent(size: Size, hard: Array, rng: np.random.Generator) -> NDArray[np.float32]:
    """Standard normal latent scores ``[models, trials, examples]``; ``hard`` is ``[1 + models, examples]``."""
    luck = rng.standard_normal((len(hard), size.trials))
    parts = [math.sqrt(1 - OWN) * x[:1] + math.sqrt(OWN) * x[1:] for x in (hard, luck)]
    share = _trial_share(size)
    latent = math.sqrt(EXAMPLE_SHARE) * parts[0][:, None] + math.sqrt(share) * parts[1][:, :, None]
    rest = rng.standard_normal((len(hard) - 1, size.trials, size.examples), np.float32)
    return (latent + math.sqrt(1 - EXAMPLE_SHARE - share) * rest).astype(np.float32)


def _trial_share(size: Size) -> float:
    """The share of latent variance through trials that spreads trial means as the record's cell does."""
    from scipy.special import ndtri

    mean = float(np.clip(size.mean, *ENDS))
    slope = math.exp(-(ndtri(mean) ** 2) / 2) / math.sqrt(2 * math.pi)
    sampling = mean * (1 - mean) * (1 - EXAMPLE_SHARE) / size.examples
    return min(max(size.spread**2 - sampling, 0.0) / slope**2, 0.3)


def _targets(size: Size, variant: Variant, moved: Array) -> Array:
    """The true means of a candidate's seeds: ``moved`` is how they fell out against the base, in seed deviations."""
    margin = size.margin(variant.seeds) / METRICS.get(size.metric).scale
    damaged = max(size.mean - variant.loss * margin, min(size.mean, size.chance))
    return np.clip(damaged + variant.noise * size.sd * moved, *ENDS)


def _scores(size: Size, latent: NDArray, edge: float) -> Scores:
    return Scores((latent < edge).astype(np.float32), size.metric, size.dataset, size.chance)


# Judging


def judged(
    sizes: Sequence[Size], variants: Sequence[Variant], runs: int, seed: int = 0, *, method: Gains = gains
) -> Array:
    """Gains in margins with all that tests them, in the order of ``FIELDS``: ``[variants, fields, runs, cells]``."""
    out = np.empty((len(variants), len(FIELDS), runs, len(sizes)))
    margins = np.array([[size.margin(variant.seeds) for size in sizes] for variant in variants])
    by_base = {
        count: [i for i, v in enumerate(variants) if v.seeds[0] == count] for count in {v.seeds[0] for v in variants}
    }
    for run in range(runs):
        for cell, (base, candidates) in enumerate(planted(sizes, variants, np.random.default_rng([seed, run]))):
            for count, at in by_base.items():
                found = method(base[:count], [candidates[i] for i in at])
                out[at, :, run, cell] = np.stack([getattr(found, field) for field in FIELDS], axis=1)
    out[:, :4] /= margins[:, None, None]
    out[:, 4] /= margins[:, None] ** 3
    return out


def rates(found: Array, *, margin: float = 1.0, rule: Settle = settle) -> dict[str, float]:
    """How often the gate says what, given ``[fields, runs, cells]`` of one variant, a ``margin`` in default margins."""
    gain, se, down, up, third, df = found
    p_worse = tails.p_value(-(gain + margin), se**2, -third, up, df)
    p_not_worse = tails.p_value(gain + margin, se**2, third, down, df)
    said = [overall(rule(worse, not_worse)) for worse, not_worse in zip(p_worse, p_not_worse, strict=True)]
    return {outcome: said.count(outcome) / len(said) for outcome in OUTCOMES}


def cells_with_room(sizes: Sequence[Size]) -> list[list[int]]:
    """Every cell that can lose ROOM margins before it is at chance, as a part of its own."""
    return [[cell] for cell, size in enumerate(sizes) if _room(size)]


def datasets_with_room(sizes: Sequence[Size]) -> list[list[int]]:
    """The cells of each dataset of which every cell can lose as much."""
    parts: dict[str, list[int]] = {}
    for cell, size in enumerate(sizes):
        parts.setdefault(size.dataset, []).append(cell)
    return [cells for cells in parts.values() if all(_room(sizes[cell]) for cell in cells)]


def _room(size: Size) -> bool:
    return size.mean - size.chance >= ROOM * size.margin() / METRICS.get(size.metric).scale


def on_one(parts: Sequence[Sequence[int]], unchanged: Array, damaged: Array, seed: int = 0) -> Array:
    """The unchanged candidate but for one damaged part a run, drawn from ``parts``; ``[fields, runs, cells]``."""
    rng, out = np.random.default_rng(seed), unchanged.copy()
    for run in range(unchanged.shape[1]):
        cells = list(parts[int(rng.integers(len(parts)))])
        out[:, run, cells] = damaged[:, run, cells]
    return out


def among(
    count: int, parts: Sequence[Sequence[int]], unchanged: Array, damaged: Array, seed: int = 0
) -> tuple[Array, Array]:
    """A gate of ``count`` cells, drawn anew each run: with a damaged one among them, and as it was before.

    ``parts`` are single cells; both results are ``[fields, runs, count]``.
    """
    rng = np.random.default_rng(seed)
    rows, cells = np.arange(unchanged.shape[1]), np.empty((unchanged.shape[1], count), dtype=np.intp)
    for run in rows:
        (hurt,) = parts[int(rng.integers(len(parts)))]
        others = np.delete(np.arange(unchanged.shape[2]), hurt)
        cells[run] = [hurt, *rng.choice(others, count - 1, replace=False)]
    before = unchanged[:, rows[:, None], cells]
    after = before.copy()
    after[..., 0] = damaged[:, rows, cells[:, 0]]
    return after, before


# The record and its check


def simulate(runs: int, seed: int = 0, record: Path | None = None) -> dict[str, Any]:
    """The gate's part of the calibration record: rates at ``runs`` runs a point."""
    started = time.time()
    path = (record or latest_record()).resolve()
    shown = path.relative_to(HOUSE) if path.is_relative_to(HOUSE) else path.name
    base = read_record(path)
    table = table_of(base)
    sizes = sizes_of(base, table)
    found = dict(zip(VARIANTS, judged(sizes, VARIANTS, runs, seed), strict=True))
    unchanged, twice, near = found[Variant()], found[Variant(loss=2.0)], found[NEAR[0]]
    cells, datasets = cells_with_room(sizes), datasets_with_room(sizes)
    counts = [count for count in FEWER if count < len(sizes)]
    families = {f: [i for i, s in enumerate(sizes) if s.family == f] for f in sorted({s.family for s in sizes})}
    return {
        "command": f"python -m mmbench.calibration --gate-only --runs {runs} --seed {seed} --sizes {shown}",
        "sizes": path.name,
        "runs": runs,
        "margins": margins_of(sizes),
        "factor": FACTOR,
        "sds": sds_of(sizes),
        "every": [{"loss": v.loss, **rates(found[v])} for v in RETRAINED],
        "dataset": [{"loss": v.loss, **rates(on_one(datasets, unchanged, found[v], seed))} for v in RETRAINED],
        "datasets": len(datasets),
        "single": [{"loss": v.loss, **rates(on_one(cells, unchanged, found[v], seed))} for v in RETRAINED],
        "among": [_among(count, cells, unchanged, twice, seed) for count in counts],
        "near": [{"loss": v.loss, **rates(found[v])} for v in NEAR],
        "edge": rates(found[EDGE]),
        "other_margins": [
            {
                "margin": margin,
                "noises": {f"{v.noise:g}": rates(found[v], margin=margin)["fail"] for v in NOISES},
                "twice": rates(found[Variant(loss=2 * margin)], margin=margin),
            }
            for margin in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
        ],
        "families": [
            {
                "family": family,
                "cells": len(at),
                "unchanged": rates(unchanged[..., at]),
                "twice": rates(twice[..., at]),
                "near": rates(near[..., at]),
            }
            for family, at in {"all": list(range(len(sizes))), **families}.items()
        ],
        "seeds": with_several(sizes, max(runs // FEWER_RUNS, 1), seed),
        "real": real_seeds.leave_one_out(table),
        "seconds": round(time.time() - started, 1),
    }


def with_several(sizes: Sequence[Size], runs: int, seed: int = 0) -> list[dict[str, Any]]:
    """What several seeds a side change: margins, how often an unchanged recipe fails, and a loss on one dataset."""
    found = dict(zip(SEVERAL, judged(sizes, SEVERAL, runs, seed), strict=True))
    datasets = datasets_with_room(sizes)
    rows = []
    for seeds in dict.fromkeys(variant.seeds for variant in SEVERAL):
        unchanged, twice = (found[Variant(loss=loss, seeds=seeds)] for loss in (0.0, 2.0))
        local = rates(on_one(datasets, unchanged, twice, seed)) if datasets else {}
        margins = {"margins": margins_of(sizes, seeds), "unchanged": rates(unchanged), "dataset": local}
        rows.append({"seeds": list(seeds), "runs": runs, **margins})
    return rows


def margins_of(sizes: Sequence[Size], seeds: tuple[int, int] = (1, 1)) -> dict[str, list[float]]:
    """The least, the middle and the largest margin of each metric, in its printed unit."""
    found: dict[str, list[float]] = {}
    for size in sizes:
        found.setdefault(size.metric, []).append(size.margin(seeds))
    return {metric: [min(values), float(np.median(values)), max(values)] for metric, values in found.items()}


def sds_of(sizes: Sequence[Size]) -> dict[str, list[float]]:
    """The least, the middle and the largest standard deviation between seeds of each metric, in its printed unit."""
    found: dict[str, list[float]] = {}
    for size in sizes:
        found.setdefault(size.metric, []).append(size.sd * METRICS.get(size.metric).scale)
    return {m: [round(x, 4) for x in (min(v), float(np.median(v)), max(v))] for m, v in found.items()}


def _among(count: int, cells: Sequence[Sequence[int]], unchanged: Array, twice: Array, seed: int) -> dict[str, float]:
    after, before = among(count, cells, unchanged, twice, seed)
    return {"cells": count, "caught": rates(after)["fail"], "unchanged": rates(before)["fail"]}


def faults(gate: dict[str, Any]) -> list[str]:
    """What a simulated gate does not keep; the edge is allowed three standard errors of the simulation."""
    at, local = ({row["loss"]: row for row in gate[key]} for key in ("every", "dataset"))
    edge = LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / gate["runs"])
    checks = (
        (at[0.0]["fail"] < FALSE_FAIL, "an unchanged model retrained fails in", at[0.0]["fail"]),
        (at[2.0]["fail"] >= CAUGHT, "a loss of twice the margin is caught only in", at[2.0]["fail"]),
        (local[2.0]["fail"] >= CAUGHT, "such a loss on one dataset only is caught only in", local[2.0]["fail"]),
        (gate["edge"]["fail"] <= edge, "a loss of just the margin, without seed noise, fails in", gate["edge"]["fail"]),
        (gate["near"][0]["pass"] >= CAUGHT, "nearly the same weights pass only in", gate["near"][0]["pass"]),
        *_real_faults(gate.get("real")),
    )
    return [f"{text} {100 * rate:.1f} %" for kept, text, rate in checks if not kept]


def _real_faults(real: dict[str, Any] | None) -> Iterator[tuple[bool, str, float]]:
    """The same two bounds on real seeds, as far as so few pairs can show it."""
    if real is not None:
        failed, caught = real["failed"] / real["pairs"], real["caught"] / real["losses"]
        yield failed < max(FALSE_FAIL, 1 / real["pairs"]), "of real pairs of seeds, fail unchanged", failed
        yield caught >= CAUGHT, "of real pairs of seeds, a loss on one dataset is caught only in", caught
