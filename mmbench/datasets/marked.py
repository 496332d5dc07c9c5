"""Texts with a part that is asked about, such as a class name within its caption."""

from __future__ import annotations

import hashlib

from mmbench.errors import BadItem


class Marked(str):
    """A text, and the offsets ``start`` and ``end`` (characters, the end excluded) of its marked part.

    It is an ordinary string to whatever knows nothing of marks. Raises BadItem for a part that is empty, blank or
    not within the text.
    """

    start: int
    end: int

    def __new__(cls, text: str, start: int, end: int) -> Marked:
        if not 0 <= start < end <= len(text) or not text[start:end].strip():
            raise BadItem(
                f"the text {text!r}: expected the offsets of a marked part that is not empty, from 0 to {len(text)}, "
                f"found {start} to {end}"
            )
        made = super().__new__(cls, text)
        made.start, made.end = start, end
        return made

    def __getnewargs__(self) -> tuple[str, int, int]:  # type: ignore[override]  # so that it can be copied
        return str(self), self.start, self.end

    @property
    def part(self) -> str:
        return self[self.start : self.end]


def text_digest(text: str) -> str:
    """Hex SHA-256 of a text and, where a part of it is marked, of the part's offsets."""
    mark = f"\0{text.start}:{text.end}" if isinstance(text, Marked) else ""
    return hashlib.sha256(f"{text}{mark}".encode()).hexdigest()
