"""What a cell's scores are stored under, and digests that tell where two runs part."""

from __future__ import annotations

import functools
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.bench.source import LineupSource, has_items
from mmbench.features.keys import digest_of
from mmbench.inputs.entry import FAMILIES, Inputs
from mmbench.inputs.labelled import models_of
from mmbench.protocol import Cell

if TYPE_CHECKING:
    from mmbench.probes.entry import Probe

SCHEMA = 2


def cell_key(source: LineupSource, cell: Cell, probe: Probe) -> str | None:
    """The store's key of the cell's scores: everything that could change them. None when a part is unknown."""
    parts = FAMILIES.get(probe.inputs).parts(source, cell)
    if any(part is None for part in parts):
        return None
    return digest_of(
        {"schema": SCHEMA, "protocol": cell.protocol.fingerprint(), "inputs": list(parts), "code": code_digest()}
    )


@functools.cache
def code_digest() -> str:
    """Digest of the source that turns features into outcomes; a change of it makes every stored score stale."""
    root = Path(__file__).parents[1]
    hasher = hashlib.sha256()
    for path in [path for room in ("metrics", "probes", "inputs") for path in sorted((root / room).glob("*.py"))]:
        hasher.update(path.read_bytes())
    return hasher.hexdigest()[:16]


def stages(source: LineupSource, cell: Cell, inputs: Inputs) -> dict[str, Any]:
    """Digests of what a cell is made from, stage by stage, to find where two runs part."""
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
    return found | ({"preprocessed": prepared} if prepared else {})


def provenance(source: LineupSource, cell: Cell) -> dict[str, Any]:
    """What made the cell's scores: protocol, models, dataset, device and when."""
    return {
        "protocol": cell.protocol.name,
        "fingerprint": cell.protocol.fingerprint(),
        "reading": cell.protocol.reading,
        "models": {model.name: source.identity(model).weights for model in models_of(source, cell)},
        "dataset": source.dataset_entry(cell.dataset).identity(),
        "device": source.device,
        "precision": source.precision,
        "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def digest(*arrays: NDArray[Any]) -> str:
    """Short hex SHA-256 over types, shapes and values of arrays, in order."""
    hasher = hashlib.sha256()
    for array in arrays:
        hasher.update(f"{array.dtype} {array.shape}".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()[:16]
