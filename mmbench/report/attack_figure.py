"""Success of attacks against epsilon, as Figure 6 of Devillers et al. 2021: four panels, a line for each model.

Above untargeted, below targeted attacks; L2 on the left, Linf on the right. Bars are 95 % intervals over images and
trials. Thin dotted lines are noise of the same size. Untargeted success at epsilon 0, where it is in the record, is the
share of images that are wrong without an attack; it is part of the success at every epsilon.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.claims import CLAIMS
from mmbench.claims.families import cells_asked
from mmbench.lineups.roles import Kind, kind_of
from mmbench.probes.attack_sweep import FIGURE, SweepSettings
from mmbench.probes.entry import PROBES
from mmbench.protocol import Roles
from mmbench.records.schema import CellPart, Record
from mmbench.report.exhibits import stated_kinds
from mmbench.report.figures import COLOURS, Figure, file_name, svg_of
from mmbench.report.names import STAR, STARRED, Names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SWEEP = "attack_sweep"
PANELS = (("l2", False), ("linf", False), ("l2", True), ("linf", True))
NORMS = {"l2": "L2", "linf": "Linf"}
STYLES = ("-", "--", "-.", ":")
MARKS = "osD^v"
FINGERPRINTS = {protocol.fingerprint(): protocol.settings for protocol in FIGURE}


@dataclass(frozen=True)
class Line:
    """One model in one panel: rising epsilons, and success in percent with its interval at each."""

    label: str
    kind: Kind
    noise: bool
    points: tuple[tuple[float, float, float | None, float | None], ...]


Panels = dict[tuple[str, bool], tuple[Line, ...]]


def attack_figures(record: Record, folder: Path | None = None) -> tuple[Figure, ...]:
    """One figure for each dataset with a sweep in the record; one that ``folder`` holds already is taken from there."""
    datasets = dict.fromkeys(cell.dataset for cell in record.cells if cell.fingerprint in FINGERPRINTS)
    return tuple(_figure(record, dataset, number, folder) for number, dataset in enumerate(datasets))


def lines_of(record: Record, dataset: str) -> Panels:
    """The lines of the four panels, models in the order of their kinds, noise last."""
    names, kinds = Names.of(record), stated_kinds(record)
    points: dict[tuple[str, bool], dict[tuple[bool, Roles], list[CellPart]]] = {panel: {} for panel in PANELS}
    for cell in record.cells:
        s = FINGERPRINTS.get(cell.fingerprint)
        if isinstance(s, SweepSettings) and cell.dataset == dataset:
            for norm in NORMS if s.epsilon == 0 else (s.norm,):  # the clean image has no norm
                points[norm, s.targeted].setdefault((s.change == "noise", Roles(*cell.models)), []).append(cell)
    return {panel: _lines(found, names, kinds) for panel, found in points.items()}


def _lines(
    found: Mapping[tuple[bool, Roles], Sequence[CellPart]], names: Names, kinds: Mapping[str, Kind]
) -> tuple[Line, ...]:
    order = list(COLOURS)
    made = [
        Line(
            names.starred(roles),
            kind_of(roles, kinds),
            noise,
            tuple(sorted((FINGERPRINTS[c.fingerprint].epsilon, c.mean, c.low, c.high) for c in cells)),  # type: ignore[attr-defined]
        )
        for (noise, roles), cells in found.items()
    ]
    return tuple(sorted(made, key=lambda line: (line.noise, order.index(line.kind), line.label)))


def _figure(record: Record, dataset: str, number: int, folder: Path | None) -> Figure:
    name = SWEEP if number == 0 else f"{SWEEP}_{dataset}"
    panels, shown = lines_of(record, dataset), Names.of(record).full(dataset)
    title = f"{PROBES.get(SWEEP).title}, on {shown}"
    mark = f"<!-- drawn from {_digest(panels)} -->"
    known = folder / file_name(record, name) if folder else None
    svg = known.read_text(encoding="utf-8") if known and known.is_file() else ""
    if not svg.rstrip().endswith(mark):
        svg = f"{_draw(panels)}\n{mark}"
    said = "; ".join(_said(panel, lines) for panel, lines in panels.items() if lines)
    starred = f" ({STARRED})" if any(STAR in line.label for lines in panels.values() for line in lines) else ""
    alt = f"{title}, measured on lineup {record.lineup.name}. Least broken over all epsilons: {said}{starred}."
    return Figure(name, title, alt, svg.strip(), claims=claims_beside(record, dataset))


def claims_beside(record: Record, dataset: str) -> tuple[str, ...]:
    """Ids of the judged claims that rest on a sweep over the dataset, in the catalogue's order."""
    judged = {verdict.claim for verdict in record.verdicts if verdict.evidence == "measured"}
    wanted = (claim for claim in CLAIMS if claim.id in judged and not claim.made_up)
    return tuple(
        claim.id
        for claim in wanted
        if any(c.protocol.probe == SWEEP and c.dataset == dataset for c in cells_asked(claim, "measured"))
    )


def _said(panel: tuple[str, bool], lines: Sequence[Line]) -> str:
    attacked = [line for line in lines if not line.noise] or lines
    least = min(attacked, key=lambda line: sum(point[1] for point in line.points) / len(line.points))
    return f"{_panel_title(panel)}, {least.label}"


def _panel_title(panel: tuple[str, bool]) -> str:
    norm, targeted = panel
    return f"{'targeted' if targeted else 'untargeted'} {NORMS[norm]}"


def _digest(panels: Panels) -> str:
    return hashlib.sha256(Path(__file__).read_bytes() + repr(panels).encode()).hexdigest()[:16]


def _draw(panels: Panels) -> str:
    looks = _looks(panels)

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots(2, 2, sharey=True)
        canvas.subplots_adjust(left=0.07, right=0.80, top=0.95, bottom=0.12, hspace=0.45, wspace=0.08)
        for ax, (panel, lines) in zip(axes.flat, panels.items(), strict=True):
            _paint_panel(ax, panel, lines, looks)
        from matplotlib.lines import Line2D

        handles = [Line2D([], [], label=label, **look) for label, look in looks.items()]
        handles.append(Line2D([], [], color="#777777", linewidth=0.7, linestyle=":", label="noise of the same size"))
        canvas.legend(handles=handles, loc="center right", frameon=False, handlelength=3.2)
        if any(STAR in label for label in looks):
            canvas.text(0.43, 0.015, STARRED, ha="center")

    return svg_of(paint, 10.5, 6.4)


def _looks(panels: Panels) -> dict[str, dict[str, Any]]:
    """Colour by kind, as in all figures; line and mark tell models of one kind apart."""
    labels: dict[str, Kind] = {line.label: line.kind for lines in panels.values() for line in lines}
    seen: dict[Kind, int] = {}
    looks: dict[str, dict[str, Any]] = {}
    for label, kind in sorted(labels.items(), key=lambda item: (list(COLOURS).index(item[1]), item[0])):
        at = seen[kind] = seen.get(kind, -1) + 1
        looks[label] = {
            "color": COLOURS[kind],
            "linestyle": STYLES[at % len(STYLES)],
            "marker": MARKS[at % len(MARKS)],
            "markersize": 3.5,
            "linewidth": 1.1,
        }
    return looks


def _paint_panel(ax: Axes, panel: tuple[str, bool], lines: Sequence[Line], looks: Mapping[str, dict[str, Any]]) -> None:
    """Epsilons stand side by side in equal steps, as they would on a scale of their logarithm, with 0 beside them."""
    epsilons = sorted({point[0] for line in lines for point in line.points})
    spread = 0.5 / max(1, sum(not line.noise for line in lines))
    for number, line in enumerate(lines):
        place = [epsilons.index(point[0]) for point in line.points]
        means = [point[1] for point in line.points]
        if line.noise:
            look: dict[str, Any] = {"marker": "."} if len(place) == 1 else {"linestyle": ":"}
            ax.plot(place, means, color=looks[line.label]["color"], linewidth=0.6, **look)
            continue
        at = [x + (number * spread - 0.25) for x in place]
        ax.plot(at, means, **looks[line.label])
        known = [(x, low, high) for x, (_, _, low, high) in zip(at, line.points, strict=True) if low is not None]
        if known:
            ax.vlines(*zip(*known, strict=True), color=looks[line.label]["color"], linewidth=0.6, alpha=0.6)
    ax.set_xticks(range(len(epsilons)), [f"{epsilon:g}" for epsilon in epsilons])
    ax.set_title(_panel_title(panel), fontsize=8.5, fontweight="bold")
    ax.set_xlabel(f"epsilon ({NORMS[panel[0]]}, pixels in [0, 1])")
    if not panel[1]:
        ax.set_xlabel(f"{ax.get_xlabel()}; at 0: wrong without an attack")
    if panel[0] == "l2":
        ax.set_ylabel("images on which the attack succeeds, %")
    ax.set_ylim(-3, 103)
    ax.spines[["top", "right"]].set_visible(False)
