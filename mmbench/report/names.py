"""Roles as pages and figures name them: a role that a stand-in plays is never shown as the thing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmbench.protocol import Roles
from mmbench.records.comparing import bindings
from mmbench.records.schema import Binding, Record

STAR = "*"
STARRED = f"{STAR} played by a stand-in"


@dataclass(frozen=True)
class Names:
    """The roles of one record that stand-ins play, by name."""

    stand_ins: dict[str, Binding]

    @classmethod
    def of(cls, record: Record) -> Names:
        return cls({role: bound for role, bound in bindings(record).items() if bound.stand_in_for})

    def full(self, *roles: str) -> str:
        """``cifar10 (played by: categories)``, ``clip+clip_t (played by: zoo:clip, zoo:clip_t)``."""
        players = [self.stand_ins[role].spec for role in roles if role in self.stand_ins]
        return str(Roles(*roles)) + (f" (played by: {', '.join(players)})" if players else "")

    def player(self, role: str) -> str:
        """What plays a role: roles with one player show the same data."""
        return self.stand_ins[role].spec if role in self.stand_ins else role

    def starred(self, roles: Sequence[str]) -> str:
        """``clip*+clip_t*``, where there is no room for the full name; STARRED explains the star."""
        return "+".join(f"{role}{STAR}" if role in self.stand_ins else role for role in roles)
