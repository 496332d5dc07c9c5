"""What a person names must be there: a missing file or a mistyped role is an error, with the nearest name."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.errors import MissingAsset
from mmbench.spec import split

if TYPE_CHECKING:
    from mmbench.lineups.reader import DatasetBinding, ModelBinding

NEAR = 0.8  # a role this similar to a known one is taken for a typing mistake
MOST = 10_000  # names of a folder that are looked at


def require_there(binding: ModelBinding | DatasetBinding) -> None:
    """Ask the binding's entry for its identity, which is read from its files; nothing is loaded into memory.

    A lineup may bind what is not on this machine, and cells without it are unmeasured. Who binds a role by hand wants
    it measured: raises MissingAsset, with the nearest name beside a missing file, and what the entry raises.
    """
    try:
        if getattr(binding.entry.identity(), "weights", "") is None:
            _require_weights(os.path.expandvars(binding.spec))
    except MissingAsset as error:
        near = nearest(os.path.expandvars(binding.spec))
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise MissingAsset(f"{binding.where}: {error}{hint}") from error


def _require_weights(spec: str) -> None:
    """An entry tells no weights where their file is missing, and a model of a user's own where it has none."""
    from mmbench.models.checkpoints import require_file, weights_path

    file = split(spec).file
    with contextlib.suppress(RuntimeError):  # a home folder that nobody has is said when the model is loaded
        if file and not (path := weights_path(file)).exists():
            require_file(path, f"model {spec!r}")


def nearest(spec: str) -> list[str]:
    """Names of files that come near a missing one of a specification ``SOURCE:PATH?...`` or ``SOURCE:NAME@PATH``."""
    text = spec.partition(":")[2].partition("?")[0].partition("#")[0]
    for candidate in (text.rpartition("@")[2], text):
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            path = Path(candidate).expanduser()
            while path.parent != path and not path.parent.is_dir():
                path = path.parent
            if not path.exists():
                beside = [each.name for each in itertools.islice(path.parent.iterdir(), MOST)]
                if near := difflib.get_close_matches(path.name, beside, n=2, cutoff=0.5):
                    return [str(path.with_name(name)) for name in near]
    return []


def likely_role(role: str, known: list[str]) -> str | None:
    """The known role that ``role`` was probably meant to be, or None for a known or a clearly new one."""
    if role in known:
        return None
    near = difflib.get_close_matches(role, known, n=1, cutoff=NEAR)
    begun = [name for name in known if name.startswith(role)]  # bit for bit_m, fashion for fashion_mnist
    slips = [name for name in known if _is_slip(role, name)]  # clop for clip
    return next(iter([*begun, *near, *slips]), None)


def _is_slip(role: str, known: str) -> bool:
    """Whether the two differ in one letter, or in two neighbours that changed places; another digit is another name."""
    apart = [(a, b) for a, b in zip(role, known, strict=False) if a != b]
    if len(role) != len(known) or len(known) < 3 or not all(sign.isalpha() for pair in apart for sign in pair):
        return False
    return len(apart) == 1 or (len(apart) == 2 and apart[0] == apart[1][::-1])
