"""The calibration page, rendered from the record (``calibration.json``) alone, so that it cannot drift from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmbench.calibration import gate_page
from mmbench.calibration.design import BOTH, HIGH, KINDS, LOW, MOST_FALSE, SURE, Row, faults, noise
from mmbench.calibration.simulation import EFFECTS, TRIALS

Made = Mapping[str, Any]
FIELDS = "without "  # how a method is called that leaves a field of the scores out


def render(record: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    designs = record["designs"]
    least = min((made["low"] for made in designs), default=LOW)
    lines = [
        "# Calibration of verdicts",
        "",
        f"Rendered from `calibration.json`; made by `{record['command']}` in {record['seconds']:.0f} seconds of a core",
        f"(processes: {record['processes']}). A design can be made anew alone (`--only NAME`).",
        *(f"Made anew by `{again}`." for again in record.get("again", ())),
        "",
        "Each design draws evidence again and again and has claims judged that are only just true or only just false.",
        f"Bounds: 95 % intervals cover {100 * LOW:g} to {100 * HIGH:g} % (clustering: from {100 * least:g} %), and a",
        f"verdict is false in at most {100 * MOST_FALSE:g} % of runs a side. What exceeds them by more than three",
        "standard errors of the simulation is listed here and stands in bold below; each rate has one standard error.",
        "",
        *([f"- {fault}" for fault in found_faults(designs)] or ["Nothing exceeds them."]),
        "",
        *_doubtful(designs),
        "![Coverage of 95 % intervals by design](calibration.svg)",
        "",
        "## Coverage and false verdicts",
        "",
        "Real digits: test sets, and training pools where it is said so, are drawn from 5,000 digits of MNIST under",
        "encoders made on the spot, and measured by the bench's own probes and metrics. The truth is the value over",
        "the whole population, or the mean over the other test sets where a value depends on their size. These designs",
        "share nothing with the estimator's model; the planted ones come from it. A rate in brackets is no error.",
        "",
        "| design | asked | 95 % intervals cover | falsely supported | falsely refuted | runs |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for kind, title in KINDS.items():
        some = [made for made in designs if made["kind"] == kind and kind != "power"]
        lines += [f"| **{title}** | | | | | |"] * bool(some)
        lines += [line for made in some for line in _lines(made)]
    lines += ["", *_wrong(designs), "", *_power(designs)]
    if "gate" in record:
        lines += ["", *gate_page.render(record["gate"])]
    return "\n".join(lines) + "\n"


def found_faults(designs: Sequence[Made], errors: float = SURE) -> list[str]:
    """What exceeds the bounds, over all designs; methods that are wrong on purpose are left out."""
    return [fault for made in designs for fault in faults(made["name"], right(made), made["low"], errors)]


def _doubtful(designs: Sequence[Made]) -> Iterator[str]:
    """What is out of bounds by one to three standard errors: a part of it is chance."""
    sure = found_faults(designs)
    found = [fault for fault in found_faults(designs, 1.0) if fault not in sure]
    if found:
        yield f"Out of bounds by one to {SURE:g} standard errors; some of these rates are so by chance:"
        yield ""
        yield from (f"- {fault}" for fault in found)
        yield ""


def right(made: Made) -> list[Row]:
    """The rows of verdicts as they are given, not of methods that are wrong on purpose."""
    return [each for each in made["rows"] if "wrong" not in each]


def _lines(made: Made) -> Iterator[str]:
    name = f"{made['name']}: {made['about']}" if made["about"] else made["name"]
    for number, each in enumerate(right(made)):
        flagged = faults("", [each], made["low"])
        cover = each["coverage"]
        shown = ["" if cover is None else _bold(_percent(cover, each["runs"]), any("cover" in f for f in flagged))]
        for side in BOTH:
            rate = _percent(each[side], each["runs"])
            bad = any(f.endswith(f"falsely {side}") for f in flagged)
            shown.append(_bold(rate, bad) if side in each["false"] else f"({rate})")
        yield f"| {'' if number else name} | {each['asked']} | {' | '.join(shown)} | {each['runs']} |"


def _wrong(designs: Sequence[Made]) -> Iterator[str]:
    yield from (
        "## Methods that are wrong on purpose",
        "",
        "The same check on the same evidence, judged by methods that ought to be flagged, so that the check is seen to",
        "work: outcomes taken as independent, a percentile bootstrap of few trials, and scores without what they say",
        "about groups, halves and training pools.",
        "",
        "| method | design | asked | 95 % intervals cover | flagged |",
        "|---|---|---|---:|---|",
    )
    for made in designs:
        for each in made["rows"]:
            if "wrong" in each:
                flagged = "yes" if faults("", [each], made["low"]) else "no"
                cover = _percent(each["coverage"], each["runs"])
                yield f"| {each['wrong']} | {made['name']} | {each['asked']} | {cover} | {flagged} |"


def _power(designs: Sequence[Made]) -> Iterator[str]:
    rows = {made["name"]: made["rows"][0] for made in designs if made["kind"] == "power"}
    yield from (
        "## Power: how often what is clearly true or false is decided",
        "",
        "`Above` supported, 300 examples, variance through examples and trials; a lead in points at 60 %.",
        "",
        "| lead | " + " | ".join(f"{t} trials" for t in TRIALS) + " |",
        "|---:|" + "---:|" * len(TRIALS),
    )
    for effect in EFFECTS:
        found = [rows.pop(f"lead of {effect:g} points, {t} trials", None) for t in TRIALS]
        shown = [_percent(each["supported"], each["runs"]) if each else "" for each in found]
        yield f"| {effect:g} | " + " | ".join(shown) + " |"
    yield from (
        "",
        "Correlations of eight models on two datasets, true means 40 points apart:",
        "",
        "| correlation | supported | refuted | runs |",
        "|---|---:|---:|---:|",
    )
    for name, each in rows.items():
        shown = [_percent(each[side], each["runs"]) for side in BOTH]
        yield f"| {name} | {' | '.join(shown)} | {each['runs']} |"


def _percent(rate: float, runs: int) -> str:
    """The rate with one standard error of the simulation."""
    return f"{100 * rate:.1f} ± {100 * noise(rate, runs, 1.0):.1f} %"


def _bold(text: str, bold: bool) -> str:
    return f"**{text}**" if bold else text


def draw(record: Mapping[str, Any], path: Path) -> None:
    """The figure: the coverage of every row with one standard error, and the band in which it should be."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = [(made, each) for made in record["designs"] for each in right(made) if each["coverage"] is not None]
    with mpl.rc_context({"svg.hashsalt": "mmbench", "svg.fonttype": "none", "font.size": 6}):
        figure = Figure(figsize=(7, 1 + 0.13 * len(rows)), layout="constrained")
        axes = figure.subplots()
        axes.axvspan(100 * LOW, 100 * HIGH, color="0.9")
        for at, (made, each) in enumerate(rows):
            bad = any("cover" in fault for fault in faults("", [each], made["low"]))
            error = 100 * noise(each["coverage"], each["runs"], 1.0)
            colour = "#D55E00" if bad else "#0072B2"  # Okabe and Ito's
            axes.errorbar(100 * each["coverage"], at, xerr=error, fmt="s" if bad else "o", ms=2.5, color=colour)
        axes.set_yticks(range(len(rows)), [f"{made['name']}: {each['asked']}" for made, each in rows])
        axes.set_ylim(len(rows), -1)
        axes.set_xlabel("coverage of 95 % intervals (%), with one standard error; squares: out of bounds")
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None})
