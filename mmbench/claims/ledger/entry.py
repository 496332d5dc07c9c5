"""One entry of the ledger: two sources that do not say the same, and what mmbench does about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """``says`` is what the paper prints, ``other`` what the other source does or says, both at the places ``where``.

    ``code`` starts with ``D-`` where a paper differs from its authors' code (or from the owner of a model or dataset),
    and with ``T-`` where a text differs from its own tables or from another text. ``ours`` is what mmbench does about
    it. ``probe`` and ``settings`` name a probe and those of its settings that differ between the readings ``paper`` and
    ``code`` of its protocols; both are empty where no protocol carries the difference. ``claims`` are the ids of the
    sentences that a T entry touches, also of those that are not registered yet.
    """

    code: str
    study: str
    topic: str
    where: str
    says: str
    other: str
    ours: str
    probe: str = ""
    settings: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.code

    @property
    def what(self) -> str:
        """Both sides in one sentence."""
        return f"{self.says}; {self.other}"

    def __str__(self) -> str:
        return f"{self.code}, {self.where}: {self.what}"
