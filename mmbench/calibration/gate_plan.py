"""What a gate of these cells can promise: ``mmbench gate RECORD --plan``, by the simulation of ``gate_simulation``.

For the cells named: how often an unchanged recipe fails, and how often a loss of twice the margin on one dataset is
caught, with one seed a side and with several, and at other margins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mmbench.calibration.gate_simulation import (
    CAUGHT,
    FALSE_FAIL,
    SEVERAL,
    Array,
    Size,
    Variant,
    judged,
    margins_of,
    rates,
    sizes_of,
    table_of,
)
from mmbench.errors import BadSpec
from mmbench.metrics import METRICS
from mmbench.records.schema import Record

MULTIPLES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # of the default margins, tried with one seed a side
RUNS = 200


@dataclass(frozen=True)
class Promise:
    """Seeds a side, margins in defaults, and the two rates: by whole gate, and by dataset that has lost."""

    seeds: tuple[int, int]
    margin: float
    false_fail: float
    caught: dict[str, float]

    @property
    def kept(self) -> bool:
        """Whether an unchanged recipe fails rarely enough, and a loss on every one of the datasets is seen."""
        return self.false_fail < FALSE_FAIL and min(self.caught.values(), default=1.0) >= CAUGHT


@dataclass(frozen=True)
class Plan:
    """The cells of one role, and what is promised of them; ``runs`` simulated gates a number."""

    sizes: tuple[Size, ...]
    promises: tuple[Promise, ...]
    runs: int


def plan(record: Record, cells: str = "", runs: int = RUNS, seed: int = 0) -> Plan:
    """Simulate the gate of the record's cells whose names match ``cells`` (words joined by and, or, not).

    Raises BadSpec where nothing matches, or the lineup has no table of seed scores.
    """
    sizes = sizes_of(record, table_of(record), matching(cells))
    others = tuple(Variant(loss=2 * margin) for margin in MULTIPLES)
    variants = tuple(dict.fromkeys((*SEVERAL, *others)))
    found = dict(zip(variants, judged(sizes, variants, runs, seed), strict=True))
    promises = [_promise(sizes, found, seeds) for seeds in dict.fromkeys(variant.seeds for variant in SEVERAL)]
    promises += [_promise(sizes, found, (1, 1), margin) for margin in MULTIPLES if margin != 1.0]
    return Plan(sizes, tuple(promises), runs)


def _promise(
    sizes: tuple[Size, ...], found: dict[Variant, Array], seeds: tuple[int, int], margin: float = 1.0
) -> Promise:
    unchanged, twice = (found[Variant(loss=loss, seeds=seeds)] for loss in (0.0, 2 * margin))
    caught = {}
    for dataset in dict.fromkeys(size.dataset for size in sizes):
        at = [number for number, size in enumerate(sizes) if size.dataset == dataset]
        if all(_can_lose(sizes[number], 2 * margin, seeds) for number in at):
            damaged = unchanged.copy()
            damaged[..., at] = twice[..., at]
            caught[dataset] = rates(damaged, margin=margin)["fail"]
    return Promise(seeds, margin, rates(unchanged, margin=margin)["fail"], caught)


def _can_lose(size: Size, margins: float, seeds: tuple[int, int]) -> bool:
    return size.mean - size.chance >= margins * size.margin(seeds) / METRICS.get(size.metric).scale


def matching(text: str) -> Callable[[str], bool]:
    """Whether a cell's name holds the words of ``text``, joined by ``and``, ``or`` and ``not`` as pytest's ``-k``.

    Raises BadSpec for parentheses and for a word that is missing.
    """
    if "(" in text or ")" in text:
        raise BadSpec(f"-k {text!r}: parentheses are not read here; write A and B or C, which means (A and B) or C")
    ways = [[part.split() for part in way.split(" and ")] for way in text.split(" or ")] if text.strip() else []
    for part in (part for way in ways for part in way):
        if len(part) != 1 + (part[:1] == ["not"]):
            raise BadSpec(f"-k {text!r}: expected words joined by 'and', 'or' and 'not', found {' '.join(part)!r}")

    def chosen(name: str) -> bool:
        return not ways or any(all((part[-1] in name) != (part[0] == "not") for part in way) for way in ways)

    return chosen


def plan_lines(found: Plan) -> Iterator[str]:
    """The plan in words: what the cells are, what each choice keeps, and which keeps both promises."""
    datasets = list(dict.fromkeys(size.dataset for size in found.sizes))
    error = 100 * (FALSE_FAIL * (1 - FALSE_FAIL) / found.runs) ** 0.5
    yield (
        f"{len(found.sizes)} cells on {len(datasets)} datasets; {found.runs} simulated gates a number, so that one of "
        f"{100 * FALSE_FAIL:g} % is known to {error:.2g} points (standard error)"
    )
    bare = sum(size.sd > 0 and not size.recorded for size in found.sizes)
    if bare:
        yield f"{bare} cells have no seeds on record in this base: their margin is the least one, whatever seeds do"
    yield f"to keep: an unchanged recipe fails in under {100 * FALSE_FAIL:g} %; a loss of twice the margin on one"
    yield f"dataset is caught in at least {100 * CAUGHT:g} %"
    yield f"{'seeds (base, candidate)':24} {'margins':34} {'unchanged fails':>16}  caught on the worst dataset"
    for promise in found.promises:
        spans = margins_of(found.sizes, promise.seeds)
        margins = ", ".join(
            f"{m} {promise.margin * a:.3g} to {promise.margin * b:.3g}" for m, (a, _, b) in spans.items()
        )
        worst = min(promise.caught, key=lambda d: promise.caught[d], default="")
        said = f"{100 * promise.caught[worst]:.3g} % ({worst})" if worst else "no dataset has so much to lose"
        seeds = f"{promise.seeds[0]}, {promise.seeds[1]}"
        verdict = "kept" if promise.kept else "not kept"
        yield f"{seeds:24} {margins:34} {100 * promise.false_fail:>14.3g} %  {said}; {verdict}"
    kept = [promise for promise in found.promises if promise.kept]
    default = found.promises[0]
    if default.kept:
        yield "the default margins keep both with one seed a side"
    elif kept:
        one = [p for p in kept if p.seeds == (1, 1)]
        if one:
            yield f"with one seed a side, {min(p.margin for p in one):g} times the default margins keep both"
        several = [p for p in kept if p.seeds != (1, 1)]
        if several:
            old, new = several[0].seeds
            yield f"with the default margins, {old} seeds of the base and {new} of the candidate keep both"
    else:
        yield "nothing that was tried keeps both; name fewer cells with -k, or more examples"
