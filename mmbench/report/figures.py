"""Figures of a record, one for each family of protocols, like the papers' summary figures: SVG as text.

Bars are means over trials and examples, whiskers their 95 % intervals, the dashed line what a constant answer scores.
Colours are Okabe and Ito's, which colour-blind readers can distinguish.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import MissingExtra
from mmbench.lineups.roles import KINDS, Kind, kind_of
from mmbench.metrics import METRICS
from mmbench.probes.attack_checks import ALONE_BY_NORM
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import Roles
from mmbench.records.schema import CellPart, Record, slug
from mmbench.report.exhibits import stated_kinds
from mmbench.report.names import STAR, STARRED, Names
from mmbench.words import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

TASKS, TASKS_TITLE = "tasks", "Means over datasets, task by task (as Devillers et al. 2021, Fig. 5)"
COLOURS: dict[Kind, str] = {
    "labels": "#0072B2",
    "language": "#D55E00",
    "images": "#E69F00",
    "unstated": "#56B4E9",
    "text": "#009E73",
    "joined": "#CC79A7",
    "baseline": "#000000",
    "untrained": "#999999",
}
SHADES = (0.45, 0.7, 1.0)
MEAN = "mean of"
LINES = ("attack_sweep",)  # probes whose figure is drawn elsewhere, with lines
# Shares of images would dwarf the losses of the same probe; they stand in the table of the checks.
TABLED = frozenset(protocol.fingerprint() for ladder in ALONE_BY_NORM.values() for protocol in ladder)
ACROSS = 3  # panels in a row
WIDTH = 10.5  # inches
GAP = 0.85  # inches between rows of panels, for the title below and the unit above it


@dataclass(frozen=True)
class Figure:
    """One figure: ``svg`` is a whole SVG element, ``alt`` says in words what it shows, and ``note`` stands below it.

    Beside it stand the judged claims whose ids are in ``claims``, and those that rest on cells of ``probes`` alone.
    """

    name: str
    title: str
    alt: str
    svg: str
    note: str = ""
    claims: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bar:
    """Mean of one model on one dataset (or over all) with its interval; ``series`` is the protocol.

    ``label`` names the model as the figure does, with a star where a stand-in plays the role.
    """

    models: Roles
    label: str
    series: str
    mean: float
    low: float | None
    high: float | None
    kind: Kind


@dataclass(frozen=True)
class Content:
    """What a figure draws: bars, unit and, where it is known, what a constant answer scores, by panel."""

    panels: dict[str, list[Bar]]
    chance: dict[str, float]
    units: dict[str, str]


def figures_of(record: Record, folder: Path | None = None) -> tuple[Figure, ...]:
    """A figure for each family that has cells under the paper's reading; one of means where several families have any.

    Pairs of models that are compared with each other have none: there are too many for bars.

    Drawing takes a second each, so a figure that ``folder`` holds already, of the same numbers, is taken from there.
    """
    by_probe: dict[str, list[CellPart]] = {}
    place = {bound.role: number for number, bound in enumerate(record.lineup.datasets)}
    for cell in sorted(record.cells, key=lambda cell: place.get(cell.dataset, len(place))):
        compared = cell.probe in PROBES and PROBES.get(cell.probe).takes == "pair"
        elsewhere = cell.probe in LINES or cell.fingerprint in TABLED
        if cell.reading == "paper" and not (compared or elsewhere):
            by_probe.setdefault(figure_of(cell.probe), []).append(cell)
    names, kinds = Names.of(record), stated_kinds(record)
    found = {probe: _family(cells, names, kinds) for probe, cells in by_probe.items()}
    means = _tasks(found)
    if len(means.panels) > 1:
        found[TASKS] = means
    order = [*(name for name in PROBES.names() if name in found), *(name for name in found if name not in PROBES)]
    return tuple(_figure(name, found[name], record, folder) for name in order)


def figure_of(probe: str) -> str:
    """The name of the figure that shows the probe's cells: several probes may share one."""
    return (PROBES.get(probe).figure if probe in PROBES else "") or probe


def _shown(figure: str) -> list[Probe]:
    """The registered probes that the figure shows."""
    return [probe for probe in PROBES if figure_of(probe.name) == figure]


def _family(cells: Sequence[CellPart], names: Names, kinds: Mapping[str, Kind]) -> Content:
    chance = {names.full(cell.dataset): cell.chance for cell in cells}
    said: dict[str, dict[str, None]] = {}
    for cell in cells:
        said.setdefault(names.full(cell.dataset), {})[_axis(cell)] = None
    units = {name: listed(axes) for name, axes in said.items()}
    drawn = panels(cells, names, kinds)
    return Content(drawn, chance, {name: units.get(name) or next(iter(units.values())) for name in drawn})


def _axis(cell: CellPart) -> str:
    """What a panel's axis says: the unit, and where less is better, that it is."""
    lower = cell.metric in METRICS and not METRICS.get(cell.metric).higher_is_better
    return (cell.unit or cell.metric) + (", lower is better" if lower else "")


def _tasks(families: dict[str, Content]) -> Content:
    """The panels of means over datasets, one a task; without a constant answer, which differs from set to set."""
    means = {
        probe.task: (bars, families[probe.name].units[name])
        for probe in PROBES
        if probe.task and probe.name in families
        for name, bars in families[probe.name].panels.items()
        if name.startswith(MEAN)
    }
    return Content(
        {task: bars for task, (bars, _) in means.items()}, {}, {task: unit for task, (_, unit) in means.items()}
    )


def panels(cells: Sequence[CellPart], names: Names, kinds: Mapping[str, Kind] | None = None) -> dict[str, list[Bar]]:
    """Bars by dataset, then ``mean`` over the datasets that every shown model has, where that is two or more.

    Two roles that one dataset plays count once in the mean: its parts must be independent.
    ``kinds`` are those of roles that are not registered, or not as they are in this record.
    """
    found: dict[str, list[Bar]] = {}
    players: dict[str, str] = {}
    for cell in cells:
        players.setdefault(names.player(cell.dataset), names.full(cell.dataset))
        roles = Roles(*cell.models)
        kind = kind_of(roles, kinds)
        bar = Bar(roles, names.starred(roles), cell.protocol, cell.mean, cell.low, cell.high, kind)
        found.setdefault(names.full(cell.dataset), []).append(bar)
    found = {dataset: sorted(bars, key=_place) for dataset, bars in found.items()}
    units = {cell.metric for cell in cells}
    once = {dataset: bars for dataset, bars in found.items() if dataset in players.values()}
    if len(once) > 1 and len(units) == 1:
        means = _means(once)
        if means:
            found[f"{MEAN} {len(once)} datasets"] = sorted(means, key=_place)
    return found


def _means(found: dict[str, list[Bar]]) -> list[Bar]:
    """Unweighted means over datasets of models that have them all; datasets are fixed and independent of each other."""
    by_row: dict[tuple[Roles, str], list[Bar]] = {}
    for bars in found.values():
        for bar in bars:
            by_row.setdefault((bar.models, bar.series), []).append(bar)
    means = []
    for bars in by_row.values():
        if len(bars) == len(found):
            mean = sum(bar.mean for bar in bars) / len(bars)
            half = math.sqrt(sum(_width(bar) ** 2 for bar in bars)) / 2 / len(bars)
            means.append(replace(bars[0], mean=mean, low=mean - half, high=mean + half))
    return means


def _width(bar: Bar) -> float:
    """The width of a bar's interval; 0 where its spread is unknown."""
    return 0.0 if bar.low is None or bar.high is None else bar.high - bar.low


def _place(bar: Bar) -> tuple[int, str, tuple[int, str]]:
    return (list(KINDS).index(bar.kind), str(bar.models), natural(bar.series))


def natural(name: str) -> tuple[int, str]:
    """Sorts ``few_shot_5`` before ``few_shot_10``."""
    digits = re.search(r"\d+$", name)
    return (int(digits.group()) if digits else 0, name)


def file_name(record: Record, figure: str) -> str:
    """The figure's file beside a record's Markdown page."""
    return f"{record.stem}-{slug(figure)}.svg"


def _figure(name: str, content: Content, record: Record, folder: Path | None) -> Figure:
    shown = _shown(name)
    title = TASKS_TITLE if name == TASKS else next((probe.title for probe in shown if probe.title), name)
    known = folder / file_name(record, name) if folder else None
    svg = drawn_once(lambda: _draw(content), content, Path(__file__), known)
    best = "; ".join(f"{panel}: {_highest(bars)}" for panel, bars in content.panels.items())
    starred = f" ({STARRED})" if _has_stars(content) else ""
    alt = f"{title}, measured on lineup {record.lineup.name}. {best}{starred}."
    return Figure(name, title, alt, svg, probes=tuple(probe.name for probe in shown))


def drawn_once(draw: Callable[[], str], data: object, code: Path, known: Path | None) -> str:
    """What ``draw`` gives, marked with a digest of its numbers and code; what ``known`` holds if it has that mark."""
    digest = hashlib.sha256(code.read_bytes() + repr(data).encode()).hexdigest()[:16]
    mark = f"<!-- drawn from {digest} -->"
    svg = known.read_text(encoding="utf-8") if known and known.is_file() else ""
    return (svg if svg.rstrip().endswith(mark) else f"{draw()}\n{mark}").strip()


def svg_of(paint: Callable[[Canvas], None], width: float, height: float) -> str:
    """What ``paint`` draws on an empty canvas of so many inches, as an SVG element; raises MissingExtra."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise MissingExtra("matplotlib", "embedded", "a figure") from None
    style = {"svg.fonttype": "none", "svg.hashsalt": "mmbench", "text.parse_math": False, "font.size": 8}
    stream = io.StringIO()
    with mpl.rc_context(style):
        canvas = Canvas(figsize=(width, height))
        paint(canvas)
        canvas.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    return svg[svg.index("<svg") :].strip()


def _draw(content: Content) -> str:
    drawn = content.panels
    down = math.ceil(len(drawn) / ACROSS)
    tallest = max(len(bars) for bars in drawn.values())
    high = 0.14 * tallest + 0.3  # of one panel, in inches; fixed margins, since an automatic layout draws twice
    height = down * (high + GAP) + 0.6
    margin = 0.3 + 0.075 * max(len(bar.label) for bars in drawn.values() for bar in bars)

    def paint(figure: Canvas) -> None:
        axes = figure.subplots(down, ACROSS, squeeze=False)
        figure.subplots_adjust(
            left=margin / WIDTH, right=1 - 0.1 / WIDTH, top=1 - 0.45 / height, bottom=1.0 / height,
            wspace=margin / ((WIDTH - margin * ACROSS) / ACROSS), hspace=GAP / high,
        )  # fmt: skip
        for ax, (name, bars) in zip(axes.flat, drawn.items(), strict=False):
            _panel(ax, name, bars, content.chance.get(name), content.units[name])
        for ax in axes.flat[len(drawn) :]:
            ax.set_axis_off()
        kinds = dict.fromkeys(bar.kind for bars in drawn.values() for bar in bars)
        shaded = [bars for bars in drawn.values() if len({bar.series for bar in bars}) > 1]
        series = sorted({bar.series for bars in shaded for bar in bars}, key=natural)
        said = [f"from light to dark: {', '.join(series)}"] if series else []
        said += [STARRED] if _has_stars(content) else []
        figure.text(0.5, 0.45 / height, "; ".join(said), ha="center")
        handles = handles_of(kinds, with_chance=bool(content.chance))
        figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)

    return svg_of(paint, WIDTH, height)


def _panel(ax: Axes, name: str, bars: list[Bar], chance: float | None, unit: str) -> None:
    series = sorted({bar.series for bar in bars}, key=natural)
    models = list(dict.fromkeys(bar.models for bar in bars))
    thick = 0.84 / len(series)
    at = [models.index(bar.models) + (series.index(bar.series) - (len(series) - 1) / 2) * thick for bar in bars]
    shades = [1.0] if len(series) == 1 else SHADES
    colours = [(COLOURS[bar.kind], shades[min(series.index(bar.series), len(shades) - 1)]) for bar in bars]
    ax.barh(at, [bar.mean for bar in bars], height=thick * 0.94, color=colours)
    known = [(y, bar.low, bar.high) for y, bar in zip(at, bars, strict=True) if bar.low is not None]
    if known:
        ax.hlines(*zip(*known, strict=True), color="#222222", linewidth=1)
    if chance is not None:
        ax.axvline(chance, color="#222222", linestyle="--", linewidth=0.8)
    for bar in bars:
        if bar.kind == "baseline" and bar.series == series[0]:
            ax.axvline(bar.mean, color=COLOURS["baseline"], linewidth=0.8)
    labels = {bar.models: bar.label for bar in bars}
    ax.set_yticks(range(len(models)), [labels[model] for model in models])
    ax.invert_yaxis()
    ax.set_xlim(left=min(0.0, *(bar.mean if bar.low is None else bar.low for bar in bars)))
    ax.set_title(name.replace(" (", "\n(", 1), fontsize=7.5, fontweight="bold")
    ax.set_xlabel(unit)
    ax.spines[["top", "right"]].set_visible(False)


def _highest(bars: Sequence[Bar]) -> str:
    """Which bar of a panel is longest, in words; all of them where several are."""
    most = max(bar.mean for bar in bars)
    return f"{listed(dict.fromkeys(bar.label for bar in bars if bar.mean == most))} highest"


def _has_stars(content: Content) -> bool:
    return any(STAR in bar.label for bars in content.panels.values() for bar in bars)


def handles_of(kinds: Iterable[Kind], *, with_chance: bool = False) -> list[Any]:
    """What a legend shows: the colour of each kind of model and, if wanted, the line of one constant answer."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    line = Line2D([], [], color="#222222", linestyle="--", linewidth=0.8, label="one constant answer")
    patches = [Patch(color=COLOURS[kind], label=KINDS[kind]) for kind in kinds]
    return [*patches, line] if with_chance else patches
