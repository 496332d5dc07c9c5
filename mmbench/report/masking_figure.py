"""What the removal of text does to images: originals, the boxes that were found, the masked images, and a control.

The first items of each dataset by id, not chosen by eye. The shares of letters that an OCR still reads are those of
``mmbench masks``, which is shipped beside the datasets.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.claims import CLAIMS
from mmbench.claims.families import cells_asked
from mmbench.datasets.entry import DatasetEntry
from mmbench.datasets.specs import resolve
from mmbench.datasets.text_left import Measured, shipped
from mmbench.datasets.text_removed import MEASURED, CleanedImages
from mmbench.errors import CorruptAsset, MissingAsset, MissingExtra
from mmbench.records.schema import Record
from mmbench.report.figures import Figure, drawn_once, file_name, svg_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

NAME = "masking"
TITLE = "Text removed from images: originals, boxes found, masked, and the title's known box painted over"
ITEMS = 4  # of each dataset
ROWS = ("original", "boxes found", "masked", "known box\n(control)")
BOX = "#D55E00"
OTHERWISE = " (made again by other code or libraries than the record's)"


@dataclass(frozen=True)
class Group:
    """A dataset of the lineup whose text was removed: the original, as printed, as coded, and by the known box.

    ``digest`` is of the masked dataset's content, as the record has it.
    """

    role: str
    digest: str | None
    original: DatasetEntry
    masked: DatasetEntry
    coded: DatasetEntry
    control: DatasetEntry

    @property
    def shown(self) -> tuple[DatasetEntry, ...]:
        return self.original, self.masked, self.control

    @property
    def same(self) -> bool:
        """Whether the images are made today as they were for the record. Raises MissingExtra."""
        return self.masked.identity() == self.digest


def masking_figures(record: Record, folder: Path | None = None) -> tuple[Figure, ...]:
    """The figure of a record whose lineup has such datasets, else none; ``folder`` is as for ``figures_of``.

    Where the images cannot be made, standard error says why there is no figure. Where they are made by another version
    of a library or by other code than the record's, the figure says so.
    """
    groups = groups_of(record)
    try:
        return (_figure(record, groups, folder),) if groups else ()
    except (MissingExtra, MissingAsset, CorruptAsset) as error:
        print(f"mmbench: no figure of masked images: {error}", file=sys.stderr)
        return ()


def groups_of(record: Record) -> list[Group]:
    """The groups whose masked version plays a role in the record's lineup."""
    bound = {binding.spec: binding for binding in record.lineup.datasets}
    return [
        Group(bound[names[1]].role, bound[names[1]].digest, *map(resolve, names))
        for names in MEASURED
        if names[1] in bound
    ]


def _figure(record: Record, groups: Sequence[Group], folder: Path | None) -> Figure:
    known = folder / file_name(record, NAME) if folder else None
    shown = [(group.role, group.same, *(e.identity() for e in group.shown)) for group in groups]
    svg = drawn_once(lambda: _draw(groups), (__name__, shown), Path(__file__), known)
    measured = shipped()
    told = (words(group, measured.get(group.original.name)) for group in groups)
    note = " ".join([f"The first {ITEMS} test items by id.", *told])
    alt = f"{TITLE}: {', '.join(group.role for group in groups)}."
    return Figure(NAME, TITLE, alt, svg, note, claims_beside(record, groups))


def words(group: Group, measured: Measured | None) -> str:
    """How much an OCR reads in each version of a group, in a sentence; that it is unknown, where that is so."""
    found = {version.dataset: version for version in measured.versions} if measured else {}
    masked = found.get(group.masked.name)
    if measured is None or masked is None or masked.identity != group.digest:
        return (
            f"{group.role}: how much an OCR still reads was not measured on these very images "
            "(mmbench masks measures it)."
        )
    before, coded, control = (found[entry.name] for entry in (group.original, group.coded, group.control))
    return (
        f"{group.role} ({group.original.name}): on {measured.items} items an OCR reads {_share(before)} of the title's "
        f"letters before, {_share(masked)} after, {_share(coded)} without the filter on saturation (reading code), and "
        f"{_share(control)} with the known box painted over; {measured.by_chance:.0%} by chance. In "
        f"{masked.nothing_found} of them no text was found. Masks change {masked.changed:.0%} of the pixels, the known "
        f"box {control.changed:.0%}."
    )


def _share(version: Any) -> str:
    return f"{version.read:.1%} [{version.low:.1%}, {version.high:.1%}]"


def claims_beside(record: Record, groups: Sequence[Group]) -> tuple[str, ...]:
    """Ids of the judged claims that compare a dataset of the groups with others, in the catalogue's order."""
    judged = {verdict.claim for verdict in record.verdicts if verdict.evidence == "measured"}
    shown = {entry.name for group in groups for entry in (group.masked, group.control)}
    roles = {bound.role for bound in record.lineup.datasets if bound.spec in shown}
    return tuple(
        claim.id
        for claim in CLAIMS
        if claim.id in judged
        and not claim.made_up
        and any(cell.dataset in roles for cell in cells_asked(claim, "measured"))
    )


def pictures(group: Group, items: int = ITEMS) -> list[list[NDArray[np.uint8]]]:
    """Pixels of the first items by id: for each the original, the masked image and the control."""
    splits = [entry.load().split("test") for entry in group.shown]
    rows = _rows(splits[0].ids, items)
    return [[np.asarray(split.images.image(row)) for split in splits] for row in rows]  # type: ignore[union-attr]


def _rows(ids: Sequence[str], items: int) -> list[int]:
    return sorted(range(len(ids)), key=lambda row: ids[row])[:items]


def _boxes(group: Group) -> list[NDArray[np.int32]]:
    split = group.masked.load().split("test")
    assert isinstance(split.images, CleanedImages), "rendered images are kept with their boxes"
    return [split.images.boxes(row) for row in _rows(split.ids, ITEMS)]


def _draw(groups: Sequence[Group]) -> str:
    shown = [(items, boxes) for group in groups for items, boxes in zip(pictures(group), _boxes(group), strict=True)]
    titles = [f"{group.role}{'' if group.same else OTHERWISE}" for group in groups for _ in range(ITEMS)]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots(len(ROWS), len(shown), squeeze=False)
        canvas.subplots_adjust(left=0.09, right=0.995, top=0.93, bottom=0.01, wspace=0.05, hspace=0.05)
        for column, ((original, masked, control), boxes) in enumerate(shown):
            for row, pixels in enumerate((original, original, masked, control)):
                ax = axes[row, column]
                ax.imshow(pixels, interpolation="none")
                ax.set(xticks=[], yticks=[])
            for left, top, right, bottom in boxes.tolist():
                sides = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
                axes[1, column].plot(*np.transpose(sides) - 0.5, color=BOX, linewidth=1.2)
            if column % ITEMS == 0:
                axes[0, column].set_title(titles[column], loc="left", fontsize=7)
        for row, label in enumerate(ROWS):
            axes[row, 0].set_ylabel(label, rotation=0, ha="right", va="center")

    return svg_of(paint, 1.15 * len(shown) + 0.9, 1.15 * len(ROWS) + 0.3)
