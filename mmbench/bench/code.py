"""The digest of code that a key holds, or none, with a warning, where nobody knows what runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any

from mmbench.errors import MissingAsset, UnknownCode
from mmbench.features.store import StoreWarning
from mmbench.program import code_of


def known_code(
    what: str, functions: Sequence[Callable[..., Any]], rooms: Collection[str], also: Sequence[Callable[..., Any]] = ()
) -> str | None:
    """``code_of``; None, with a StoreWarning that ``what`` is not stored, where the code cannot be told.

    That is so where a function has no source file (it was typed into a notebook or at a prompt), where its file was
    changed after this process started, and where it keeps what nothing tells from another thing.
    """
    try:
        return code_of(functions, rooms, also)
    except MissingAsset as error:
        why = f"{error}; write it in a file and import it"
    except UnknownCode as error:
        why = str(error)
    warnings.warn(f"{what} are not stored: {why}", StoreWarning, stacklevel=3)
    return None
