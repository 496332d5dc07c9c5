"""The figure of the zoo's page of cards: what each training signal is good at, one mark for each model.

A hollow mark is a model trained again with another seed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.files import atomic
from mmbench.lineups.roles import KINDS, kind_of
from mmbench.protocol import Roles
from mmbench.report.figures import COLOURS, svg_of
from mmbench.zoo.recipes._again import first_run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

Point = tuple[float, float]

NAME = "zoo.svg"
ACROSS, UP = "one_shot", "categories"
GAP = 4  # typographic points between a mark and its name
SIDES = [(x, y) for x in (1, -1, 0) for y in (1, -1, 0) if x or y]  # of a mark, in the order in which they are tried
HORIZONTAL, VERTICAL = {1: "left", 0: "center", -1: "right"}, {1: "bottom", 0: "center", -1: "top"}


def write(record: dict[str, Any], out: Path) -> Path:
    """Draw the image models of a record of cards (``zoo.json``) into ``out``; the picture's path."""
    path, found = out / NAME, points(record)
    with atomic(path) as temporary:
        temporary.write_text(f"{draw(found)}\n{mark(found)}\n", encoding="utf-8")
    return path


def points(record: dict[str, Any]) -> dict[str, Point]:
    """One-shot accuracy on unseen drawings and that of their categories, in percent, by image model."""
    figures = {name: model["figures"] for name, model in record["models"].items()}
    return {name: (each[ACROSS], each[UP]) for name, each in figures.items() if ACROSS in each}


def mark(found: dict[str, Point]) -> str:
    """The digest of the numbers that a figure shows, as a comment."""
    return f"<!-- drawn from {hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:16]} -->"


def draw(found: dict[str, Point]) -> str:
    """The points as an SVG element."""
    firsts = {name: point for name, point in found.items() if first_run(name) == name}

    def paint(canvas: Figure) -> None:
        ax = canvas.subplots()
        for kind, label in KINDS.items():
            colour = COLOURS[kind]
            for again in (False, True):
                given = [found[name] for name in found if kind_of(Roles(name)) == kind and (name in firsts) != again]
                look: dict[str, Any] = {"facecolors": "none"} if again else {"color": colour, "label": label}
                if given:
                    x, y = np.transpose(given)
                    ax.scatter(x, y, s=22, edgecolors=colour, **look)
        ax.margins(x=0.08)
        ax.set_xlabel("instances: one view finds the other among all unseen drawings, %")
        ax.set_ylabel("categories of unseen concepts, %")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
        write_names(ax, firsts, list(found.values()))

    return svg_of(paint, 7.5, 4.8)


def write_names(ax: Axes, named: dict[str, Point], marks: list[Point]) -> list[Annotation]:
    """Write each name on that side of its mark where it covers the least of marks, names and legend."""
    from matplotlib.transforms import Bbox

    ax.autoscale_view()  # else marks have no place yet
    legend = ax.get_legend()
    taken = [Bbox([at - 4, at + 4]) for at in ax.transData.transform(marks)]
    taken += [legend.get_window_extent()] if legend else []
    written = []
    for name, point in named.items():
        tried = [_beside(ax, name, point, side) for side in SIDES]
        boxes = [text.get_window_extent() for text in tried]
        best = int(np.argmin([sum(_shared(box, other) for other in taken) for box in boxes]))
        taken.append(boxes[best])
        written.append(tried.pop(best))
        for text in tried:
            text.remove()
    return written


def _beside(ax: Axes, name: str, point: Point, side: tuple[int, int]) -> Annotation:
    x, y = side
    how: dict[str, Any] = {"ha": HORIZONTAL[x], "va": VERTICAL[y], "fontsize": 7}
    return ax.annotate(name, point, (GAP * x, GAP * y), textcoords="offset points", **how)


def _shared(box: Bbox, other: Bbox) -> float:
    """The area that two boxes have in common."""
    common = box.intersection(box, other)
    return 0.0 if common is None else common.width * common.height
