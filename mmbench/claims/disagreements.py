"""Where the documents disagree with themselves or with each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Disagreement:
    """``what`` differs at ``where``; ``claims`` are the catalogue's ids that it touches."""

    id: str
    where: str
    what: str
    claims: tuple[str, ...] = ()


DISAGREEMENTS: tuple[Disagreement, ...] = ()


def disagreements_of(claim: str) -> tuple[str, ...]:
    """What is known to disagree about this claim, with the place in front."""
    return tuple(f"{entry.where}: {entry.what}" for entry in DISAGREEMENTS if claim in entry.claims)
