"""Nearest neighbours against the number of samples, as Figure 5.3 of Bielawski 2022: standard sets, and human-centric.

One panel is the mean over the standard sets, the others are tweets, covers and posters, with and without their text.
Full lines are cosine similarity, thin dashed ones Euclidean distance (the reading of the code). Bars are 95 %
intervals of the full lines; the dashed grey line is what one constant answer scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.claims import CLAIMS
from mmbench.claims._common import BOOK, HC_VISION, POSTERS, STANDARD6
from mmbench.claims.families import cells_asked
from mmbench.lineups.roles import Kind, kind_of
from mmbench.probes.neighbours import NEIGHBOURS
from mmbench.protocol import Reading, Roles
from mmbench.records.schema import CellPart, Record
from mmbench.report.exhibits import stated_kinds
from mmbench.report.figures import COLOURS, Figure, drawn_once, file_name, svg_of
from mmbench.report.names import STAR, STARRED, Names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

NAME, STUDY = "few_shot_neighbours", "bielawski2022"
TITLE = "Nearest neighbours by number of samples (as Bielawski 2022, Fig. 5.3)"
PANELS: dict[str, tuple[str, ...]] = {
    "standard sets": STANDARD6,
    "mvsa": ("mvsa",),
    "book_covers": BOOK[:1],
    "book_covers_masked": BOOK[1:],
    "plotster": POSTERS[:1],
    "plotster_masked": POSTERS[1:],
}
MARKS = {"rn50": "s", "bit_m": "D", "clip": "o"}
SHOTS = range(1, 101)

Point = tuple[int, float, float | None, float | None]  # samples a class, mean, low, high


@dataclass(frozen=True)
class Line:
    """One encoder in one panel under one reading: points by rising numbers of samples."""

    role: str
    label: str
    kind: Kind
    reading: Reading
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Panel:
    """``chance`` is what one constant answer scores, where the panel is one dataset."""

    title: str
    unit: str
    chance: float | None
    lines: tuple[Line, ...]


def few_shot_figures(record: Record, folder: Path | None = None) -> tuple[Figure, ...]:
    """The figure; none where no panel has a line. One that ``folder`` holds already is taken from there."""
    panels = panels_of(record)
    if not panels:
        return ()
    known = folder / file_name(record, NAME) if folder else None
    svg = drawn_once(lambda: _draw(panels), panels, Path(__file__), known)
    best = "; ".join(f"{panel.title}: {_highest(panel)}" for panel in panels)
    starred = f" ({STARRED})" if any(STAR in line.label for panel in panels for line in panel.lines) else ""
    alt = f"{TITLE}, measured on lineup {record.lineup.name}. Highest at most samples: {best}{starred}."
    note = "Full lines: cosine similarity. Dashed: Euclidean distance, scikit-learn's default. Posters: F1."
    return (Figure(NAME, TITLE, alt, svg, note, claims_beside(record)),)


def claims_beside(record: Record) -> tuple[str, ...]:
    """Ids of the study's judged claims that rest on nearest neighbours alone, in the catalogue's order."""
    judged = {verdict.claim for verdict in record.verdicts if verdict.evidence == "measured"}
    wanted = (claim for claim in CLAIMS if claim.id in judged and claim.study == STUDY)
    return tuple(
        claim.id for claim in wanted if {c.protocol.probe for c in cells_asked(claim, "measured")} == {NEIGHBOURS.probe}
    )


def panels_of(record: Record) -> tuple[Panel, ...]:
    """The panels that have a line, in the order of the printed figure."""
    prints = {
        protocol.fingerprint(): (shots, protocol.reading)
        for shots in SHOTS
        for protocol in (NEIGHBOURS.at(shots=shots), NEIGHBOURS.at(shots=shots).code)
        if protocol is not None
    }
    found: dict[tuple[str, str, Reading], dict[int, CellPart]] = {}
    for cell in record.cells:
        if cell.fingerprint in prints and len(cell.models) == 1:
            shots, reading = prints[cell.fingerprint]
            found.setdefault((cell.models[0], cell.dataset, reading), {})[shots] = cell
    names, kinds = Names.of(record), stated_kinds(record)
    panels = []
    for title, datasets in PANELS.items():
        lines = []
        for role in HC_VISION:
            for reading in ("paper", "code"):
                points = _points([found.get((role, dataset, reading), {}) for dataset in datasets])
                if len(points) > 1:
                    lines.append(Line(role, names.starred([role]), kind_of(Roles(role), kinds), reading, points))
        cells = [cell for (_, dataset, _), by in found.items() if dataset in datasets for cell in by.values()]
        if lines:
            shown = names.full(title) if len(datasets) == 1 else f"mean of {len(datasets)} {title}"
            panels.append(
                Panel(
                    shown,
                    cells[0].unit or cells[0].metric,
                    cells[0].chance if len(datasets) == 1 else None,
                    tuple(lines),
                )
            )
    return tuple(panels)


def _points(by_dataset: Sequence[dict[int, CellPart]]) -> tuple[Point, ...]:
    """Unweighted means over the datasets, which are independent, at the numbers of samples that all of them have."""
    common = set.intersection(*(set(cells) for cells in by_dataset))
    points: list[Point] = []
    for shots in sorted(common):
        cells = [each[shots] for each in by_dataset]
        mean = sum(cell.mean for cell in cells) / len(cells)
        widths = [cell.high - cell.low for cell in cells if cell.low is not None and cell.high is not None]
        half = math.sqrt(sum(width**2 for width in widths)) / 2 / len(cells) if len(widths) == len(cells) else None
        one = cells[0] if len(cells) == 1 else None  # its own interval need not be symmetric
        low, high = (one.low, one.high) if one else (None, None) if half is None else (mean - half, mean + half)
        points.append((shots, mean, low, high))
    return tuple(points)


def _highest(panel: Panel) -> str:
    own = [line for line in panel.lines if line.reading == "paper"] or panel.lines
    return max(own, key=lambda line: line.points[-1][1]).label


def _draw(panels: Sequence[Panel]) -> str:
    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots(2, 3, squeeze=False)
        canvas.subplots_adjust(left=0.06, right=0.99, top=0.92, bottom=0.16, hspace=0.62, wspace=0.25)
        for ax, panel in zip(axes.flat, panels, strict=False):
            _paint(ax, panel)
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
        from matplotlib.lines import Line2D

        shown = {line.label: line for panel in panels for line in panel.lines}
        handles = [
            Line2D([], [], color=COLOURS[line.kind], marker=MARKS[line.role], label=label)
            for label, line in shown.items()
        ]
        handles.append(Line2D([], [], color="#555555", linestyle="--", linewidth=0.8, label="Euclidean distance"))
        handles.append(Line2D([], [], color="#999999", linestyle=":", label="one constant answer"))
        canvas.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)
        if any(STAR in label for label in shown):
            canvas.text(0.5, 0.055, STARRED, ha="center")

    return svg_of(paint, 10.5, 5.6)


def _paint(ax: Axes, panel: Panel) -> None:
    """Numbers of samples stand side by side in equal steps; encoders a little apart, so that bars can be seen."""
    shots = sorted({point[0] for line in panel.lines for point in line.points})
    for line in panel.lines:
        apart = 0.08 * (list(HC_VISION).index(line.role) - 1)
        at = [shots.index(point[0]) + apart for point in line.points]
        means, colour = [point[1] for point in line.points], COLOURS[line.kind]
        if line.reading == "code":
            ax.plot(at, means, color=colour, linestyle="--", linewidth=0.8, marker=MARKS[line.role], markersize=2)
            continue
        ax.plot(at, means, color=colour, linewidth=1.3, marker=MARKS[line.role], markersize=4)
        bars = [(x, low, high) for x, (_, _, low, high) in zip(at, line.points, strict=True) if low is not None]
        if bars:
            ax.vlines(*zip(*bars, strict=True), color=colour, linewidth=0.7)
    if panel.chance is not None:
        ax.axhline(panel.chance, color="#999999", linestyle=":")
    ax.set_xticks(range(len(shots)), [str(number) for number in shots])
    ax.set_title(panel.title.replace(" (", "\n(", 1), fontsize=7.5, fontweight="bold")
    ax.set_xlabel("samples of each class")
    ax.set_ylabel(panel.unit)
    ax.spines[["top", "right"]].set_visible(False)
