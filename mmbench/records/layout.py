"""How a record of schema 3 lies on disk: what many cells share is written once, and a verdict refers to its cells.

``cells`` are groups of one protocol on one dataset, each with a name (``few_shot_5 on cub``), the fields that its cells
share, and one line for each cell. ``printed`` are groups of numbers that papers print, in the same form. The ``rows``
of a verdict name groups and the models in them; its ``parts`` name each comparison once and list its numbers by place.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mmbench.protocol import Roles
from mmbench.records.schema import SCHEMA, CellPart, ComparisonPart, Record, RowPart, VerdictPart

SHARED = (
    "protocol", "probe", "fingerprint", "reading", "dataset", "metric", "unit", "chance", "examples", "paired_by",
    "grouped_by", "pool",
)  # fmt: skip
WHERE_THERE = ("grouped_by", "pool")  # of SHARED: left out where a cell has none
SHARED_DIGESTS = ("items", "device", "precision", "code", "left_out")  # of ``made_of``
PRINTED = ("protocol", "fingerprint", "dataset")
NUMBERS = ("outcome", "estimate", "low", "high")
WIDTH = 500  # a value that fits in so many characters stays on one line, as most cells do
Raw = dict[str, Any]
Place = tuple[str, str]  # group name and models as they are shown
Placed = dict[str, tuple[str, RowPart]]  # by key: the group that holds a row, and what it holds


def to_raw(record: Record, outcomes: Raw | None) -> Raw:
    """The record as JSON values in the layout above; ``outcomes`` is the digest and size of the file beside it."""
    raw = record.model_dump(mode="json", by_alias=True, exclude={"cells", "verdicts"}) | {"schema": SCHEMA}
    cells, placed = _cell_groups(record.cells)
    printed, numbers = _printed_groups(record)
    raw |= {"outcomes": outcomes, "cells": cells, "printed": printed}
    raw["verdicts"] = [_verdict(part, placed if part.evidence == "measured" else numbers) for part in record.verdicts]
    return raw


def from_raw(raw: Raw) -> Raw:
    """Values for ``Record.model_validate``, without outcomes.

    Raises KeyError, TypeError or ValueError where another layout is found.
    """
    out = {name: value for name, value in raw.items() if name not in ("outcomes", "printed")}
    cells: dict[Place, Raw] = {}
    for group in raw.get("cells", ()):
        shared = {name: value for name, value in group.items() if name not in ("name", "cells", "made_of")}
        for cell in group["cells"]:
            made = group.get("made_of", {}) | cell.get("made_of", {})
            cells[group["name"], _shown(cell)] = {**shared, **cell, "made_of": made}
    numbers = {
        (group["name"], _shown(number)): {**{name: group[name] for name in PRINTED}, **number}
        for group in raw.get("printed", ())
        for number in group["numbers"]
    }
    rows = {place: _row_of(cell) for place, cell in cells.items()}
    out["cells"] = sorted(cells.values(), key=lambda cell: (cell["fingerprint"], *cell["models"], cell["dataset"]))
    out["verdicts"] = [
        part | {"rows": list(_read_rows(part, rows, numbers)), "parts": list(_read_parts(part))}
        for part in raw.get("verdicts", ())
    ]
    return out


def _cell_groups(cells: Sequence[CellPart]) -> tuple[list[Raw], Placed]:
    """Groups in the order of their first cells, and where each cell is."""
    groups: dict[str, Raw] = {}
    placed: Placed = {}
    names: dict[str, int] = {}
    for part in cells:
        own = part.model_dump(mode="json", exclude={"seed_sd"} if part.seed_sd is None else None)
        made = own.pop("made_of")
        if own["halves"] is None:
            del own["halves"]
        shared = {name: value for name in SHARED if (value := own.pop(name)) or name not in WHERE_THERE}
        shared["made_of"] = {name: made.pop(name) for name in SHARED_DIGESTS if name in made}
        mark = json.dumps(shared, sort_keys=True)
        if mark not in groups:
            name = f"{part.protocol} on {part.dataset}" + ("" if part.reading == "paper" else f" ({part.reading})")
            groups[mark] = {"name": _new_name(name, names), **shared, "cells": []}
        groups[mark]["cells"].append(own | ({"made_of": made} if made else {}))
        placed[part.key] = (groups[mark]["name"], RowPart.model_validate(_row_of(part.model_dump())))
    return list(groups.values()), placed


def _printed_groups(record: Record) -> tuple[list[Raw], Placed]:
    """The printed numbers of all verdicts, each once: the first where two verdicts differ in one."""
    groups: dict[tuple[str, ...], Raw] = {}
    placed: Placed = {}
    names: dict[str, int] = {}
    for row in (row for part in record.verdicts if part.evidence != "measured" for row in part.rows):
        if _key(row) in placed:
            continue
        mark = tuple(getattr(row, name) for name in PRINTED)
        if mark not in groups:
            name = _new_name(f"{row.protocol} on {row.dataset}", names)
            groups[mark] = {"name": name, **dict(zip(PRINTED, mark, strict=True)), "numbers": []}
        own = row.model_dump(mode="json", exclude_none=True, exclude=set(PRINTED))
        groups[mark]["numbers"].append(own)
        placed[_key(row)] = (groups[mark]["name"], row)
    return list(groups.values()), placed


def _new_name(name: str, used: dict[str, int]) -> str:
    used[name] = used.get(name, 0) + 1
    return name if used[name] == 1 else f"{name} #{used[name]}"


def _key(row: RowPart) -> str:
    return f"{row.fingerprint}/{row.model}/{row.dataset}"


def _shown(part: Mapping[str, Any]) -> str:
    return str(Roles(*part["models"]))


def _verdict(part: VerdictPart, placed: Placed) -> Raw:
    raw = part.model_dump(mode="json", exclude_defaults=True, exclude={"rows", "parts"})
    if part.rows:
        raw["rows"] = list(_written_rows(part.rows, placed))
    if part.parts:
        raw["parts"] = _written_parts(part.parts)
    return raw


def _written_rows(rows: Iterable[RowPart], placed: Placed) -> Iterator[Any]:
    """``[[group, ...], [models, ...]]`` where neighbouring groups have the same models, and a whole row elsewhere."""
    runs: list[tuple[str, list[str]] | RowPart] = []
    for row in rows:
        name, kept = placed.get(_key(row), ("", row))
        last = runs[-1] if runs else None
        if not name or not _agree(row, kept):
            runs.append(row)
        elif isinstance(last, tuple) and last[0] == name:
            last[1].append(row.model)
        else:
            runs.append((name, [row.model]))
    for models, found in itertools.groupby(runs, lambda run: run[1] if isinstance(run, tuple) else None):
        if models is None:
            yield from (row.model_dump(mode="json") for row in found if isinstance(row, RowPart))
        else:
            yield [[run[0] for run in found if isinstance(run, tuple)], models]


def _agree(row: RowPart, kept: RowPart) -> bool:
    """Whether a verdict's row is the one that is kept, up to the six decimals of cells."""
    numbers = ((row.mean, kept.mean), (row.spread, kept.spread))
    close = all(a == b or (a is not None and b is not None and abs(a - b) < 5e-6) for a, b in numbers)
    return close and (row.protocol, row.trials, row.examples) == (kept.protocol, kept.trials, kept.examples)


def _read_rows(part: Raw, cells: Mapping[Place, Raw], numbers: Mapping[Place, Raw]) -> Iterator[Raw]:
    known = cells if part["evidence"] == "measured" else numbers
    for entry in part.get("rows", ()):
        if isinstance(entry, dict):
            yield entry
            continue
        groups, models = entry
        for place in itertools.product(groups, models):
            if place not in known:
                raise ValueError(f"the verdict on {part['claim']} names {place[1]} in {place[0]!r}, which is not there")
            yield known[place]


def _row_of(cell: Raw) -> Raw:
    """What a verdict says of a measured cell."""
    trials = cell["trials"]
    spread = float(np.std(trials, ddof=1)) if len(trials) > 1 else None
    shared = {name: cell[name] for name in (*PRINTED, "models", "mean", "examples")}
    return shared | {"spread": spread, "trials": len(trials)}


def _written_parts(parts: Sequence[ComparisonPart]) -> Raw:
    """``comparisons`` once, and by place lines of the comparison's number, outcome, estimate, low and high.

    What is None at the end of a line is left out.
    """
    comparisons: dict[str, int] = {}
    places: list[tuple[str, list[Any]]] = []
    for part in parts:
        comparison, place = _split(part.label)
        line = [comparisons.setdefault(comparison, len(comparisons)), *(getattr(part, name) for name in NUMBERS)]
        while line[-1] is None:
            line.pop()
        if not places or places[-1][0] != place:
            places.append((place, []))
        places[-1][1].append(line)
    return {"comparisons": list(comparisons), "places": [list(entry) for entry in places]}


def _read_parts(part: Raw) -> Iterator[Raw]:
    found = part.get("parts", {"comparisons": [], "places": []})
    for place, lines in found["places"]:
        for number, *numbers in lines:
            comparison = found["comparisons"][number]
            label = f"{comparison} ({place})" if place else comparison
            yield {"label": label} | dict(zip(NUMBERS, numbers, strict=False))


def _split(label: str) -> tuple[str, str]:
    """``a - b > 0 (mlp_head, mvsa)`` as comparison and place; the place is empty where the label names none."""
    head, found, place = label.removesuffix(")").rpartition(" (")
    return (head, place) if found and label.endswith(")") and place else (label, "")


def written(value: Any, indent: int = 0) -> str:
    """JSON with what fits in a line on one line, so that a change shows where it is."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(text) + indent <= WIDTH or not isinstance(value, dict | list):
        return text
    pad = "\n" + " " * (indent + 1)
    if isinstance(value, dict):
        inner = [f"{json.dumps(name, ensure_ascii=False)}: {written(part, indent + 1)}" for name, part in value.items()]
        return "{" + pad + ("," + pad).join(inner) + "\n" + " " * indent + "}"
    return "[" + pad + ("," + pad).join(written(part, indent + 1) for part in value) + "\n" + " " * indent + "]"
