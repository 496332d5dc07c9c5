"""Errors that name the thing, what was expected, what was found and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mmbench.words import printable

MOST = 30  # names that a message lists


class MMBenchError(Exception):
    """Base of every error that mmbench raises on purpose.

    Its text is one line: what a name of a file or class holds besides is escaped.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class UnknownName(MMBenchError, KeyError):
    """A name that no entry has; the message suggests the nearest ones, or lists all in the order given.

    Of more than ``MOST`` names, of which none is near, the nearest are given all the same.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "", *, list_all: bool = False) -> None:
        self.kind, self.name = kind, name
        names = list(known) if list_all else sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if near and not list_all:
            tail = f"Did you mean {' or '.join(repr(n) for n in near)}?"
        elif len(names) > MOST and not list_all:
            holding = [known for known in names if name.lower() in known.lower()]
            nearest = holding[:3] or difflib.get_close_matches(name, names, n=3, cutoff=0.0)
            tail = f"There are {len(names)}; the nearest are {', '.join(map(repr, nearest))}."
        else:
            tail = f"Known: {', '.join(names) if names else 'none'}."
        self.message = f"no {kind} named {name!r}. {tail}" + (f" {hint}" if hint else "")
        super().__init__(self.message)

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return printable(self.message)


class DuplicateName(MMBenchError):
    """Two entries under one name."""


class BrokenEntryPoint(MMBenchError):
    """An entry point of an installed distribution that cannot be loaded or gives no entry; names the distribution."""


class BadSpec(MMBenchError):
    """A lineup file, role binding or model or dataset spec that cannot be read."""


class UnknownLayer(UnknownName):
    """A layer that an encoder does not have; the message lists those it has. A lineup that binds it lacks the cell."""


class NoGradients(BadSpec):
    """An encoder whose features have no gradients to pixels. A lineup that binds it lacks the cells of attacks."""


class MissingAsset(MMBenchError):
    """A file that is needed, is not here and could not be fetched; the message says how to get it."""


class UnknownCode(MMBenchError):
    """Code that runs and that no file tells: its file was changed since, or an object keeps what cannot be read."""


class CorruptAsset(MMBenchError):
    """A file whose digest, size or magic number is not the declared one."""


class BadItem(MMBenchError):
    """A dataset item that cannot be read (truncated, empty, too large); names the file."""


class BadDataset(MMBenchError):
    """A dataset that breaks its contract: one class, missing split, wrong counts."""


class BadFeatures(MMBenchError):
    """Features that are not finite, or not of the declared width."""


class NotFinite(BadFeatures):
    """Weights or features that are no finite numbers: the model is broken, whatever it is measured on."""


class BadScores(MMBenchError):
    """Scores that are not finite, or whose shapes do not fit."""


class BadForm(MMBenchError):
    """A claim's form that cannot be asked: a mean over metrics of opposite direction, a kink in a smooth function."""


class NotEnoughShots(MMBenchError):
    """A class with fewer rows than the protocol draws; names the class."""


class StoreError(MMBenchError):
    """The feature store cannot be written or read; what was finished before stays."""


class Unmeasured(MMBenchError):
    """A cell that this lineup cannot measure; says what is missing and how to get it."""


class MissingExtra(MMBenchError):
    """An optional library is not installed; names the extra that brings it."""

    def __init__(self, library: str, extra: str, owner: str) -> None:
        super().__init__(f"{owner} needs {library}; install it with: pip install 'mmbench[{extra}]'")
