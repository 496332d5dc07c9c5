"""``subset:DATASET?ids=FILE`` and ``subset:DATASET?without=FILE``: the items whose ids a file lists, or all others.

The subset by which a paper is compared with an earlier one, and the control for exposure: what is left of a test when
the items that a model may have seen are taken out. ``of=test`` (the default is ``all``) leaves the other splits as they
are. FILE is read by ``mmbench.datasets.id_lists``. Ids of the file that no item has are counted and named, as are ids
that it lists twice. DATASET is written as in ``mmbench.datasets.derived``.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mmbench.datasets.declared import need
from mmbench.datasets.derived import SelectedImages
from mmbench.datasets.derived_specs import parent_of, with_sizes
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.groups import of_rows
from mmbench.datasets.id_lists import read_ids
from mmbench.datasets.images import file_digest
from mmbench.datasets.notes import note
from mmbench.datasets.source import SOURCES, DatasetSource, Spec, as_path
from mmbench.datasets.text_files import readable
from mmbench.errors import BadDataset, BadSpec
from mmbench.program import program_digest
from mmbench.spec import choice

Of = Literal["all", "test"]
LISTS = "a file of ids: one a line, a JSON list, or a pickled list of texts"


def subset(
    parent: DatasetEntry, file: Path, *, without: bool = False, of: Of = "all", name: str = "", about: str = ""
) -> DatasetEntry:
    """The items of ``parent`` that the file lists, or those that it does not list (``without``).

    Items keep their ids and classes their numbers; ceilings are dropped. Raises, when it is loaded, MissingAsset for no
    file and BadDataset for one that is no list, or that leaves a split without items.
    """
    option = "without" if without else "ids"
    name = name or f"subset:{parent.name}?{option}={file}"
    chosen = "All items but those" if without else "The items"
    where = " of its test split" if of == "test" else ""
    return dataclasses.replace(
        parent,
        name=name,
        load=functools.partial(_load, parent, file, without, of, name),
        identity=functools.partial(_identity, parent, file, without, of),
        counts={split: count for split, count in parent.counts.items() if of == "test" and split != "test"},
        about=about or f"{parent.about} {chosen}{where} that {file} lists.",
        assets=(*parent.assets, f"file:{file}"),
        ceilings=(),
    )


def _load(parent: DatasetEntry, file: Path, without: bool, of: Of, name: str) -> Dataset:
    dataset = parent.load()
    listed = read_ids(need(file, LISTS))
    wanted = set(listed)
    cut = [split for split in dataset.splits if of == "all" or split == "test"]
    here = {item for split in cut for item in dataset.split(split).ids}
    note(name, f"ids of {readable(file.name)} are of no item", list(dict.fromkeys(i for i in listed if i not in here)))
    note(name, f"ids stand in {readable(file.name)} more than once", [i for i, n in Counter(listed).items() if n > 1])
    splits = {split: part if split not in cut else _of(part, wanted, without) for split, part in dataset.splits.items()}
    if empty := [split for split, part in splits.items() if not len(part)]:
        found = f"{len(wanted & here):,} of its {len(wanted):,} ids are of items"
        more = "" if of == "test" else "; to cut the test split alone say of=test"
        called = f"an item of {parent.name} is called {dataset.split(empty[0]).ids[0]!r}"
        raise BadDataset(f"{name} has no item left in {empty[0]!r}: {found}; {called}{more}")
    return dataclasses.replace(dataset, name=name, splits=splits)


def _of(split: Split, wanted: set[str], without: bool) -> Split:
    rows = [row for row, item in enumerate(split.ids) if (item in wanted) != without]
    return _rows(split, rows)


def _rows(split: Split, rows: Sequence[int]) -> Split:
    return Split(
        tuple(split.ids[row] for row in rows),
        split.labels[list(rows)],
        None if split.images is None else SelectedImages(split.images, rows),
        None if split.texts is None else tuple(split.texts[row] for row in rows),
        of_rows(split.groups, rows),
    )


def _identity(parent: DatasetEntry, file: Path, without: bool, of: Of) -> str:
    parts = [program_digest(__name__, ()), parent.identity(), file_digest(need(file, LISTS)), without, of]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _from_spec(spec: Spec) -> DatasetEntry:
    given = [key for key in ("ids", "without") if key in spec.options]
    if len(given) != 1:
        raise BadSpec(f"{spec.owner}: choose one of ids=FILE and without=FILE")
    file = as_path(spec.options[given[0]])
    of: Of = "test" if spec.options.get("of") == "test" else "all"
    made = subset(parent_of(spec.name), file, without=given[0] == "without", of=of, name=spec.text)
    return with_sizes(made, spec)


SOURCES.add(
    DatasetSource(
        "subset",
        "subset:DATASET?ids=FILE",
        _from_spec,
        options=("ids", "without", "of"),
        values={"of": choice("all", "test")},
        sizes=("train", "valid", "test"),
        nested=True,
    )
)
