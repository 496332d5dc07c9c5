"""Class names and label arrays from the labels of a table, a shard or a row."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.notes import note
from mmbench.errors import BadDataset

OURS = {"train": "train", "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "test": "test"}


def single(
    columns: Mapping[str, Sequence[str]], where: str, classes: Sequence[str] | None = None
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]]]:
    """Class names and int64 ``[n]`` labels by split. Without ``classes`` they are the values, sorted.

    Raises BadDataset for a value that is not a class or holds several, and when there are fewer than two classes.
    """
    if classes is None:
        refuse_lists(
            (value for column in columns.values() for value in column),
            where,
            "each item has one class here: write the name of the class, or read the items from a table with labels=COL",
        )
    names = _names(classes, (value for column in columns.values() for value in column), where)
    place = {name: number for number, name in enumerate(names)}
    return names, {split: np.array([place[v] for v in column], np.int64) for split, column in columns.items()}


def numbered(
    columns: Mapping[str, Sequence[int]], where: str, classes: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]]]:
    """As ``single``, of values that are the labels' own numbers: two classes may have one name."""
    _enough(classes, where)
    for value in (value for column in columns.values() for value in column):
        if not 0 <= value < len(classes):
            raise BadDataset(f"{where} has the label {value}, and there are {len(classes)} class names, from 0 on")
    return tuple(classes), {split: np.array(column, np.int64) for split, column in columns.items()}


def several(
    columns: Mapping[str, Sequence[Sequence[str]]], where: str, classes: Sequence[str] | None = None
) -> tuple[tuple[str, ...], dict[str, NDArray[np.bool_]]]:
    """Class names and bool ``[n, classes]`` labels by split, for items with any number of labels; as ``single``."""
    names = _names(classes, (value for column in columns.values() for row in column for value in row), where)
    place = {name: number for number, name in enumerate(names)}
    found = {split: np.zeros((len(column), len(names)), dtype=bool) for split, column in columns.items()}
    for split, column in columns.items():
        for row, values in enumerate(column):
            found[split][row, [place[value] for value in values]] = True
    return names, found


def refuse_multi_hot(rows: Sequence[Sequence[Any]], where: str) -> None:
    """Raise BadDataset where all rows of labels are vectors of 0 (or -1) and 1: their places are the classes.

    They are vectors where all have one length above 1, or one holds a value twice, as no list of classes does. Which
    class a place is, such rows do not say.
    """
    values = {str(value) for row in rows for value in row}
    lengths = {len(row) for row in rows}
    vectors = len(lengths) == 1 and max(lengths) > 1
    if values <= _BITS and (vectors or any(len(set(map(str, row))) < len(row) for row in rows)):
        raise BadDataset(
            f"{where} has rows of {'-1' if values & _MINUS else '0'} and 1, such as {list(rows[0])!r}: a number for "
            f"each class. {_NO_NAMES}"
        )


def refuse_lists(values: Iterable[str], where: str, way_out: str) -> None:
    """Raise BadDataset for a text that holds several values, and for texts of 0 and 1 with a place for each class."""
    found = list(dict.fromkeys(values))
    for value in found:
        if (_LIST.fullmatch(value) or _NUMBERS.fullmatch(value)) and not _THOUSANDS.fullmatch(value):
            raise BadDataset(f"{where} has the label {value!r}, which holds several values; {way_out}")
    # numbers of classes (100, 101) have no zero in front, and those of one width (000, 001) begin with zero
    one_width = len({len(value) for value in found}) == 1 and all(map(_BIT_TEXT.fullmatch, found))
    if one_width and any(value[0] == "0" for value in found):
        raise BadDataset(f"{where} has labels of 0 and 1, such as {found[0]!r}: a number for each class. {_NO_NAMES}")


def is_list(text: str) -> bool:
    """Whether a text stands in brackets as a whole, as Python, JSON and NumPy write lists: ``[a]|[b]`` does not."""
    text = text.strip()
    closing = {"[": "]", "{": "}", "(": ")"}.get(text[:1])
    depth = 0
    for place, sign in enumerate(text if closing else ""):
        depth += (sign == text[0]) - (sign == closing)
        if depth == 0:
            return place == len(text) - 1
    return False


_NO_NAMES = "They do not say which class is which; write the names of each item's classes"
_MINUS = frozenset({"-1", "-1.0"})
_BITS = frozenset({"0", "1", "0.0", "1.0", "False", "True"}) | _MINUS
_BIT_TEXT = re.compile("(?=0*1)[01]{3,}")
_VALUE = r"[-+0-9.][-+0-9.e]*|True|False"
_LIST = re.compile(  # as Python, JSON and NumPy write lists
    rf"""\[(.*[,'"].*|\s*({_VALUE})(\s+({_VALUE}))*\s*)\]|\{{.*['":].*\}}""", re.DOTALL
)
_NUMBERS = re.compile(r"-?[0-9]+(\.0*)?(\s*[,;|\s]\s*-?[0-9]+(\.0*)?)+")
_THOUSANDS = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+")
_NUMBER = re.compile(r"-?[0-9]{1,18}")


def is_label(value: str) -> bool:
    """Whether a text is the number of a label: digits of ASCII, few enough for an int64."""
    return value[:1] != "-" and _NUMBER.fullmatch(value) is not None


def _names(classes: Sequence[str] | None, values: Iterable[str], where: str) -> tuple[str, ...]:
    seen = set(values)
    names = tuple(classes) if classes is not None else tuple(sorted(seen, key=_order))
    if classes is None:
        _tell_alike(names, where)
    if stray := sorted(seen - set(names), key=lambda value: (is_label(value), value)):
        raise BadDataset(f"{where} has the label {stray[0][:60]!r}, which is not one of its {len(names)} classes")
    times = Counter(names)
    if twice := [name for name in names if times[name] > 1 and name in seen]:
        raise BadDataset(
            f"{where} has the label {twice[0]!r}, which is the name of several of its classes; label by number"
        )
    return _enough(names, where)


def _tell_alike(names: Sequence[str], where: str) -> None:
    """One warning that names classes which a reader may take for one; BadDataset where only blanks around them differ.

    Without a list of classes, each way of writing a name makes a class of its own.
    """
    stripped: dict[str, str] = {}
    alike: dict[str, list[str]] = {}
    for name in names:
        other = stripped.setdefault(name.strip(), name)
        if other != name:
            raise BadDataset(f"{where} has the labels {other!r} and {name!r}, which blanks alone tell apart; write one")
        alike.setdefault(_plainly(name), []).append(name)
    same = [" / ".join(group) for group in alike.values() if len(group) > 1]
    note(where.rstrip(","), "names of classes that differ in letter case, blanks or form of Unicode alone", same)


def _plainly(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    seen = "".join(sign for sign in folded if unicodedata.category(sign) != "Cf")  # joiners and marks of no width
    return " ".join(unicodedata.normalize("NFKC", seen).split())


def _enough(names: Sequence[str], where: str) -> tuple[str, ...]:
    if len(names) < 2:
        only = f"only the class {names[0]!r}" if names else "no labels"
        raise BadDataset(f"{where} has {only}; there must be two classes or more")
    return tuple(names)


def _order(value: str) -> tuple[int, int, str]:
    """A sort key: whole numbers first, by value; of one value (1, 01) by text."""
    return (0, int(value), value) if _NUMBER.fullmatch(value) else (1, 0, value)


def splits_of(names: Iterable[str], where: str, wanted: str = "") -> dict[str, str]:
    """Our split names by the collection's: ``wanted`` alone as test, or train, validation and test by usual names.

    Raises BadDataset when there is no ``wanted``, or when no split can serve as test.
    """
    theirs = list(names)
    if wanted:
        if wanted not in theirs:
            raise BadDataset(f"{where} has no split {wanted!r}; it has {', '.join(map(repr, theirs)) or 'none'}")
        return {wanted: "test"}
    found = {name: OURS[name] for name in theirs if name in OURS}
    if "test" not in found.values():
        raise BadDataset(
            f"{where} has no split 'test'; it has {', '.join(map(repr, theirs)) or 'none'}: name one with ?split=NAME"
        )
    if len(set(found.values())) < len(found):
        raise BadDataset(f"{where} has several splits that mean the same: {', '.join(map(repr, found))}")
    return found


def texts(values: Iterable[Any], where: str) -> tuple[str, ...]:
    """A column of texts. Raises BadDataset for the first that is empty or not a text."""
    found = tuple(values)
    for row, value in enumerate(found):
        if not isinstance(value, str) or not value.strip():
            raise BadDataset(f"{where}, row {row} has no text")
    return found
