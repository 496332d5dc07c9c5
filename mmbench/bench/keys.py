"""What a cell's scores are stored under, and digests that tell where two runs differ."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.bench.code import dataset_code, known_code
from mmbench.bench.lineup_source import LineupSource, has_items
from mmbench.features.keys import digest_of
from mmbench.inputs.entry import FAMILIES, Inputs
from mmbench.inputs.labelled import models_of
from mmbench.metrics import Metric
from mmbench.metrics.jackknife import Jackknifed
from mmbench.protocol import Cell

if TYPE_CHECKING:
    from mmbench.probes.entry import Probe

SCHEMA = 4
ROOMS = frozenset({"attacks", "inputs", "metrics", "probes", "seeds", "training"})  # what computes outcomes


def cell_key(source: LineupSource, cell: Cell, probe: Probe, metric: Metric) -> str | None:
    """The store's key of the cell's scores: everything that could change them. None when a part is unknown."""
    parts = FAMILIES.get(probe.inputs).parts(source, cell)
    if any(part is None for part in parts):
        return None
    code = code_digest(probe, metric)
    read_by = dataset_code(cell.dataset, source.dataset_entry(cell.dataset).load)
    if code is None or read_by is None:
        return None
    made_of = {"protocol": cell.protocol.fingerprint(), "inputs": list(parts), "code": code, "read_by": read_by}
    if metric.over != "rows":  # then no classes and groups of rows are stored; left out where it is the usual
        made_of["over"] = metric.over
    return digest_of({"schema": SCHEMA, "metric": metric.name, **made_of})


def code_digest(probe: Probe, metric: Metric) -> str | None:
    """Digest of the program that turns inputs into outcomes: what the probe, its inputs and its metric do.

    ``chance_of`` counts, since the chance level is stored with the scores. The unit, scale, bounds and better end of
    the metric do not: they are read from the metric whenever scores are.

    None, with a StoreWarning, where nobody knows what runs (``known_code``).
    """
    from mmbench.probes import halves

    outcome = metric.outcome
    # the functions of a jackknifed metric are named one by one below: of the object itself its class is all that counts
    of_metric = type(outcome) if isinstance(outcome, Jackknifed) else outcome
    functions: list[Callable[..., Any]] = [probe.run, FAMILIES.get(probe.inputs).gather, of_metric]
    functions += [probe.pool] if probe.pool else []
    if probe.fits_test:
        functions.append(halves.draw)
    also: list[Callable[..., Any]] = [metric.chance_of] if metric.chance_of else []
    if isinstance(outcome, Jackknifed):
        functions.append(outcome.statistic)
        also += [outcome.leave_one_out, *([outcome.spread] if outcome.spread else [])]
    return known_code(f"scores of the probe {probe.name!r} by {metric.name!r}", functions, ROOMS, also)


def stages(source: LineupSource, cell: Cell, inputs: Inputs) -> dict[str, Any]:
    """Digests of what a cell is made from, stage by stage, to find where two runs differ."""
    from mmbench.features.extract import item_digests

    dataset = source.dataset(cell.dataset)
    models = [source.model(role) for role in cell.models]
    kinds = dict.fromkeys(model.modality for model in models)
    items = {
        name: digest(*(item_digests(part, kind)[0] for kind in kinds if has_items(part, kind)))
        for name, part in dataset.splits.items()
    }
    found: dict[str, Any] = {"items": items, "features": digest(*inputs.arrays())}
    images = dataset.split("test").images
    prepared = {}
    for model in models_of(source, cell):
        encoder = source.loaded(model)
        if images is not None and encoder is not None and encoder.prepare is not None:
            prepared[model.name] = digest(encoder.prepare(images.image(0)).numpy())
    found |= getattr(inputs, "made_with", {})
    return found | ({"preprocessed": prepared} if prepared else {})


def provenance(source: LineupSource, cell: Cell) -> dict[str, Any]:
    """What made the cell's scores: protocol, models, dataset, device, shards of features and when."""
    return {
        "protocol": cell.protocol.name,
        "fingerprint": cell.protocol.fingerprint(),
        "reading": cell.protocol.reading,
        "models": {model.name: source.identity(model).weights for model in models_of(source, cell)},
        "dataset": source.dataset_entry(cell.dataset).identity(),
        "device": source.device,
        "precision": source.precision,
        "shards": source.shards_of(models_of(source, cell)),
        "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def digest(*arrays: NDArray[Any]) -> str:
    """Short hex SHA-256 over types, shapes and values of arrays, in order."""
    hasher = hashlib.sha256()
    for array in arrays:
        hasher.update(f"{array.dtype} {array.shape}".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()[:16]
