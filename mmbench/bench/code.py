"""The digest of code that a key holds, or none, with a warning, where nobody knows what runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any

from mmbench.errors import MissingAsset, UnknownCode
from mmbench.features.store import StoreWarning
from mmbench.program import behind_digest, code_of

# What turns a file of weights and an item into a feature, beside the module of the model's source.
ENCODING = ("mmbench.features.encode", "mmbench.datasets.images")
MODEL_ROOMS = frozenset(
    {"models", "zoo.frozen", "zoo.packing", "zoo.weight_files", *(name.removeprefix("mmbench.") for name in ENCODING)}
)


def known_code(
    what: str, functions: Sequence[Callable[..., Any]], rooms: Collection[str], also: Sequence[Callable[..., Any]] = ()
) -> str | None:
    """``code_of``; None, with a StoreWarning that ``what`` is not stored, where the code cannot be told.

    That is so where a function has no source file (it was typed into a notebook or at a prompt), where its file was
    changed after this process started, and where it keeps what nothing tells from another thing.
    """
    return _or_none(what, lambda: code_of(functions, rooms, also))


def model_code(name: str, load: Callable[..., Any]) -> str | None:
    """The digest of the code that loads a model, prepares items and encodes them; None as ``known_code``."""
    return _or_none(f"features of {name}", lambda: behind_digest(load, MODEL_ROOMS, ENCODING))


def dataset_code(name: str, load: Callable[..., Any]) -> str | None:
    """The digest of the code that reads a dataset's items, labels and classes; None as ``known_code``."""
    return _or_none(f"scores on {name}", lambda: behind_digest(load, {"datasets"}))


def _or_none(what: str, digest: Callable[[], str]) -> str | None:
    try:
        return digest()
    except MissingAsset as error:
        why = f"{error}; write it in a file and import it"
    except UnknownCode as error:
        why = str(error)
    warnings.warn(f"{what} are not stored: {why}", StoreWarning, stacklevel=4)
    return None
