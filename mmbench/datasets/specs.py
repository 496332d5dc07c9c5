"""From what a person writes to a dataset: ``concepts``, ``imagefolder:DIR``, ``torchvision:CIFAR10?root=DIR``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

from mmbench.datasets.entry import DATASETS, DatasetEntry
from mmbench.datasets.folders import image_folder
from mmbench.datasets.torchvision import KNOWN, torchvision_dataset
from mmbench.errors import BadSpec, UnknownName

# Sources whose entries are registered by name; the prefix tells a reader where the data come from.
SOURCES = {
    "openmoji": ("drawn", "posters", "sentiment"),
    "digits": ("digits",),
    "titles": ("titles",),
}
FORMS = "a registered name, openmoji:NAME, digits:NAME, titles:NAME, imagefolder:DIR or torchvision:NAME?root=DIR"


def resolve(spec: str) -> DatasetEntry:
    """The dataset that ``spec`` asks for.

    Raises BadSpec when it cannot be read, UnknownName (with the nearest names) when nothing is called so, and
    BadDataset for a folder that is no dataset.
    """
    kind, colon, rest = spec.partition(":")
    if not colon:
        return _registered(spec)
    if not rest:
        raise BadSpec(f"dataset spec {spec!r} ends after {kind!r}; write {FORMS}")
    if kind == "imagefolder":
        return image_folder(Path(rest).expanduser())
    if kind == "torchvision":
        return _torchvision(spec, rest)
    if kind in SOURCES:
        return _registered(rest, kind)
    raise UnknownName("kind of dataset spec", kind, [*SOURCES, "imagefolder", "torchvision"], f"Write {FORMS}.")


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


def _torchvision(spec: str, rest: str) -> DatasetEntry:
    name, _, query = rest.partition("?")
    options = parse_qs(query, keep_blank_values=True)
    if set(options) != {"root"} or len(options["root"]) != 1 or not options["root"][0]:
        raise BadSpec(
            f"dataset spec {spec!r} must say where the files are and nothing else: torchvision:{name}?root=DIR"
        )
    if name not in KNOWN:
        raise UnknownName("torchvision dataset", name, KNOWN)
    return torchvision_dataset(name, Path(options["root"][0]).expanduser())
