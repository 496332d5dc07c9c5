"""Reading and writing records: JSON, written once and never edited, with the outcomes in a file beside it.

A reader refuses a schema that it does not know. Schema 3 moved the outcomes out of the JSON; schema 2 added what the
gate pairs by and what explains how two runs differ (outcomes, digests, identities), which a record of schema 1 lacks.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from mmbench import files
from mmbench.errors import BadScores, BadSpec
from mmbench.records.layout import from_raw, to_raw, written
from mmbench.records.legacy import upgraded
from mmbench.records.outcomes import SUFFIX, OutcomesFile, encode, groups_key
from mmbench.records.schema import SCHEMA, BadRecord, CellPart, Record
from mmbench.words import printable_within

READABLE = (1, 2, SCHEMA)
NUMBERED = "[0-9][0-9][0-9][0-9]_*"
MOST_BYTES = 1 << 28  # of a record's JSON
MOST_OUTCOMES = 1 << 28  # of a record of schema 2, which unpacks them


def read_record(path: Path) -> Record:
    """The record in ``path``. Raises BadRecord naming the file and what is wrong with it.

    It may come from anywhere: only a plain file of bounded size is read, and its texts are shown with escapes.

    The outcomes of a cell are read when first asked for; BadOutcomes says then that their file is missing or altered.
    """
    try:
        raw = printable_within(files.parse_json(files.read_plain(path, MOST_BYTES)))
    except FileNotFoundError:
        raise BadRecord(f"there is no record at {path}; a run of pytest benchmarks writes one") from None
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadRecord(f"{path} is not a record: {why}") from error
    if not isinstance(raw, dict) or "schema" not in raw:
        raise BadRecord(f"{path} is not a record: it has no 'schema'")
    if raw["schema"] not in READABLE:
        known = ", ".join(map(str, READABLE))
        raise BadRecord(
            f"{path} has schema {raw['schema']!r} and this mmbench reads schemas {known}; "
            "read it with the mmbench version that wrote it"
        )
    try:
        return _record(path, raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRecord(f"{path}, field {where}: {first['msg']}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise BadRecord(f"{path} is not laid out as schema {raw['schema']} has it: {what}") from error


def _record(path: Path, raw: dict[str, Any]) -> Record:
    if raw["schema"] != SCHEMA:
        old = Record.model_validate(upgraded(raw))
        outcomes = sum(len(cell.trials) * cell.examples for cell in old.cells if cell.outcomes is not None)
        if outcomes > MOST_OUTCOMES:
            raise ValueError(f"its cells have {outcomes:,} outcomes, and no more than {MOST_OUTCOMES:,} are read")
        return old
    record = Record.model_validate(from_raw(raw))
    beside = raw.get("outcomes")
    if beside is None:
        return record
    file = OutcomesFile(path, str(beside["sha256"]), int(beside["bytes"]))
    return record.model_copy(update={"cells": tuple(_with_arrays(part, file) for part in record.cells)})


def _with_arrays(part: CellPart, file: OutcomesFile) -> CellPart:
    """The cell with what the file beside the record holds of it, to be read when first asked for."""
    if not part.paired_by:
        return part
    found = {"outcomes": file.outcomes(part.key)}
    return part.model_copy(update=found | ({"groups": file.groups(part.paired_by)} if part.grouped_by else {}))


def save_record(record: Record, folder: Path) -> Path:
    """Write ``<folder>/<NNNN>_<label>.json`` under the next free number; an existing record stays.

    The outcomes are written before the JSON, as ``<NNNN>_<label>.safetensors``. Each file appears whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    json_bytes, outcomes = _encoded(record)
    with _temporary(folder, json_bytes) as text, _temporary(folder, outcomes) as arrays:
        taken = {int(path.name[:4]) for path in folder.glob(NUMBERED)}
        number = max(taken, default=0)
        while True:
            number += 1
            target = folder / f"{number:04d}_{record.stem}.json"
            beside = target.with_suffix(SUFFIX)
            # Another run may have taken the number's name meanwhile; a rename would overwrite it.
            try:
                if arrays is not None:
                    files.put_new(arrays, beside)
            except FileExistsError:
                continue
            try:
                assert text is not None
                files.put_new(text, target)
            except FileExistsError:
                if arrays is not None:
                    beside.replace(arrays)  # does nothing where both are links to one file
                    beside.unlink(missing_ok=True)
                continue
            return target


def write_record(record: Record, path: Path) -> tuple[Path, ...]:
    """Write the record as ``path`` and its outcomes beside it; the files written.

    Raises BadSpec where one of them exists or the name does not end in ``.json``.
    """
    beside = path.with_suffix(SUFFIX)
    if path.suffix != ".json":
        raise BadSpec(f"{path} does not end in .json; name the record NUMBER_LABEL.json")
    for there in (path, beside):
        if there.exists():
            raise BadSpec(f"{there} exists and no record is written over; give another name or remove it")
    json_bytes, outcomes = _encoded(record)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(path.parent, json_bytes) as text, _temporary(path.parent, outcomes) as arrays:
        if arrays is not None:
            files.put_new(arrays, beside)
        assert text is not None
        files.put_new(text, path)
    return (path, beside) if outcomes is not None else (path,)


def _encoded(record: Record) -> tuple[bytes, bytes | None]:
    """The bytes of the record's JSON and of its outcomes; None where no cell has any.

    Raises BadRecord where a cell's outcomes cannot be read, BadOutcomes where the file that holds them is not here.
    """
    kept = [part for part in record.cells if part.outcomes is not None]
    try:
        arrays = {part.key: part.outcomes.array for part in kept if part.outcomes is not None}
        outcomes = encode(arrays | _groups(kept))
    except BadScores as error:
        raise BadRecord(f"outcomes of {record.label}: {error}") from error
    beside = {"sha256": hashlib.sha256(outcomes).hexdigest(), "bytes": len(outcomes)} if kept else None
    text = written(to_raw(record, beside)) + "\n"
    return text.encode(), outcomes if kept else None


def _groups(parts: list[CellPart]) -> dict[str, NDArray[np.int64]]:
    """What examples were made from, once for all cells on the same ones."""
    found: dict[str, NDArray[np.int64]] = {}
    for part in parts:
        if part.groups is not None and part.paired_by is not None:
            first = found.setdefault(groups_key(part.paired_by), part.groups.array)
            if not np.array_equal(first, part.groups.array):
                raise BadScores(f"{part} has other groups of the same examples than a cell before it")
    return found


@contextlib.contextmanager
def _temporary(folder: Path, data: bytes | None) -> Iterator[Path | None]:
    """A file in ``folder`` that holds ``data`` and is on the disk; gone afterwards. None for None."""
    if data is None:
        yield None
        return
    files.sweep(folder)
    path = folder / files.own_name()
    try:
        with path.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        yield path
    finally:
        path.unlink(missing_ok=True)


def records_under(*folders: Path) -> list[Path]:
    """Record files below the folders, oldest first by number within a machine and by time between machines."""
    found = [path for folder in folders if folder.is_dir() for path in folder.rglob(f"{NUMBERED}.json")]
    return sorted(found, key=lambda path: (path.stat().st_mtime, path.name))
