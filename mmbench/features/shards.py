"""One shard on disk: rows of features and the digests of their items; the file is named by its checksum.

A safetensors file with ``rows`` float32 ``[n, d]`` and ``items`` uint8 ``[n, 32]`` (SHA-256 of each item), so
any tool can read it. It is written whole (temporary file, fsync, rename, fsync of the folder) and never changed, since
features take long to compute. Scores and notes are written without fsync: damage is found by their checksum, and they
are quickly made again.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench import files

DIGEST_BYTES = 32
SUFFIX = ".safetensors"
TEMPORARY = files.TEMPORARY
_MOST_HEADER = 1 << 20  # bytes; ours has some hundred
_BLOCK = 65536  # rows that are looked through at once


class DamagedFile(Exception):
    """A stored file whose content is not what was written; internal, callers turn it into a warning."""


def write_atomic(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put ``data`` at ``path`` so that a reader, or a killed process, sees all of it or nothing; raises OSError.

    ``durable``: the data is on the disk when this returns, which takes milliseconds. Without it a power cut may remove
    or damage the file; readers find that by the checksum.
    """
    with files.atomic(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def write_shard(
    folder: Path,
    items: NDArray[np.uint8],
    rows: NDArray[np.float32],
    seconds: float,
    write: Callable[[Path, bytes], None] = write_atomic,
) -> Path:
    """Write ``rows`` ``[n, d]`` of ``items`` ``[n, 32]`` with the seconds they took; returns the shard's path."""
    from safetensors.numpy import save

    tensors = {"rows": np.ascontiguousarray(rows, np.float32), "items": np.ascontiguousarray(items, np.uint8)}
    data = save(tensors, metadata={"seconds": repr(float(seconds))})
    path = folder / f"{hashlib.sha256(data).hexdigest()}{SUFFIX}"
    write(path, data)
    return path


def verify(path: Path) -> None:
    """Raise DamagedFile unless the file's SHA-256 is its name."""
    with files.open_plain(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != path.name.removesuffix(SUFFIX):
        raise DamagedFile(f"its checksum is {digest[:12]}… and should be {path.name[:12]}…")


@dataclass(frozen=True)
class Shard:
    """A verified shard: the places of its arrays in the file, and the digests of its items."""

    path: Path
    items: NDArray[np.uint8]
    width: int
    offset: int
    seconds: float

    def __len__(self) -> int:
        return len(self.items)

    def rows(self) -> NDArray[np.float32]:
        """The rows ``[n, width]``, memory-mapped; the file is opened at every call, so that no handle stays open."""
        return np.memmap(self.path, "<f4", mode="r", offset=self.offset, shape=(len(self), self.width))


def open_shard(path: Path) -> Shard:
    """Read the header and the items of a verified shard; raises DamagedFile for another kind of file.

    A checksum says that a file is what was written, not that mmbench wrote it: sizes, places and values are checked.
    """
    try:
        with files.open_plain(path) as file:
            size = os.fstat(file.fileno()).st_size
            (length,) = struct.unpack("<Q", file.read(8))
            if not 0 < length <= min(size - 8, _MOST_HEADER):
                raise DamagedFile(f"its header says that it has {length:,} bytes, of {size:,}")
            header: dict[str, Any] = files.parse_json(file.read(length))
            rows, items = header["rows"], header["items"]
            count, width = (_whole(number) for number in rows["shape"])
            if rows["dtype"] != "F32" or items["dtype"] != "U8" or items["shape"] != [count, DIGEST_BYTES]:
                raise DamagedFile("it holds other arrays than rows and items")
            first, place = (
                8 + length + _start(array["data_offsets"], size - 8 - length, expected)
                for array, expected in ((rows, 4 * count * width), (items, count * DIGEST_BYTES))
            )
            file.seek(place)
            digests = np.frombuffer(file.read(count * DIGEST_BYTES), np.uint8).reshape(count, DIGEST_BYTES)
        shard = Shard(path, digests, width, first, float(header["__metadata__"]["seconds"]))
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFile(f"its header cannot be read ({error})") from error
    if not 0 <= shard.seconds < math.inf:
        raise DamagedFile(f"it took {shard.seconds} seconds")
    if not all(np.isfinite(part).all() for part in np.array_split(shard.rows(), -(-count // _BLOCK))):
        raise DamagedFile("it holds features that are not finite")
    return shard


def _whole(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"{number!r:.40} where a size above 0 belongs")
    return number


def _start(offsets: Any, size: int, expected: int) -> int:
    """Where an array begins behind the header, if it lies within the file and has the expected bytes."""
    first, last = offsets
    if not (
        isinstance(first, int) and isinstance(last, int) and 0 <= first and last <= size and last - first == expected
    ):
        raise ValueError(f"an array lies at {offsets!r:.60} of {size:,} bytes and should have {expected:,}")
    return first
