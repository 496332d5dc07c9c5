"""What a dataset passed over or holds twice: counted and named in one line, as a warning."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

SHOWN = 3  # names in a line


class DatasetWarning(UserWarning):
    """Something of a dataset that a reader must know of: files that were passed over, items in train and in test."""


def note(where: str, what: str, names: Sequence[str], why: str = "") -> None:
    """One line that ``where`` (a dataset) has so many of ``what``, with the first names; nothing for none of them."""
    if names:
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        listed = ", ".join(map(repr, names[:SHOWN]))
        warnings.warn(f"{where}: {len(names):,} {what}{why and f' ({why})'}: {listed}{more}", DatasetWarning, 3)
