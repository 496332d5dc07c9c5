"""The picture of the zoo's page of cards: what each training signal is good at, one mark a model.

A hollow mark is a model trained again with another seed.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.report.figures import KINDS, STYLE, kind_of
from mmbench.zoo.training import atomic

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
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        canvas = Figure(figsize=(7.5, 4.8), layout="constrained")
        ax = canvas.subplots()
        for kind, (label, colour) in KINDS.items():
            names = [name for name in found if kind_of(name) == kind]
            for again in (False, True):  # hollow and without a name: trained again with another seed
                given = [found[name] for name in names if ("_seed" in name) == again]
                look: dict[str, Any] = {"facecolors": "none"} if again else {"color": colour, "label": label}
                if given:
                    x, y = np.transpose(given)
                    ax.scatter(x, y, s=22, edgecolors=colour, **look)
        for name, offset in _offsets({name: at for name, at in found.items() if "_seed" not in name}).items():
            ax.annotate(name, found[name], offset, textcoords="offset points", fontsize=7)
        ax.margins(x=0.08)
        ax.set_xlabel("instances: one view finds the other among all unseen drawings, %")
        ax.set_ylabel("categories of unseen concepts, %")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
        stream = io.StringIO()
        canvas.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    return svg[svg.index("<svg") :].strip()


def _offsets(found: dict[str, tuple[float, float]]) -> dict[str, tuple[int, int]]:
    """Where each name stands, in typographic points from its mark: above it, or below where a neighbour is higher."""
    return {
        name: (4, -8) if any(0 <= u - y < NEAR[1] and abs(v - x) < NEAR[0] for v, u in _others(found, name)) else (4, 3)
        for name, (x, y) in found.items()
    }


def _others(found: dict[str, tuple[float, float]], name: str) -> list[tuple[float, float]]:
    return [point for other, point in found.items() if other != name]
