"""How derived datasets are written in specifications; ``mmbench.datasets.derived`` shows the forms."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from typing import Any
from urllib.parse import unquote

from mmbench.datasets.declared import SPLITS, Declared
from mmbench.datasets.derived import masked, restricted, trained_on
from mmbench.datasets.entry import Dataset, DatasetEntry
from mmbench.datasets.masks import MASKS, Mask, mask_of
from mmbench.datasets.python_objects import load_object
from mmbench.datasets.source import SOURCES, DatasetSource, Spec, as_path
from mmbench.datasets.specs import read_names, resolve
from mmbench.errors import BadDataset, BadSpec, UnknownName
from mmbench.spec import choice

AS_WRITTEN = "in a class name write & as %26 and a comma as %2C, or list the names in a file: classes=@FILE"


def parent_of(text: str) -> DatasetEntry:
    """The dataset of a registered name or a specification, in parentheses or not."""
    return resolve(text[1:-1] if text.startswith("(") and text.endswith(")") else text)


def _masked(spec: Spec) -> DatasetEntry:
    return with_sizes(masked(parent_of(spec.name), _mask(spec), name=spec.text), spec)


def _mask(spec: Spec) -> Mask:
    name, of = spec.options["mask"], spec.options.get("of", "")
    if ":" not in name:
        return MASKS.get(name)
    found: Any = load_object(name, spec.owner)
    if isinstance(found, Mask):
        return found
    if not callable(found):
        raise BadSpec(f"{spec.owner}: {name} is a {type(found).__name__}; expected a Mask or a function")
    if not of:
        raise BadSpec(f"{spec.owner}: {name} is a function; say with of=image or of=text what it changes")
    return mask_of(found, "image" if of == "image" else "text", name=name)


def _restricted(spec: Spec) -> DatasetEntry:
    wanted = spec.options["classes"]
    if wanted.startswith("@"):
        names = list(read_names(as_path(wanted[1:]), ordered=False))
    else:
        names = [unquote(name.strip()) for name in wanted.split(",")]
    parent = parent_of(spec.name)
    made = restricted(parent, names, name=spec.text)
    return with_sizes(dataclasses.replace(made, load=functools.partial(_with_classes, made, parent)), spec)


def _with_classes(made: DatasetEntry, parent: DatasetEntry) -> Dataset:
    """The dataset; where a class is unknown since its name was divided at a comma, the error says how it is written."""
    _require_own_names(parent)
    try:
        return made.load()
    except UnknownName as error:
        if any(error.name in known and "," in known for known in parent.load().classes):
            error.message += f" In a specification: {AS_WRITTEN}."
        raise


def _trained_on(spec: Spec) -> DatasetEntry:
    first, second = parent_of(spec.name), parent_of(spec.options["tested_on"])
    made = trained_on(first, tested_on=second, name=spec.text)
    return with_sizes(dataclasses.replace(made, load=functools.partial(_matched, made, first, second)), spec)


def _matched(made: DatasetEntry, *parents: DatasetEntry) -> Dataset:
    for parent in parents:
        _require_own_names(parent)
    return made.load()


def _require_own_names(parent: DatasetEntry) -> None:
    """Raise BadDataset where several classes have one name: classes are chosen and matched by their names here."""
    for name, times in Counter(parent.load().classes).items():
        if times > 1:
            raise BadDataset(
                f"{parent.name} has {times} classes called {name!r}, so they cannot be told apart by name; give each "
                "its own with names=FILE"
            )


def with_sizes(entry: DatasetEntry, spec: Spec) -> DatasetEntry:
    """``entry`` that checks the sizes which the specification declares."""
    if not spec.declared.counts:
        return entry
    load = functools.partial(_checked, entry, spec.declared)
    return dataclasses.replace(entry, load=load, counts={**entry.counts, **spec.declared.counts})


def _checked(entry: DatasetEntry, declared: Declared) -> Dataset:
    return declared.check(entry.load(), entry.name)


SOURCES.add(
    DatasetSource(
        "masked",
        "masked:DATASET?mask=NAME",
        _masked,
        options=("of",),
        needs=("mask",),
        values={"of": choice("image", "text")},
        sizes=SPLITS,
        nested=True,
    )
)
SOURCES.add(
    DatasetSource(
        "restricted",
        "restricted:DATASET?classes=CLASS,CLASS",
        _restricted,
        needs=("classes",),
        sizes=SPLITS,
        nested=True,
        note=AS_WRITTEN,
    )
)
SOURCES.add(
    DatasetSource(
        "trained_on",
        "trained_on:DATASET?tested_on=DATASET",
        _trained_on,
        needs=("tested_on",),
        sizes=SPLITS,
        nested=True,
    )
)
