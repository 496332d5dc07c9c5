"""The gate's section of the calibration page; ``python -m`` this module simulates it and renders the page anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmbench.calibration.gate_simulation import CAUGHT, FALSE_FAIL, LEVEL, OUTCOMES, ROOM, faults

COLOURS = {"pass": "#009E73", "inconclusive": "#999999", "fail": "#D55E00"}  # Okabe and Ito's
FIGURE = "calibration_gate.svg"
TITLES = {
    "every": "trained anew, loss on every cell",
    "dataset": "trained anew, loss on one dataset",
    "single": "trained anew, loss on one cell",
    "near": "nearly the same weights, loss on every cell",
}
SHORT = {
    "every": "anew, every cell",
    "dataset": "anew, one dataset",
    "single": "anew, one cell",
    "near": "near, every cell",
}


def render(gate: dict[str, Any]) -> list[str]:
    """The section, as lines of Markdown, from the record's part ``gate``."""
    return [*_head(gate), *_seeds(gate), *_single(gate), *_curves(gate), *_other_margins(gate), *_families(gate)]


def _head(gate: dict[str, Any]) -> list[str]:
    margins = "; ".join(f"{metric} {_span(values)}" for metric, values in gate["margins"].items())
    sds = "; ".join(f"{metric} {_span(values)}" for metric, values in gate["sds"].items())
    cells = gate["families"][0]["cells"]
    return [
        "## The gate: how often it passes, fails, or cannot say",
        "",
        f"Made in {gate['seconds']:g} s by",
        f"`{gate['command']}`.",
        "",
        f"- {gate['runs']} runs a point, at the sizes, means and spreads over trials of the role with the most",
        f"  cells in `{gate['sizes']}`, in accuracy or F1: {cells} cells.",
        "- A model trained anew differs in half of what makes an example hard and a draw lucky, and its true means",
        "  move as the lineup's seeds do: with their standard deviation on the same protocol and dataset, in the",
        f"  same directions. From least to largest, with the middle: {sds}.",
        f"- Margins are the defaults, 5 % of the range or {gate['factor']:g} of those standard deviations: {margins}.",
        "- A loss stops at chance. F1 is planted as 0 or 1, which varies more than real F1.",
        "",
        "What the gate must keep:",
        "",
        f"- an unchanged model trained anew fails in under {_percent(FALSE_FAIL)};",
        f"- a loss of twice the margin on every cell is caught in at least {_percent(CAUGHT)};",
        f"- so is one on the cells of a single dataset, of the {gate['datasets']} with {ROOM:g} margins to lose;",
        f"- a loss of just the margin, without seed noise, fails in at most {_percent(LEVEL)}, as Holm promises;",
        f"- nearly the same weights (2 % of the latent variance new) pass in at least {_percent(CAUGHT)}.",
        "",
        *([f"**Broken:** {fault}." for fault in faults(gate)] or ["All five are kept."]),
        "",
    ]


def _span(values: Sequence[float]) -> str:
    low, middle, high = (f"{value:.3g}" for value in values)
    return low if low == high else f"{low} to {high} ({middle})"


def _seeds(gate: dict[str, Any]) -> list[str]:
    """What several seeds a side change, and what real seeds say."""
    lines = [
        "With several seeds a side their means are compared, and margins are narrower where seeds decide them:",
        "",
        "| seeds of base, of candidate | margins | unchanged: fail | pass | one dataset has lost twice: fail |",
        "|---|---|---:|---:|---:|",
    ]
    for row in gate["seeds"]:
        margins = "; ".join(f"{metric} {_span(values)}" for metric, values in row["margins"].items())
        rates = (row["unchanged"]["fail"], row["unchanged"]["pass"], row["dataset"]["fail"])
        lines.append(f"| {row['seeds'][0]}, {row['seeds'][1]} | {margins} | " + " | ".join(map(_percent, rates)) + " |")
    real, before = gate["real"], gate["real"]["before"]
    return [
        *lines,
        "",
        f"({gate['seeds'][0]['runs']} runs a point.)",
        "",
        f"On real seeds: {real['pairs']} ordered pairs of two trainings of one recipe, {real['rows']} cells, margins",
        f"from the other recipes' seeds alone. {real['failed']} fail unchanged; of {real['losses']} losses of twice",
        f"the margin on one dataset {real['caught']} are caught. With 5 % of the range as the margin of every cell,",
        f"{before['failed']} fail, and {before['caught']} of {before['losses']} are caught. Pairs of few seeds are not",
        "independent, so these rates are coarse.",
        "",
    ]


def _single(gate: dict[str, Any]) -> list[str]:
    """What the gate does not keep: a loss that a single cell of many has, and how many cells it may be hidden among."""
    rows = {row["loss"]: row["fail"] for row in gate["single"]}
    enough = next((f"{loss:g} margins" for loss, fail in rows.items() if fail >= CAUGHT), "no loss drawn here")
    cells = gate["families"][0]["cells"]
    lines = [
        f"What it does not keep: a loss of twice the margin on one cell of {cells} is caught in {_percent(rows[2.0])};",
        f"{_percent(CAUGHT)} are reached only at {enough}. Holm asks more of each cell, the more are compared, and two",
        "trainings differ by themselves. Who cares for a single cell gates it among fewer (`pytest -k`):",
        "",
        "| cells compared | one has lost twice the margin: fail | none has lost: fail |",
        "|---:|---:|---:|",
    ]
    whole = {"cells": cells, "caught": rows[2.0], "unchanged": rows[0.0]}
    for row in (*gate["among"], whole):
        lines.append(f"| {row['cells']} | {_percent(row['caught'])} | {_percent(row['unchanged'])} |")
    return [*lines, ""]


def _curves(gate: dict[str, Any]) -> list[str]:
    lines = [
        f"![Pass, inconclusive and fail against the true loss]({FIGURE})",
        "",
        "| true loss in margins | "
        + " | ".join(f"{short}: pass | inconclusive | fail" for short in SHORT.values())
        + " |",
        "|---:|" + "---:|" * len(OUTCOMES) * len(SHORT),
    ]
    by_loss = {key: {row["loss"]: row for row in gate[key]} for key in SHORT}
    for loss in by_loss["every"]:
        rows = [by_loss[key].get(loss) for key in SHORT]
        shown = (_percent(row[outcome]) if row else "" for row in rows for outcome in OUTCOMES)
        lines.append(f"| {loss:g} | " + " | ".join(shown) + " |")
    edge = _percent(gate["edge"]["fail"])
    return [*lines, "", f"Worse by just the margin on every cell, without seed noise: {edge} fail.", ""]


def _other_margins(gate: dict[str, Any]) -> list[str]:
    noises = list(gate["other_margins"][0]["noises"])
    lines = [
        "Other margins: how often an unchanged model fails if seeds vary by so many measured standard deviations,",
        "and how often a loss of twice that margin on every cell is caught.",
        "",
        "| margin in defaults | " + " | ".join(f"fails, {noise} SD" for noise in noises) + " | caught |",
        "|---:|" + "---:|" * (len(noises) + 1),
    ]
    for row in gate["other_margins"]:
        rates = [*(row["noises"][noise] for noise in noises), row["twice"]["fail"]]
        lines.append(f"| {row['margin']:g} | " + " | ".join(map(_percent, rates)) + " |")
    return [*lines, ""]


def _families(gate: dict[str, Any]) -> list[str]:
    lines = [
        "A pass asks that every cell is shown to be no worse. For a model trained anew that is the rarer, the more",
        "cells and the fewer examples there are; fewer cells, more examples or wider margins bring it about.",
        "",
        "| cells | number | trained anew: pass | fail | near: pass | loss of twice the margin: fail |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in gate["families"]:
        new = row["unchanged"]
        rates = (new["pass"], new["fail"], row["near"]["pass"], row["twice"]["fail"])
        lines.append(f"| {row['family']} | {row['cells']} | " + " | ".join(map(_percent, rates)) + " |")
    return lines


def _percent(rate: float) -> str:
    return f"{100 * rate:.3g} %"


def draw(gate: dict[str, Any], path: Path) -> None:
    """The figure: what the gate says against the true loss, for each kind of candidate."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "mmbench", "font.size": 8}):
        figure = Figure(figsize=(3.4 * len(TITLES), 3.2), layout="constrained")
        for axes, (key, title) in zip(
            figure.subplots(1, len(TITLES), sharex=True, sharey=True), TITLES.items(), strict=True
        ):
            losses = [row["loss"] for row in gate[key]]
            for outcome, colour in COLOURS.items():
                values = [100 * row[outcome] for row in gate[key]]
                axes.plot(losses, values, "o-", ms=3, color=colour, label=outcome)
            axes.axvline(1.0, color="#222222", linestyle="--", linewidth=0.8, label="the margin")
            axes.set_title(title)
            axes.set_xlabel("true loss (margins)")
            axes.spines[["top", "right"]].set_visible(False)
        figure.axes[0].set_ylabel(f"of {gate['runs']} runs (%)")
        figure.axes[1].legend(fontsize=7, loc="center left")
        figure.savefig(path, metadata={"Date": None})
