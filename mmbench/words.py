"""Words that several messages share: lists that may be long."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[object], most: int = 3) -> str:
    """The first ``most`` names in one line, and how many more there are: ``a, b, c and 4 more``; ``none`` for none."""
    shown = list(map(str, names))
    rest = len(shown) - most
    return (", ".join(shown[:most]) + (f" and {rest} more" if rest > 0 else "")) or "none"
