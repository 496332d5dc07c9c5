"""Text files that come with a dataset: tables, names and templates. Plain files of bounded size, in UTF-8."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmbench import files
from mmbench.errors import BadDataset
from mmbench.words import printable

MOST_BYTES = 16 << 20  # of a file of names or templates
MOST_TABLE = 4 << 30  # of a table, which is read line by line
MOST_LINE = 64 << 20
TEMPLATES = "zeroshot_classification_templates.txt"  # beside shards, as CLIP_benchmark has it: with {c} for the class


def require_plain(file: Path, most: int = MOST_BYTES) -> Path:
    """The path, if a plain file of at most ``most`` bytes lies there (a pipe or a device could be read for ever).

    Raises BadDataset, and FileNotFoundError where nothing is there.
    """
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(str(error)) from error
    except (OSError, ValueError) as error:
        raise BadDataset(f"{readable(file)} cannot be read ({_why(error)})") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
        raise BadDataset(f"{readable(file)} is {kind}, expected a plain file")
    if status.st_size > most:
        raise BadDataset(f"{readable(file)} has {status.st_size:,} bytes, more than the limit of {most:,}")
    return file


def read_text(file: Path, most: int = MOST_BYTES) -> str:
    """The whole file, without a byte order mark at its start. Raises as ``require_plain`` does, and for other bytes."""
    require_plain(file, most)
    try:
        return files.read_plain(file, most).decode("utf-8-sig")
    except OSError as error:
        raise BadDataset(f"{readable(file)} cannot be read ({_why(error)})") from error
    except UnicodeDecodeError as error:
        raise BadDataset(f"{readable(file)} is not UTF-8 text ({error}); convert it") from error


def read_lines(file: Path, most: int = MOST_TABLE, most_line: int = MOST_LINE) -> Iterator[str]:
    """The lines of a table one by one, with their ends, without a byte order mark. Raises as ``read_text`` does."""
    require_plain(file, most)
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            while line := stream.readline(most_line + 1):
                if len(line) > most_line:
                    raise BadDataset(
                        f"{readable(file)} has a line of more than {most_line:,} characters; is it a table?"
                    )
                yield line
    except UnicodeDecodeError as error:
        raise BadDataset(f"{readable(file)} is not UTF-8 text ({error}); convert it") from error
    except OSError as error:
        raise BadDataset(f"{readable(file)} cannot be read ({_why(error)})") from error


def lines_of(text: str) -> list[str]:
    """The lines of a file: other signs at which ``str.splitlines`` divides (U+2028, form feed) may stand in a name."""
    return re.split("\r\n|\r|\n", text)


def read_class_names(file: Path) -> tuple[str, ...]:
    """A class name a line; the line's number, from 0, is the label. Raises BadDataset for an empty line before the end.

    An empty line would give its number to the name below it.
    """
    text = read_text(file).rstrip()
    lines = [line.strip() for line in lines_of(text)] if text else []
    if not all(lines):
        raise BadDataset(
            f"{readable(file)}, line {lines.index('') + 1} is empty: the place of a line is the label, so every class "
            "must have its line"
        )
    return tuple(lines)


def read_entries(file: Path) -> tuple[str, ...]:
    """An entry a line, in no order that means anything: empty lines are skipped."""
    return tuple(line.strip() for line in lines_of(read_text(file)) if line.strip())


def parse_json(text: str, where: str) -> Any:
    """What a JSON text says. Raises BadDataset, which begins with ``where``: no JSON, too deep, a key given twice."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise BadDataset(f"{where} is nested too deeply to be data") from None
    except ValueError as error:
        raise BadDataset(f"{where} is not valid JSON ({error}); copy it again or repair it") from error


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return found


def require_text(text: str, where: str) -> str:
    """``text``. Raises BadDataset, which begins with ``where``, for half of a surrogate pair: no file can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadDataset(f"{where} holds half of a surrogate pair, which is no text: {text!a}") from None
    return text


def readable(name: Path | str) -> str:
    """A file's name in one line of text; bytes that are not UTF-8 as ``\\xe9``."""
    return printable(str(name))


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
