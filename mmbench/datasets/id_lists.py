"""Lists of ids in a file: a line each, a JSON list, or the pickle of a list of texts, which is read and never run.

Pickles can run any code when they are loaded. Here the standard library's ``pickletools`` only takes the file apart
into its steps, and this module follows those that build one list of texts or whole numbers. Any other step is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmbench import files
from mmbench.datasets.text_files import lines_of, parse_json, readable, require_plain
from mmbench.errors import BadDataset

MOST_BYTES = 1 << 26
_PICKLE = b"\x80"  # with which every pickle of protocol 2 or later begins
_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_NUMBERS = {"BININT", "BININT1", "BININT2", "LONG1"}
_KEPT = {"BINPUT", "LONG_BINPUT"}
_AGAIN = {"BINGET", "LONG_BINGET"}
_SAFELY = "write its ids into a text file instead, one a line, where you trust the file"


def read_ids(file: Path) -> tuple[str, ...]:
    """The ids of a file in its order, by what the file holds and not by its name; empty lines are skipped.

    Raises BadDataset for anything but a list of texts or whole numbers, and FileNotFoundError where nothing is there.
    """
    raw = _bytes(file)
    if raw.startswith(_PICKLE):
        return tuple(_of_pickle(raw, readable(file)))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadDataset(
            f"{readable(file)} is neither UTF-8 text nor a pickle of protocol 2 or later ({error}); {_SAFELY}"
        ) from error
    if not text.lstrip().startswith("["):
        return tuple(line.strip() for line in lines_of(text) if line.strip())
    found = parse_json(text, readable(file))
    if stray := [value for value in found if isinstance(value, bool) or not isinstance(value, str | int)]:
        raise BadDataset(f"{readable(file)} holds {stray[0]!r:.60}, expected a JSON list of texts or whole numbers")
    return tuple(str(value).strip() for value in found)


def _bytes(file: Path) -> bytes:
    try:
        return files.read_plain(require_plain(file, MOST_BYTES), MOST_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadDataset(f"{readable(file)} cannot be read ({error.strerror})") from error


def _of_pickle(raw: bytes, where: str) -> list[str]:
    """The list that a pickle holds. Its steps: a new list, values (some named, to be used again), values appended."""
    found: list[str] = []
    waiting: list[str] = []  # values that no step has appended yet
    memo: dict[int, str | None] = {}  # None is the list itself
    begun = marked = False
    for step, given in _steps(raw, where):
        last = waiting[-1] if waiting else None
        if step in ("PROTO", "FRAME"):
            continue
        if step == "EMPTY_LIST" and not begun:
            begun = True
        elif step in _KEPT:
            memo[given] = last
        elif step == "MEMOIZE":
            memo[len(memo)] = last
        elif step == "STOP" and begun and not waiting and not marked:
            return found
        elif step == "MARK" and begun and not marked:
            marked = True
        elif step in _TEXTS | _NUMBERS and begun and (marked or not waiting):
            waiting.append(str(given))
        elif step in _AGAIN and (again := memo.get(given)) is not None and (marked or not waiting):
            waiting.append(again)
        elif (step == "APPENDS" and marked) or (step == "APPEND" and waiting and not marked):
            found += waiting
            waiting, marked = [], False
        else:
            raise BadDataset(f"{where} is a pickle of something else than a list of texts ({step}); {_SAFELY}")
    raise BadDataset(f"{where} is a pickle without an end; copy it again, or {_SAFELY}")


def _steps(raw: bytes, where: str) -> Iterator[tuple[str, Any]]:
    try:
        for step, given, _ in pickletools.genops(raw):
            yield step.name, given
    except Exception as error:  # pickletools raises ValueError and more on damaged files
        raise BadDataset(f"{where} is a damaged pickle ({error}); copy it again, or {_SAFELY}") from error
