"""Outcomes by trial and example: in memory, in a test's note, or in the file beside a record, read when first needed.

The file ``NNNN_label.safetensors`` holds one array ``[trials, examples]`` for each cell, under the cell's key: uint8
where every outcome is 0 or 1, float32 otherwise. What examples were made from is there once for all cells on the same
examples, int64 ``[examples]`` or ``[examples, k]`` under ``groups/`` and their digest. The record holds the file's
SHA-256 and size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench import files
from mmbench.errors import MMBenchError
from mmbench.records.outcome_codec import unpack, unpack_groups

SUFFIX = ".safetensors"
MOST_BYTES = 1 << 30  # a larger file is not read


class BadOutcomes(MMBenchError):
    """The outcomes that belong to a record are missing, altered or unreadable."""


class Outcomes:
    """Outcomes of a cell, float32 ``[trials, examples]``, or groups of its examples; ``array`` is loaded on first use.

    ``array`` raises BadOutcomes when the file beside the record is missing or altered, and BadScores when a packed text
    cannot be unpacked.
    """

    def __init__(self, load: Callable[[], NDArray[Any]]) -> None:
        self._load = load

    @cached_property
    def array(self) -> NDArray[Any]:
        return self._load()

    def same(self, other: Outcomes) -> bool:
        """Whether both are equal bit by bit."""
        return self.array.shape == other.array.shape and self.array.tobytes() == other.array.tobytes()

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Outcomes) and self.same(other))

    __hash__ = None  # type: ignore[assignment]


def as_outcomes(value: Any) -> Any:
    """Outcomes of an array, or of the packed text of a test's note or of a record of schema 2."""
    if isinstance(value, str):
        return Outcomes(lambda: unpack(value))
    return Outcomes(lambda: value) if isinstance(value, np.ndarray) else value


def as_groups(value: Any) -> Any:
    """Groups of examples from an array, or from the packed text of a test's note."""
    if isinstance(value, str):
        return Outcomes(lambda: unpack_groups(value))
    return Outcomes(lambda: value) if isinstance(value, np.ndarray) else value


def groups_key(paired_by: str) -> str:
    """Under which key the file holds the groups of these examples."""
    return f"groups/{paired_by}"


def encode(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of an outcomes file; the same arrays give the same bytes."""
    from safetensors.numpy import save

    return save({name: _smallest(arrays[name]) for name in sorted(arrays)}, {"format": "mmbench outcomes"})


def _smallest(array: NDArray[Any]) -> NDArray[Any]:
    """Outcomes as uint8 where that loses no bit (-0.0 equals 0.0 and is another float); groups as they are."""
    if array.dtype.kind == "i":
        return np.ascontiguousarray(array, np.int64)
    with np.errstate(invalid="ignore"):  # NaN has no integer
        small = array.astype(np.uint8)
    same = small.astype(np.float32).tobytes() == np.ascontiguousarray(array, np.float32).tobytes()
    return np.ascontiguousarray(small if same else array)


class OutcomesFile:
    """The file beside a record; found by its content, read and checked once.

    It has the record's name with ``.safetensors`` in place of ``.json``. Under another name in the same folder it is
    found by size and SHA-256, so that a record may be renamed alone.
    """

    def __init__(self, record: Path, sha256: str, size: int) -> None:
        self.record, self.sha256, self.size = record, sha256, size

    def outcomes(self, key: str) -> Outcomes:
        return Outcomes(lambda: self._of(key).astype(np.float32))

    def groups(self, paired_by: str) -> Outcomes:
        return Outcomes(lambda: self._of(groups_key(paired_by)).astype(np.int64))

    def _of(self, key: str) -> NDArray[Any]:
        if key not in self.arrays:
            raise BadOutcomes(f"{self.path} holds no outcomes of {key}; run pytest benchmarks again for a whole record")
        return self.arrays[key]

    @property
    def path(self) -> Path:
        return self.record.with_suffix(SUFFIX)

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays by key. Raises BadOutcomes for a file that is missing, altered, too large or not safetensors."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            return load(self._bytes())
        except (SafetensorError, KeyError, ValueError) as error:
            raise BadOutcomes(f"{self.path} is no safetensors file that can be read: {error}") from error

    def _bytes(self) -> bytes:
        if self.size > MOST_BYTES:
            raise BadOutcomes(f"{self.record} gives {self.size} bytes for its outcomes; at most {MOST_BYTES} are read")
        others = sorted(self.record.parent.glob(f"*{SUFFIX}"))
        for path in (self.path, *(other for other in others if other != self.path)):
            if path.is_file() and path.stat().st_size == self.size:
                data = files.read_plain(path, self.size)
                if hashlib.sha256(data).hexdigest() == self.sha256:
                    return data
        raise BadOutcomes(self._absent())

    def _absent(self) -> str:
        way_out = "copy the file from where the run was made (git does not keep it), or run pytest benchmarks again"
        wanted = f"SHA-256 {self.sha256[:12]}..., {self.size} bytes"
        if not self.path.is_file():
            return f"outcomes by trial and example are missing: {self.record} expects {self.path} ({wanted}); {way_out}"
        with files.open_plain(self.path) as file:
            found = f"SHA-256 {hashlib.file_digest(file, 'sha256').hexdigest()[:12]}..., {file.tell()} bytes"
        return f"{self.path} is not what {self.record} was written with: expected {wanted}, found {found}; {way_out}"
