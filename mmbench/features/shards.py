"""One shard on disk: rows of features and the digests of their items; the file is named by its checksum.

A safetensors file with ``rows`` float32 ``[n, d]`` and ``items`` uint8 ``[n, 32]`` (SHA-256 of each item), so
any tool can read it. It is written whole (temporary file, fsync, rename, fsync of the folder) and never changed, since
features take long to compute. Scores and notes are written without fsync: damage is found by their checksum, and they
are quickly made again.
"""

from __future__ import annotations

import hashlib
import json
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
    with path.open("rb") as file:
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
    """Read the header and the items of a verified shard; raises DamagedFile for another kind of file."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header: dict[str, Any] = json.loads(file.read(length))
            start = 8 + length
            rows, items = header["rows"], header["items"]
            (count, width), first = rows["shape"], start + rows["data_offsets"][0]
            if rows["dtype"] != "F32" or items["dtype"] != "U8" or items["shape"] != [count, DIGEST_BYTES]:
                raise DamagedFile("it holds other arrays than rows and items")
            file.seek(start + items["data_offsets"][0])
            digests = np.frombuffer(file.read(count * DIGEST_BYTES), np.uint8).reshape(count, DIGEST_BYTES)
        return Shard(path, digests, width, first, float(header["__metadata__"]["seconds"]))
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"its header cannot be read ({error})") from error
