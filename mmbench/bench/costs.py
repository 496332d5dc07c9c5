"""What a bench pays for, one line a piece of work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one piece of work took.

    ``kind`` is ``features``, ``training`` or ``cell``; ``fresh`` is False when it was read back.
    """

    kind: str
    name: str
    seconds: float
    fresh: bool
    items: int = 0
