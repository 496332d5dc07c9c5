"""What a cell's scores must say of its examples, known without features: how many, which, their classes and groups.

It follows from the dataset alone for most families of inputs. It is noted when a cell is measured, in the cache and not
in the store, which may come from someone else; so a run that reads scores back lists no dataset for them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench import files
from mmbench.assets import cache_dir
from mmbench.bench.code import dataset_code
from mmbench.bench.keys import digest
from mmbench.bench.lineup_source import LineupSource
from mmbench.bench.solving import gather, halves_of, labels_of, metric_of, pool_of, probe_of
from mmbench.features.keys import digest_of
from mmbench.inputs.captions import Captions
from mmbench.inputs.entry import FAMILIES, Inputs, dataset_part
from mmbench.inputs.labelled import Labelled
from mmbench.inputs.mapped import Mapped
from mmbench.inputs.pair import Pair
from mmbench.inputs.pixels import Pixels, chosen, images_of, targets_of
from mmbench.inputs.prompts import Prompted
from mmbench.inputs.transferred import Transferred
from mmbench.inputs.visual_words import Pictured
from mmbench.protocol import Cell, Settings
from mmbench.scores import Scores

if TYPE_CHECKING:
    from mmbench.datasets.entry import Dataset

SCHEMA = 1
MOST_BYTES = 1 << 16  # of a note
_NONE = np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class Examples:
    """What scores say of their examples: ``examples`` as in ``Scores``, digests of classes and groups (empty: none)."""

    examples: str
    count: int
    classes: str
    groups: str
    grouped_by: str
    chance: float
    pool: float | None
    halves: int

    @classmethod
    def of(cls, scores: Scores) -> Examples:
        return cls(
            scores.examples,
            scores.outcomes.shape[1],
            _digest(scores.classes),
            _digest(scores.groups),
            scores.grouped_by,
            float(scores.chance),
            scores.pool,
            0 if scores.halves is None else len(scores.halves),
        )

    def differing(self, other: Examples) -> list[str]:
        """The names of what differs, as a reader calls it."""
        mine, theirs = asdict(self), asdict(other)
        return [_SAID[name] for name in mine if mine[name] != theirs[name]]


_SAID = {
    "examples": "ids of the examples",
    "count": "number of examples",
    "classes": "classes",
    "groups": "groups",
    "grouped_by": "kind of groups",
    "chance": "chance level",
    "pool": "share of the training pool",
    "halves": "number of halves",
}


def noted(source: LineupSource, cell: Cell) -> Examples | None:
    """What was noted of the cell's examples, or None."""
    key = _key(source, cell)
    if key is None:
        return None
    try:
        found = files.parse_json(files.read_plain(cache_dir() / "examples" / f"{key}.json", MOST_BYTES))
        return Examples(**found)
    except (OSError, ValueError, TypeError):
        return None


def note(source: LineupSource, cell: Cell, found: Examples) -> None:
    """Note what is known of the cell's examples; a cache that cannot be written only costs time."""
    key = _key(source, cell)
    if key is None:
        return
    path = cache_dir() / "examples" / f"{key}.json"
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic(path, durable=False) as temporary:
            temporary.write_text(json.dumps(asdict(found)))


def read(source: LineupSource, cell: Cell) -> Examples:
    """The same from the dataset itself; where that does not say it, from the gathered inputs. Raises what these do."""
    probe = probe_of(cell.protocol)
    make = _BARE.get(probe.inputs)
    inputs = make(source, cell, source.dataset(cell.dataset)) if make else gather(source, cell)
    labels = labels_of(source, cell, inputs)
    kept = cell.protocol.settings.counted(len(inputs.truth))
    return Examples(
        labels["examples"],
        kept,
        _digest(labels["classes"]),
        _digest(labels["groups"]),
        labels["grouped_by"],
        float(labels["chance"]),
        pool_of(cell, inputs),
        len(halves_of(source, cell, inputs)),
    )


def _key(source: LineupSource, cell: Cell) -> str | None:
    """What decides all that is noted: dataset, reader, family, metric, and the settings where they count."""
    probe, metric, protocol = probe_of(cell.protocol), metric_of(source, cell), cell.protocol
    read_by = dataset_code(cell.dataset, source.dataset_entry(cell.dataset).load)
    in_models = probe.inputs not in _BARE
    parts = list(FAMILIES.get(probe.inputs).parts(source, cell)) if in_models else [dataset_part(source, cell)]
    if read_by is None or any(part is None for part in parts):
        return None
    whole = probe.pool or probe.fits_test or type(protocol.settings).counted is not Settings.counted
    return digest_of(
        {
            "schema": SCHEMA,
            "parts": parts,
            "read_by": read_by,
            "family": probe.inputs,
            "metric": [metric.name, metric.over],
            "settings": protocol.fingerprint() if whole else repr(protocol.settings.for_inputs()),
            "reduced": dict(source.reduced(protocol.probe)),
        }
    )


# The inputs of a cell without features: they have the same truth, ids and examples.
Bare = Callable[[LineupSource, Cell, "Dataset"], Inputs]


def _labelled(source: LineupSource, cell: Cell, found: Dataset) -> Labelled:
    test, train = found.split("test"), found.splits.get("train")
    train_y = test.labels[:0] if train is None else train.labels
    return Labelled(_NONE, train_y, _NONE, test.labels, found.classes)


def _prompted(source: LineupSource, cell: Cell, found: Dataset) -> Prompted:
    return Prompted(_NONE, found.split("test").labels, found.classes, _NONE)


def _pictured(source: LineupSource, cell: Cell, found: Dataset) -> Pictured:
    return Pictured(_NONE, found.split("test").labels, found.classes, 0)


def _pair(source: LineupSource, cell: Cell, found: Dataset) -> Pair:
    return Pair((), found.classes)  # type: ignore[arg-type]


def _pixels(source: LineupSource, cell: Cell, found: Dataset) -> Pixels:
    test = found.split("test")
    rows = chosen(len(test), images_of(source, cell))
    labels, ids = test.labels[rows], tuple(test.ids[row] for row in rows)
    targets = targets_of(cell, labels, len(found.classes))
    return Pixels(_NONE, labels, ids, found.classes, lambda images: images, _NONE, _NONE, targets=targets)


def _transferred(source: LineupSource, cell: Cell, found: Dataset) -> Transferred:
    both = _pixels(source, cell, found)
    return Transferred(both, both)


def _captions(source: LineupSource, cell: Cell, found: Dataset) -> Captions:
    some = _pixels(source, cell, found)
    return Captions(_NONE, _NONE, _NONE, some.labels, some.ids, found.classes, lambda *given, **how: [])


def _mapped(source: LineupSource, cell: Cell, found: Dataset) -> Mapped:
    test = found.split("test")
    truth = np.unique(np.array(test.texts), return_inverse=True)[1] if test.texts else test.labels
    return Mapped(_NONE, _NONE, truth.astype(np.int64))


_BARE: dict[str, Bare] = {
    "labelled": _labelled,
    "prompts": _prompted,
    "visual_words": _pictured,
    "pair": _pair,
    "pixels": _pixels,
    "transferred": _transferred,
    "captions": _captions,
    "mapped": _mapped,
}


def _digest(part: NDArray[Any] | None) -> str:
    return "" if part is None else digest(np.ascontiguousarray(part, np.int64))
