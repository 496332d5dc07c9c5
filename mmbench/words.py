"""Words that several messages share: lists that may be long, and names that may hold anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sized
from typing import Any

# Control characters (escape sequences, newlines), lone surrogates (bytes of a file name that are no UTF-8), and marks
# that turn the direction of a line.
_UNSEEN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def printable(text: str) -> str:
    """``text`` in one line, with an escape such as ``\\x1b`` for what a terminal would obey or nothing can encode."""
    return _UNSEEN.sub(_escape, text)


def printable_within(value: Any) -> Any:
    """Plain JSON values with every text in them ``printable``, keys too."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(key) if isinstance(key, str) else key: printable_within(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(printable_within(each) for each in value) if type(value) in (list, tuple) else value
    return value


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    named = {10: "\\n", 13: "\\r", 9: "\\t"}
    return named.get(code) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def listed(names: Iterable[object], most: int = 3) -> str:
    """The first ``most`` names in one line, and how many more there are: ``a, b, c and 4 more``; ``none`` for none."""
    found = list(map(str, names))
    return " ".join(filter(None, (", ".join(found[:most]), rest(found, most)))) or "none"


def rest(found: Sized, most: int) -> str:
    """``and 4 more`` where ``found`` holds four more than ``most``; empty where it holds no more."""
    return f"and {len(found) - most} more" if len(found) > most else ""
