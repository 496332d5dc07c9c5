"""Locks between processes that say whom they wait for, and do not wait for a process that is stopped."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger("mmbench.locks")

SAY_AFTER = 3.0  # seconds
SAY_AGAIN = 600.0
MOST = 12 * 3600.0


class StillHeld(TimeoutError):
    """Another process holds a lock, and it is stopped or has held it for longer than anything takes."""


@contextlib.contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold the lock at ``path`` while the block runs; a run that waits says what for, and for which process.

    Raises StillHeld where the other process is stopped, or after ``MOST`` seconds; OSError where the file cannot be
    made; NotImplementedError on a file system without locks.
    """
    from filelock import FileLock, Timeout

    lock, began, said = FileLock(path, thread_local=False), time.monotonic(), 0.0
    while True:
        try:
            lock.acquire(timeout=SAY_AFTER, poll_interval=0.2 if said else 0.05)
            break
        except Timeout:
            waited = time.monotonic() - began
            owner = owner_of(path)
            if owner is not None and is_stopped(owner):
                raise StillHeld(
                    f"{_named(owner)} holds {path} and is stopped; let it go on (kill -CONT {owner}) or end it"
                ) from None
            if waited > MOST:
                raise StillHeld(
                    f"{_named(owner)} has held {path} for more than {MOST / 3600:.0f} hours; end it"
                ) from None
            if owner != os.getpid() and (not said or waited - said > SAY_AGAIN):
                said = waited
                logger.warning("%s is at work on %s; waiting for it (%s)", _named(owner), what, path)
    try:
        yield
    finally:
        lock.release()


def owner_of(path: Path) -> int | None:
    """The process that holds the lock, where the system says so (/proc/locks); None where it does not."""
    try:
        status = path.stat()
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in lines:
        fields = line.split()
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == place and int(fields[4]) > 0:
            return int(fields[4])
    return None


def is_stopped(process: int) -> bool:
    """Whether a process waits for a signal to go on (Ctrl-Z, a debugger); False where nobody knows."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in ("T", "t")


def _named(process: int | None) -> str:
    return "another process" if process is None else f"process {process}"
