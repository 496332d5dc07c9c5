"""Words that several messages share: lists that may be long."""

from __future__ import annotations

from collections.abc import Iterable, Sized


def listed(names: Iterable[object], most: int = 3) -> str:
    """The first ``most`` names in one line, and how many more there are: ``a, b, c and 4 more``; ``none`` for none."""
    found = list(map(str, names))
    return " ".join(filter(None, (", ".join(found[:most]), rest(found, most)))) or "none"


def rest(found: Sized, most: int) -> str:
    """``and 4 more`` where ``found`` holds four more than ``most``; empty where it holds no more."""
    return f"and {len(found) - most} more" if len(found) > most else ""
