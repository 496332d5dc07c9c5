"""Scenes: one to three drawings of a batch on one canvas, with five captions each.

What a caption model is shown. The first drawing of scene i is drawing i of the batch and the others are of the same
batch, so a step shows no drawing that it does not show to the other recipes. The canvas then goes through the views
of every recipe: pose, colours and background are theirs. A scene follows from the seed, the step and its place.

The captions say number, names, colours, where things lie and of which kind they are. A view turns hues by up to 20
degrees and makes one in ten grey, so one in a few colour words is not to be seen; names of places hold, since no view
turns by more than 30 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.zoo.frozen.corpus import PIXELS, Corpus

if TYPE_CHECKING:
    from torch import Tensor

TILE = PIXELS // 2
COUNTS = ("one thing", "two things", "three things")
COLOURS = ("red", "orange", "brown", "yellow", "green", "blue", "purple", "pink", "black", "grey", "white")
INK = 0.25
GREYISH = 0.15
COLOURED = 0.3
HUES = ((15, "red"), (42, "orange"), (68, "yellow"), (165, "green"), (255, "blue"), (290, "purple"), (340, "pink"))
LAYOUTS = {
    1: (("on its own", ((0, 0),)),),
    2: (("to the left of", ((None, 0), (None, TILE))), ("above", ((0, None), (TILE, None)))),
    3: (
        ("above", ((0, TILE // 2), (TILE, 0), (TILE, TILE))),
        ("below", ((TILE, TILE // 2), (0, 0), (0, TILE))),
        ("to the left of", ((TILE // 2, 0), (0, TILE), (TILE, TILE))),
    ),
}


@dataclass(frozen=True)
class Scene:
    """``members`` are places in the batch, ``corners`` the top left of each, in pixels; ``relation`` is the first's."""

    members: tuple[int, ...]
    corners: tuple[tuple[int, int], ...]
    relation: str


def scenes(count: int, rng: np.random.Generator) -> list[Scene]:
    """One scene for each of a batch's ``count`` drawings; one, two and three drawings are equally likely."""
    made = []
    for first in range(count):
        size = min(int(rng.integers(1, 4)), count)
        others = [int(other) for other in rng.choice(count - 1, size - 1, replace=False)] if size > 1 else []
        layouts = LAYOUTS[size]
        relation, corners = layouts[int(rng.integers(len(layouts)))]
        free = [tuple(int(rng.integers(TILE + 1)) if at is None else at for at in corner) for corner in corners]
        members = (first, *(other + (other >= first) for other in others))
        made.append(Scene(members, tuple((down, across) for down, across in free), relation))
    return made


def canvases(drawings: Tensor, composed: list[Scene]) -> Tensor:
    """The scenes' pictures, premultiplied RGBA ``[n, 4, 72, 72]`` like ``drawings``; a drawing alone keeps its size."""
    from torch.nn import functional as F

    small, made = F.avg_pool2d(drawings, 2), drawings.clone()
    for place, scene in enumerate(composed):
        if len(scene.members) == 1:
            continue
        made[place].zero_()
        for member, (down, across) in zip(scene.members, scene.corners, strict=True):
            made[place, :, down : down + TILE, across : across + TILE] = small[member]
    return made


def captions(
    corpus: Corpus, colours: tuple[str, ...], rows: NDArray[np.int64], scene: Scene, rng: np.random.Generator
) -> tuple[str, ...]:
    """Five sentences about a scene: number, names, colours, places, kinds. ``rows`` are the batch's corpus rows."""
    shown = [int(rows[member]) for member in scene.members]
    nouns = [_noun(corpus, row, rng) for row in shown]
    kinds = [
        (corpus.categories if rng.random() < 0.5 else corpus.subcategories)[row].replace("-", " ") for row in shown
    ]
    dyed = [f"{colours[row]} {noun}".strip() for row, noun in zip(shown, nouns, strict=True)]
    rest = f" {_listed(nouns[1:])}" if len(nouns) > 1 else ""
    return (
        f"{COUNTS[len(shown) - 1]}: {_listed(nouns)}",
        f"a drawing of {_listed(nouns)}",
        _listed(dyed),
        f"{nouns[0]} {scene.relation}{rest}",
        _listed([f"{noun}, {kind}" for noun, kind in zip(nouns, kinds, strict=True)]),
    )


def dominant_colours(corpus: Corpus) -> tuple[str, ...]:
    """A colour word for each drawing: that of most of its pixels that are no ink, or "" where none has three in ten."""
    return tuple(_dominant(pixels) for pixels in corpus.pixels)


def every_word(corpus: Corpus) -> list[str]:
    """What captions of scenes say beside names and kinds: their words belong in the vocabulary."""
    relations = [relation for layouts in LAYOUTS.values() for relation, _ in layouts]
    return [*COLOURS, *COUNTS, *relations, "a drawing of : , and"]


def _noun(corpus: Corpus, row: int, rng: np.random.Generator) -> str:
    names = (corpus.names[row], *corpus.keywords[row])
    return names[0] if rng.random() < 0.5 else names[int(rng.integers(len(names)))]


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _dominant(pixels: NDArray[np.uint8]) -> str:
    """The colour word of one drawing, uint8 RGBA ``[4, s, s]``; ink counts only where there is little else."""
    colours = pixels[:3, pixels[3] >= 128] / 255.0
    fills = colours[:, colours.max(axis=0, initial=0.0) >= INK]
    if fills.shape[1] < COLOURED * colours.shape[1]:
        return "black"
    counts = np.bincount(_words(fills), minlength=len(COLOURS))
    top = int(counts.argmax())
    return COLOURS[top] if counts[top] >= COLOURED * max(counts.sum(), 1) else ""


def _words(colours: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places in ``COLOURS`` of RGB colours ``[3, n]``: grey by saturation, else by the hue's angle in degrees."""
    red, green, blue = colours
    most, least = colours.max(axis=0), colours.min(axis=0)
    hue = np.degrees(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)) % 360
    word = np.digitize(hue, [edge for edge, _ in HUES])
    named = np.array([COLOURS.index(name) for name in (*(name for _, name in HUES), HUES[0][1])])[word]
    named[(named == COLOURS.index("orange")) & (most < 0.7)] = COLOURS.index("brown")
    plain = most - least < GREYISH * most
    return np.where(plain, np.where(most > 0.85, COLOURS.index("white"), COLOURS.index("grey")), named)
