"""The picture of the zoo's page of cards: what each training signal is good at, one mark a model.

A hollow mark is a model trained again with another seed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.report.figures import KINDS, kind_of, svg_of
from mmbench.zoo.recipes.seeds import first_run
from mmbench.zoo.training import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "zoo.svg"
ACROSS, UP = "one_shot", "categories"
NEAR = 12, 1.5  # points of each at which two names would overlap


def write(told: dict[str, Any], out: Path) -> Path:
    """Draw the image models of a record of cards (``zoo.json``) into ``out``; the picture's path."""
    path, found = out / NAME, points(told)
    with atomic(path) as temporary:
        temporary.write_text(f"{draw(found)}\n{mark(found)}\n", encoding="utf-8")
    return path


def points(told: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """One-shot accuracy on unseen drawings and that of their categories, in percent, by image model."""
    figures = {name: model["figures"] for name, model in told["models"].items()}
    return {name: (each[ACROSS], each[UP]) for name, each in figures.items() if ACROSS in each}


def mark(found: dict[str, tuple[float, float]]) -> str:
    """Tells which numbers a picture is of."""
    return f"<!-- drawn from {hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:16]} -->"


def draw(found: dict[str, tuple[float, float]]) -> str:
    """The points as an SVG element."""
    firsts = {name: point for name, point in found.items() if first_run(name) == name}

    def paint(canvas: Figure) -> None:
        ax = canvas.subplots()
        for kind, (label, colour) in KINDS.items():
            for again in (False, True):
                given = [found[name] for name in found if kind_of(name) == kind and (name in firsts) != again]
                look: dict[str, Any] = {"facecolors": "none"} if again else {"color": colour, "label": label}
                if given:
                    x, y = np.transpose(given)
                    ax.scatter(x, y, s=22, edgecolors=colour, **look)
        for name, offset in _offsets(firsts).items():
            ax.annotate(name, firsts[name], offset, textcoords="offset points", fontsize=7)
        ax.margins(x=0.08)
        ax.set_xlabel("instances: one view finds the other among all unseen drawings, %")
        ax.set_ylabel("categories of unseen concepts, %")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)

    return svg_of(paint, 7.5, 4.8)


def _offsets(found: dict[str, tuple[float, float]]) -> dict[str, tuple[int, int]]:
    """Where each name stands, in typographic points from its mark: above it, or below where a neighbour is higher."""
    return {
        name: (4, -8) if any(0 <= u - y < NEAR[1] and abs(v - x) < NEAR[0] for v, u in _others(found, name)) else (4, 3)
        for name, (x, y) in found.items()
    }


def _others(found: dict[str, tuple[float, float]], name: str) -> list[tuple[float, float]]:
    return [point for other, point in found.items() if other != name]
