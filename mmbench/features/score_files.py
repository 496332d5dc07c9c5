"""Scores on disk: one safetensors file for each cell, with what made them and a checksum.

Nothing that such a file says is believed before it was checked: it may be damaged, or made by someone else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench import files
from mmbench.errors import BadScores, MMBenchError
from mmbench.features.shards import DamagedFile
from mmbench.scores import Scores

MOST_BYTES = 1 << 32  # a larger file is not read
# Arrays of a score besides its outcomes, which not all scores have, and their types.
_PARTS = {"classes": np.int64, "groups": np.int64, "halves": np.float32}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "metric": str,
    "examples": str,
    "chance": float,
    "pool": (float, type(None)),
    "grouped_by": str,
    "provenance": dict,
}


def packed(key: str, scores: Scores) -> bytes:
    """The bytes of a cell's file; raises TypeError when provenance is not JSON."""
    from safetensors.numpy import save

    record = {
        "metric": scores.metric,
        "examples": scores.examples,
        "chance": float(scores.chance),
        "pool": scores.pool,
        "grouped_by": scores.grouped_by,
        "provenance": scores.provenance,
    }
    text = json.dumps(record, sort_keys=True, default=_plain)
    arrays: dict[str, NDArray[Any]] = {"outcomes": np.ascontiguousarray(scores.outcomes, np.float32)}
    for name, kind in _PARTS.items():
        if (part := getattr(scores, name)) is not None:
            arrays[name] = np.ascontiguousarray(part, kind)
    metadata = {"record": text, "sha256": digest_of_arrays(key, text, arrays)}
    return save(arrays, metadata=metadata)


def read(path: Path, key: str) -> Scores:
    """The scores in a file that ``packed`` made under this key.

    Raises FileNotFoundError, and DamagedFile for everything else that ``packed`` does not make.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        data = files.read_plain(path, MOST_BYTES)
        metadata, arrays = metadata_of(data), load(data)
        if not metadata:
            raise DamagedFile("it says nothing of what it holds")
        text = metadata["record"]
        if metadata["sha256"] != digest_of_arrays(key, text, arrays):
            raise DamagedFile("its checksum is not the recorded one")
        return _scores(_record(text), arrays)
    except (FileNotFoundError, DamagedFile):
        raise
    except KeyError as error:
        raise DamagedFile(f"it lacks {error}") from error
    except (SafetensorError, MMBenchError, ValueError, TypeError, OSError) as error:
        raise DamagedFile(str(error)) from error


def _record(text: str) -> Any:
    try:
        return files.parse_json(text)
    except ValueError as error:
        raise DamagedFile(f"its record is no JSON: {error}") from error


def metadata_of(data: bytes) -> dict[str, Any]:
    """What ``save`` was given beside the arrays, empty for nothing; the library's own reader of bytes leaves it out.

    Raises DamagedFile.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise DamagedFile("its header is longer than the file")
    header = files.parse_json(data[8 : 8 + length])
    found = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(found, dict):
        raise DamagedFile("it says nothing of what it holds")
    return found


def _scores(record: Any, arrays: Mapping[str, NDArray[Any]]) -> Scores:
    if not isinstance(record, dict):
        raise DamagedFile("what made the scores is no table")
    for name, kind in _KINDS.items():
        if not isinstance(record[name], kind) or isinstance(record[name], bool):
            raise DamagedFile(f"its {name} is {record[name]!r:.60}")
    if not np.isfinite(record["chance"]):
        raise DamagedFile(f"its chance level is {record['chance']}")
    for name, array in arrays.items():
        wanted = _PARTS.get(name, np.float32)
        if name not in ("outcomes", *_PARTS) or array.dtype != wanted:
            raise DamagedFile(f"it holds {name} of {array.dtype}")
    parts: dict[str, Any] = {name: arrays.get(name) for name in _PARTS}
    made = (record["metric"], record["examples"], record["chance"], record["provenance"])
    try:
        return Scores(arrays["outcomes"], *made, pool=record["pool"], grouped_by=record["grouped_by"], **parts)
    except (IndexError, AttributeError) as error:  # shapes that nothing of ours has
        raise BadScores(str(error)) from error


def digest_of_arrays(key: str, record: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """The checksum of a file: hex SHA-256 over its key, what it says of its arrays, and these."""
    hasher = hashlib.sha256(f"{key}\0{record}\0".encode())
    for name in sorted(arrays):
        hasher.update(f"{name} {arrays[name].shape}\0".encode())
        hasher.update(arrays[name].tobytes())
    return hasher.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"provenance holds {value!r} of type {type(value).__name__}, which JSON does not have")
