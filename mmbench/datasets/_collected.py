"""What collections from the web have in common: texts of mixed encodings, gaps, and splits that nobody published."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmbench.datasets.declared import is_there, need
from mmbench.datasets.notes import note
from mmbench.datasets.text_files import readable
from mmbench.errors import BadDataset
from mmbench.spec import Value

PERCENT = Value("a whole number from 1 to 99", lambda text: text.isascii() and text.isdigit() and 1 <= int(text) <= 99)


def decoded(raw: bytes) -> tuple[str, bool]:
    """The text of ``raw``, and whether it was UTF-8; other bytes are read as Latin-1, in which every byte is a letter.

    A mark of byte order and zero bytes are taken away.
    """
    try:
        text, known = raw.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        text, known = raw.decode("latin-1"), False
    return text.replace("\0", ""), known


@dataclass
class Gaps:
    """What of a collection became no item, and what was read in another way than expected: names by reason."""

    where: str
    what: str
    left_out: dict[str, list[str]] = field(default_factory=dict)
    read_otherwise: dict[str, list[str]] = field(default_factory=dict)

    def leave_out(self, name: str, why: str) -> None:
        self.left_out.setdefault(why, []).append(name)

    def other(self, name: str, how: str) -> None:
        self.read_otherwise.setdefault(how, []).append(name)

    def tell(self) -> None:
        """A warning of one line for each reason, with its count and the first names."""
        for why, names in self.left_out.items():
            note(self.where, f"{self.what} left out", names, why)
        for how, names in self.read_otherwise.items():
            note(self.where, f"{self.what} {how}", names)


def names_in(folder: Path, layout: str) -> frozenset[str]:
    """Names of the plain files of a folder, listed once. Raises MissingAsset or BadDataset."""
    if is_there(folder) and not folder.is_dir():
        raise BadDataset(f"{readable(folder)} is not a folder; expected {layout}")
    try:
        with os.scandir(need(folder, layout)) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except OSError as error:
        raise BadDataset(f"{readable(folder)} cannot be listed ({error.strerror})") from error


def held_out(ids: Sequence[str], seed: int, percent: int, where: str) -> frozenset[str]:
    """The ids that are tested on: ``percent`` of them, those whose SHA-256 with the seed in front is smallest.

    It depends on no library and on no order. Raises BadDataset where one side would be empty.
    """
    count = round(len(ids) * percent / 100)
    if not 0 < count < len(ids):
        raise BadDataset(
            f"{where} has {len(ids)} items, of which {percent} % are {count}: one of train and test would be empty; "
            "choose held_out= otherwise"
        )
    return frozenset(sorted(ids, key=lambda item: hashlib.sha256(f"{seed}:{item}".encode()).hexdigest())[:count])
