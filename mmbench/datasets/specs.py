"""From what a person writes to a dataset: ``concepts``, ``imagefolder:DIR``, ``torchvision:CIFAR10?root=DIR``, ...

    KIND:NAME[?OPTION=VALUE&...]

Every kind but the registered ones takes ``classes``, ``train``, ``valid`` and ``test``: sizes that must hold, over the
published ones where there are any, so that a part of a dataset says that it is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from mmbench.datasets import hf_dataset, table, webdataset
from mmbench.datasets.coco import coco
from mmbench.datasets.declared import SPLITS, Declared
from mmbench.datasets.entry import DATASETS, DatasetEntry
from mmbench.datasets.folders import image_folder
from mmbench.datasets.imagenet import imagenet
from mmbench.datasets.torchvision import torchvision_dataset
from mmbench.errors import BadSpec, UnknownName

# Sources whose entries are registered by name; the prefix tells a reader where the data come from.
SOURCES = {
    "openmoji": ("drawn", "posters", "sentiment"),
    "digits": ("digits",),
    "titles": ("titles",),
}
SIZES = ("classes", *SPLITS)


@dataclass(frozen=True)
class Spec:
    """A parsed specification; ``declared`` are the sizes it gives."""

    text: str
    name: str
    options: dict[str, str]
    declared: Declared

    def flag(self, key: str) -> bool:
        value = self.options.get(key, "0")
        if value not in ("0", "1"):
            raise BadSpec(f"dataset spec {self.text!r}: {key} is 0 or 1, not {value!r}")
        return value == "1"

    def number(self, key: str) -> int | None:
        value = self.options.get(key)
        return None if value is None else _number(self.text, key, value)


@dataclass(frozen=True)
class Kind:
    """How one kind of specification is written and resolved; ``needs`` are options that it cannot do without."""

    form: str
    entry: Callable[[Spec], DatasetEntry]
    options: Collection[str] = ()
    needs: Collection[str] = ()


def _rooted(make: Callable[[str, Path, Declared], DatasetEntry]) -> Callable[[Spec], DatasetEntry]:
    return lambda spec: make(spec.name, _path(spec.options["root"]), spec.declared)


def _coco(spec: Spec) -> DatasetEntry:
    return coco(spec.name, _path(spec.options["root"]), spec.number("captions"), spec.declared)


def _webdataset(spec: Spec) -> DatasetEntry:
    usual, options = webdataset.Fields(), spec.options
    image = tuple(options["image"].split(",")) if "image" in options else usual.image
    fields = webdataset.Fields(image, options.get("label", usual.label), options.get("text", usual.text))
    return webdataset.webdataset(_path(spec.name), fields, spec.declared)


def _table(spec: Spec) -> DatasetEntry:
    options = spec.options
    if "label" in options and "labels" in options:
        raise BadSpec(f"dataset spec {spec.text!r}: choose one of label=COL and labels=COL")
    chosen = {key: options[key] for key in ("image", "text", "split", "id", "sep", "images") if key in options}
    columns = table.Columns(
        **chosen,
        label=options.get("labels") or options.get("label", ""),
        several="labels" in options,
        lower=spec.flag("lower"),
    )
    return table.table(_path(spec.name), columns, spec.declared)


def _hf_dataset(spec: Spec) -> DatasetEntry:
    return hf_dataset.hf_dataset(spec.name, hf_dataset.Columns(**spec.options), spec.declared)


KINDS = {
    "imagefolder": Kind("imagefolder:DIR", lambda spec: image_folder(_path(spec.name), spec.declared)),
    "torchvision": Kind("torchvision:NAME?root=DIR", _rooted(torchvision_dataset), needs=("root",)),
    "imagenet": Kind("imagenet:NAME?root=DIR", _rooted(imagenet), needs=("root",)),
    "coco": Kind("coco:NAME?root=DIR", _coco, ("captions",), ("root",)),
    "webdataset": Kind("webdataset:DIR", _webdataset, ("image", "label", "text")),
    "table": Kind(
        "table:FILE?image=COL&label=COL",
        _table,
        ("image", "text", "label", "labels", "split", "id", "sep", "images", "lower"),
    ),
    "hf_dataset": Kind("hf_dataset:DIR|ORG/NAME@COMMIT", _hf_dataset, ("image", "label", "text", "split", "config")),
}
FORMS = "a registered name, " + ", ".join([*(f"{kind}:NAME" for kind in SOURCES), *(k.form for k in KINDS.values())])


def resolve(spec: str) -> DatasetEntry:
    """The dataset that ``spec`` asks for; but for an image folder, nothing on disk is looked at.

    Raises BadSpec when it cannot be read, UnknownName (with the nearest names) when nothing is called so, and
    BadDataset for a folder that is no dataset.
    """
    kind, colon, rest = spec.partition(":")
    if not colon:
        return _registered(spec)
    if not rest:
        raise BadSpec(f"dataset spec {spec!r} ends after {kind!r}; write {FORMS}")
    if kind in SOURCES:
        return _registered(rest, kind)
    if kind not in KINDS:
        raise UnknownName("kind of dataset spec", kind, [*SOURCES, *KINDS], f"Write {FORMS}.")
    return KINDS[kind].entry(parse(spec))


def parse(spec: str) -> Spec:
    """Read a specification of one of KINDS; raises BadSpec that repeats it and says what is wrong."""
    kind, _, rest = spec.partition(":")
    name, _, query = rest.partition("?")
    form = KINDS[kind]
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        key, equals, value = part.partition("=")
        if not equals or not key or not value or key in options:
            raise BadSpec(f"dataset spec {spec!r}: {part!r} is not OPTION=VALUE, given once")
        options[key] = value
    known = [*form.needs, *form.options, *SIZES]
    for key in options:
        if key not in known:
            raise BadSpec(f"dataset spec {spec!r}: {UnknownName('option', key, known)}")
    if lacking := [key for key in form.needs if key not in options]:
        raise BadSpec(f"dataset spec {spec!r} lacks {lacking[0]}=...; write {form.form}")
    sizes = {key: _number(spec, key, options.pop(key)) for key in SIZES if key in options}
    return Spec(spec, name, options, Declared(sizes.pop("classes", None), sizes))


def _number(spec: str, key: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 12):
        raise BadSpec(f"dataset spec {spec!r}: {key} is a whole number, not {value!r}")
    return int(value)


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _registered(name: str, kind: str | None = None) -> DatasetEntry:
    if kind is None:
        return DATASETS.get(name)
    modules = {f"mmbench.datasets.{module}" for module in SOURCES[kind]}
    known = [entry.name for entry in DATASETS if _module(entry) in modules]
    if name not in known:
        raise UnknownName(f"{kind} dataset", name, known)
    return DATASETS.get(name)


def _module(entry: DatasetEntry) -> str:
    """The module whose code loads an entry, through partials and bound methods."""
    load = getattr(entry.load, "func", entry.load)
    return str(load.__module__)
