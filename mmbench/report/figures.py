"""Figures of a record, one a family of protocols, in the manner of the papers' summary figures: SVG as text.

Bars are means over trials and examples, whiskers their 95 % intervals, the dashed line what a constant answer scores.
Colours are Okabe and Ito's, which colour-blind readers can tell apart.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmbench.errors import MissingExtra
from mmbench.report.record import CellPart, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLES = {
    "prototypes": "Few-shot accuracy of class prototypes (as Devillers et al. 2021, Fig. 2)",
    "spectral": "Unsupervised clustering accuracy (as Devillers et al. 2021, Fig. 3)",
    "linear": "Linear probe (as Devillers et al. 2021, Fig. 4)",
    "mlp": "MLP head on human-centric data (as Bielawski 2022, Tables 5.1 to 5.3)",
    "neighbours": "Nearest neighbours, few shots (as Bielawski 2022, Fig. 5.3)",
    "logistic": "Regularised logistic regression",
    "zero_shot": "Zero-shot transfer from class names",
}
KINDS = {
    "labels": ("trained on labels", "#0072B2"),
    "language": ("trained with language", "#D55E00"),
    "text": ("text encoder", "#009E73"),
    "joined": ("image and text joined", "#CC79A7"),
    "untrained": ("untrained", "#999999"),
}
LANGUAGE = {"clip", "tsm", "virtex", "icmlm"}
TEXT = {"clip_t", "bert", "bert_base", "bert_large", "gpt2"}
UNTRAINED = {"random"}
SHADES = (0.45, 0.7, 1.0)
ACROSS = 3  # panels in a row


@dataclass(frozen=True)
class Figure:
    """One figure: ``svg`` is a whole SVG element, ``alt`` says in words what it shows."""

    name: str
    title: str
    alt: str
    svg: str


@dataclass(frozen=True)
class Bar:
    """Mean of one model on one dataset (or over all) with its interval; ``series`` is the protocol."""

    model: str
    series: str
    mean: float
    low: float | None
    high: float | None


def kind_of(model: str) -> str:
    """Which training a role stands for, as the papers group them."""
    if "+" in model:
        return "joined"
    if model in UNTRAINED:
        return "untrained"
    if model in TEXT:
        return "text"
    return "language" if model in LANGUAGE else "labels"


def figures_of(record: Record) -> tuple[Figure, ...]:
    """A figure for each family that has cells under the paper's reading."""
    by_probe: dict[str, list[CellPart]] = {}
    for cell in record.cells:
        if cell.reading == "paper":
            by_probe.setdefault(cell.probe, []).append(cell)
    order = [*(probe for probe in TITLES if probe in by_probe), *(p for p in by_probe if p not in TITLES)]
    return tuple(_figure(probe, by_probe[probe], record.lineup.name) for probe in order)


def panels(cells: Sequence[CellPart]) -> dict[str, list[Bar]]:
    """Bars by dataset, then ``mean`` over the datasets that every shown model has, where that is two or more."""
    found: dict[str, list[Bar]] = {}
    for cell in cells:
        bar = Bar(cell.model, cell.protocol, cell.mean, cell.low, cell.high)
        found.setdefault(cell.dataset, []).append(bar)
    found = {dataset: sorted(bars, key=_place) for dataset, bars in found.items()}
    units = {cell.metric for cell in cells}
    if len(found) > 1 and len(units) == 1:
        means = _means(found)
        if means:
            found[f"mean of {len(found)} datasets"] = sorted(means, key=_place)
    return found


def _means(found: dict[str, list[Bar]]) -> list[Bar]:
    """Unweighted means over datasets of models that have them all; datasets are fixed and independent of each other."""
    by_row: dict[tuple[str, str], list[Bar]] = {}
    for bars in found.values():
        for bar in bars:
            by_row.setdefault((bar.model, bar.series), []).append(bar)
    means = []
    for (model, series), bars in by_row.items():
        if len(bars) == len(found):
            mean = sum(bar.mean for bar in bars) / len(bars)
            half = math.sqrt(sum(((bar.high or bar.mean) - (bar.low or bar.mean)) ** 2 for bar in bars)) / 2 / len(bars)
            means.append(Bar(model, series, mean, mean - half, mean + half))
    return means


def _place(bar: Bar) -> tuple[int, str, tuple[int, str]]:
    return (list(KINDS).index(kind_of(bar.model)), bar.model, natural(bar.series))


def natural(name: str) -> tuple[int, str]:
    """Sorts ``few_shot_5`` before ``few_shot_10``."""
    digits = re.search(r"\d+$", name)
    return (int(digits.group()) if digits else 0, name)


def _figure(probe: str, cells: list[CellPart], lineup: str) -> Figure:
    title = TITLES.get(probe, probe)
    chance = {cell.dataset: cell.chance for cell in cells}
    drawn = panels(cells)
    unit = next((cell.unit for cell in cells if cell.unit), "")
    best = "; ".join(f"{name}: {max(bars, key=lambda b: b.mean).model} highest" for name, bars in drawn.items())
    alt = f"{title}, measured on lineup {lineup}. {best}."
    return Figure(probe, title, alt, _draw(drawn, chance, unit))


def _draw(drawn: dict[str, list[Bar]], chance: dict[str, float], unit: str) -> str:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise MissingExtra("matplotlib", "embedded", "a figure") from None
    down = math.ceil(len(drawn) / ACROSS)
    tallest = max(len(bars) for bars in drawn.values())
    style = {"svg.fonttype": "none", "svg.hashsalt": "mmbench", "text.parse_math": False, "font.size": 8}
    with mpl.rc_context(style):
        figure = Canvas(figsize=(10.5, down * (0.75 + 0.15 * tallest) + 0.4), layout="constrained")
        axes = figure.subplots(down, ACROSS, squeeze=False)
        for ax, (name, bars) in zip(axes.flat, drawn.items(), strict=False):
            _panel(ax, name, bars, chance.get(name), unit)
        for ax in axes.flat[len(drawn) :]:
            ax.set_axis_off()
        kinds = dict.fromkeys(kind_of(bar.model) for bars in drawn.values() for bar in bars)
        figure.legend(handles=_handles(kinds), loc="outside lower center", ncols=len(kinds) + 1, frameon=False)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    return svg[svg.index("<svg") :].strip()


def _panel(ax: Axes, name: str, bars: list[Bar], chance: float | None, unit: str) -> None:
    series = sorted({bar.series for bar in bars}, key=natural)
    models = list(dict.fromkeys(bar.model for bar in bars))
    thick = 0.84 / len(series)
    for bar in bars:
        at = models.index(bar.model) + (series.index(bar.series) - (len(series) - 1) / 2) * thick
        shade = 1.0 if len(series) == 1 else SHADES[min(series.index(bar.series), len(SHADES) - 1)]
        ax.barh(at, bar.mean, height=thick * 0.94, color=KINDS[kind_of(bar.model)][1], alpha=shade)
        if bar.low is not None and bar.high is not None:
            ax.plot([bar.low, bar.high], [at, at], color="#222222", linewidth=1)
    if chance is not None:
        ax.axvline(chance, color="#222222", linestyle="--", linewidth=0.8)
    ax.set_yticks(range(len(models)), models)
    ax.invert_yaxis()
    ax.set_xlim(left=0)
    ax.set_title(name, fontsize=9, fontweight="bold")
    ax.set_xlabel(f"{unit}   {' < '.join(series)} (light to dark)" if len(series) > 1 else unit)
    ax.spines[["top", "right"]].set_visible(False)


def _handles(kinds: Sequence[str] | dict[str, None]) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    line = Line2D([], [], color="#222222", linestyle="--", linewidth=0.8, label="one constant answer")
    return [*(Patch(color=KINDS[kind][1], label=KINDS[kind][0]) for kind in kinds), line]
