"""Whether a module that was imported does what its file says now, and which modules users and distributions brought.

Python keeps no text of what it imported, and a constant of a module cannot be told from its functions. So it is noted
when each module is asked for, which comes before its file is read. A file that was last changed before can have been
read only as it stands now. What was changed later may have been read before the change or after it: nothing tells
which. For modules that were imported before mmbench was, the start of the process is the time that is known.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from mmbench.errors import UnknownCode


def _start_of_process() -> float:
    """Seconds since 1970, from Linux' own record; elsewhere the time of this import, which comes a little later."""
    now = time.time()
    try:
        ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return now
    return now - max(age, 0.0)


# The record is in hundredths of a second, rounded down: a file that was written just before is not taken for a newer
# one, and within two hundredths no Python has imported a user's file.
STARTED = _start_of_process() + 0.02
ASKED: dict[str, float] = {}
# The first names of modules: those that a user named for what they hold (``python:MODULE:NAME``), and those of
# installed distributions that offered an entry which was taken.
named: set[str] = set()
offering: set[str] = set()


class Noting:
    """A finder of modules that finds none: it notes when each is asked for, also to be loaded again."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        ASKED[name] = time.time()


def last_change(file: Path) -> float:
    """When a file was last changed, in seconds since 1970; a copy that brings an old date along counts as a change."""
    found = file.stat()
    return max(found.st_mtime, found.st_ctime)  # on Windows st_ctime is the time of the creation


def require_as_imported(module: str, file: Path) -> None:
    """Raise UnknownCode where ``file`` was changed after ``module``, which is imported, was asked for."""
    if last_change(file) > ASKED.get(module, STARTED):
        raise UnknownCode(
            f"{file} was changed while this process runs, so module {module!r} may do something else than it says; "
            "start the run again"
        )


if Noting not in sys.meta_path:
    sys.meta_path.insert(0, Noting)
