"""From what a person writes to a dataset: ``concepts``, ``imagefolder:DIR``, ``torchvision:CIFAR10?root=DIR``, ...

    KIND:NAME[?OPTION=VALUE&...]

Every kind registers itself, see ``mmbench.datasets.source``. Besides its own options every kind takes

    classes, train, valid, test   sizes that must hold, over the published ones where there are any, so that a part of
                                  a dataset says that it is one
    templates=FILE                prompt templates with one ``{}`` each; or ``clip:NAME``, those that CLIP's authors
                                  took for a dataset (``mmbench.datasets.template_sets``)
    names=FILE                    class names for prompts, in label order, or by class name

FILE is UTF-8 text with one entry a line, or JSON by its suffix ``.json``: a list, and for names also an object
``{"class": "name"}``. Among names no line before the last may be empty, since a line's place is the label.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mmbench.datasets.declared import Declared
from mmbench.datasets.derived import renamed
from mmbench.datasets.entry import DATASETS, DatasetEntry
from mmbench.datasets.prompts import check_template
from mmbench.datasets.source import SIZES, SOURCES, DatasetSource, Spec, as_path
from mmbench.datasets.template_sets import PREFIX, template_set
from mmbench.datasets.text_files import (
    parse_json,
    read_class_names,
    read_entries,
    read_text,
    readable,
    require_text,
)
from mmbench.errors import BadDataset, BadSpec, MissingAsset, UnknownName
from mmbench.spec import read_options, whole

PROMPTS = ("templates", "names")


def resolve(spec: str) -> DatasetEntry:
    """The dataset that ``spec`` asks for; of the dataset itself only the names of an image folder's files are read, and
    the templates beside shards.

    Raises BadSpec when it cannot be read, UnknownName (with the nearest names) when nothing has this name, MissingAsset
    for a file of templates or names that does not exist, and BadDataset for a folder that is not a dataset.
    """
    kind, colon, rest = spec.partition(":")
    if not colon:
        return DATASETS.get(spec)
    if kind not in SOURCES:
        return _of_origin(kind, rest, spec)
    if not rest:
        raise BadSpec(f"dataset spec {spec!r} ends after {kind!r}; write {forms()}")
    source = SOURCES.get(kind)
    parsed = parse(spec, source)
    given = {key: parsed.options.pop(key) for key in PROMPTS if key in parsed.options}
    entry = source.entry(parsed)
    if "names" in given:
        file = as_path(given["names"])
        entry = renamed(entry, read_names(file), where=str(file))
    return dataclasses.replace(entry, templates=templates_of(given["templates"])) if "templates" in given else entry


def forms() -> str:
    """All ways to write a dataset."""
    origins = dict.fromkeys(f"{entry.origin}:NAME" for entry in DATASETS if entry.origin)
    return ", ".join(["a registered name", *origins, *(source.form for source in SOURCES)])


def parse(spec: str, source: DatasetSource) -> Spec:
    """Read a specification of ``source``; raises BadSpec that repeats it and says what is wrong."""
    owner = f"dataset spec {spec!r}"
    text, groups = _grouped(spec, owner) if source.nested else (spec, [])
    _, _, rest = text.partition(":")
    name, _, query = rest.partition("?")
    options = read_options(
        owner,
        query,
        {**source.values, **dict.fromkeys(source.sizes, whole(11))},
        known=[*source.needs, *source.options, *source.sizes, *PROMPTS],
        needs=source.needs,
        form=source.form,
        note=source.note,
    )
    sizes = {key: int(options.pop(key)) for key in SIZES if key in source.sizes and key in options}
    declared = Declared(sizes.pop("classes", None), sizes)
    return Spec(spec, _put_back(name, groups), {k: _put_back(v, groups) for k, v in options.items()}, declared)


def _grouped(spec: str, owner: str) -> tuple[str, list[str]]:
    """``spec`` with every outer pair of parentheses replaced by a mark, and what stood there, parentheses included."""
    groups: list[str] = []
    text, depth, start = "", 0, 0
    for at, char in enumerate(spec):
        if char == "(":
            depth, start = depth + 1, start if depth else at
        elif char == ")":
            depth -= 1
            if depth == 0:
                text += f"\0{len(groups)}\0"
                groups.append(spec[start : at + 1])
        elif depth == 0:
            text += char
        if depth < 0:
            break
    if depth:
        raise BadSpec(f"{owner}: its parentheses do not match")
    return text, groups


def _put_back(text: str, groups: Sequence[str]) -> str:
    return re.sub("\0([0-9]+)\0", lambda mark: groups[int(mark[1])], text)


def _of_origin(origin: str, name: str, spec: str) -> DatasetEntry:
    origins = {entry.origin for entry in DATASETS if entry.origin}
    if origin not in origins:
        raise UnknownName("kind of dataset spec", origin, [*origins, *SOURCES.names()], f"Write {forms()}.")
    if not name:
        raise BadSpec(f"dataset spec {spec!r} ends after {origin!r}; write {forms()}")
    known = [entry.name for entry in DATASETS if entry.origin == origin]
    if name not in known:
        raise UnknownName(f"{origin} dataset", name, known)
    return DATASETS.get(name)


def templates_of(text: str) -> tuple[str, ...]:
    """The templates that an option names: a set by its name, or those of a file. Raises what these raise."""
    if text.startswith(PREFIX):
        return template_set(text.removeprefix(PREFIX))
    return read_templates(as_path(text))


def read_templates(file: Path) -> tuple[str, ...]:
    """Prompt templates of a file (see the module's text). Raises MissingAsset or BadSpec."""
    found = _read(file, read_entries)
    if isinstance(found, Mapping) or not found:
        raise BadSpec(f"{file} has no templates; write one a line, or a JSON list of them")
    return tuple(check_template(template, str(file)) for template in found)


def read_names(file: Path, *, ordered: bool = True) -> tuple[str, ...] | dict[str, str]:
    """Class names of a file, in label order or by class (see the module's text). Raises MissingAsset or BadSpec.

    Without ``ordered`` the place of a name means nothing, and empty lines are skipped.
    """
    found = _read(file, read_class_names if ordered else read_entries)
    if not found:
        raise BadSpec(f"{file} has no class names; write one a line, or a JSON list or object of them")
    return dict(found) if isinstance(found, Mapping) else tuple(found)


def _read(file: Path, lines: Callable[[Path], Sequence[str]]) -> Sequence[str] | Mapping[str, str]:
    try:
        if file.suffix.lower() != ".json":
            return [require_text(line, readable(file)) for line in lines(file)]
        found = parse_json(read_text(file), readable(file))
    except FileNotFoundError:
        raise MissingAsset(f"{readable(file)} does not exist; it should hold one entry a line, or JSON") from None
    except BadDataset as error:
        raise BadSpec(str(error)) from error
    values = list(found.values()) if isinstance(found, dict) else found
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadSpec(f"{readable(file)} should be a JSON list of texts, or an object from class to name")
    try:
        for text in (*values, *(found if isinstance(found, dict) else ())):
            require_text(text, readable(file))
    except BadDataset as error:
        raise BadSpec(str(error)) from error
    return found if isinstance(found, dict) else values
