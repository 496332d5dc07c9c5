"""Files written whole or not at all, and digests of files that are read once."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")
TEMPORARY = ".writing-"
_JUST_NOW = 200_000_000  # nanoseconds, many ticks of a file system's clock


class Stamp(NamedTuple):
    """What changes when a file is written again: size, times of content and of status in ns, and inode.

    The time of content alone can be set back (archives and image layers do so), that of the status cannot.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@contextlib.contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """``with atomic(path) as temporary``: what the block writes into ``temporary`` takes the place of ``path``.

    A reader, or a process that is killed, sees the old file or the new one and nothing between. The temporary file
    lies in the same folder, its name begins with ``TEMPORARY`` and ends like the path's, and it is removed when the
    block raises. ``durable``: file and folder are on the disk when the block ends (fsync), which takes milliseconds;
    without it a power cut may cost the file or damage it. The folder must exist; raises OSError.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{os.urandom(4).hex()}-{path.name[-24:]}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        put(temporary, path, durable=durable)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def put(written: Path, path: Path, *, durable: bool = True) -> None:
    """Move a finished file of the same file system to ``path`` in one step; ``durable`` as in ``atomic``."""
    if durable:
        with written.open("rb+") as file:
            os.fsync(file.fileno())
    written.replace(path)
    if durable and os.name != "nt":  # a folder cannot be opened there, and the rename is already durable
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def stamp(path: Path) -> Stamp:
    """The stamp of a file as it lies there now; raises OSError."""
    status = path.stat()
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def settled(seen: Stamp) -> bool:
    """Whether a file of this stamp would show a later write by another stamp.

    A file that changed this very moment may change again within one tick of the file system's clock.
    """
    return time.time_ns() - max(seen.mtime_ns, seen.ctime_ns) > _JUST_NOW


def remembered(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """``read``, called once for a file while the process lives and the file's stamp stays the same."""
    answers: dict[Path, tuple[Stamp, T]] = {}

    @functools.wraps(read)
    def asked(path: Path) -> T:
        seen = stamp(path)
        if path in answers and answers[path][0] == seen:
            return answers[path][1]
        answer = read(path)
        if settled(seen):
            answers[path] = seen, answer
        return answer

    return asked


@remembered
def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file; read once, as ``remembered`` says. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
