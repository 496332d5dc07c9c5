"""The pure part of OpenMoji access: which drawings, their names, their concepts, the split, and the pixels.

The recipes of the zoo hash this module (see mmbench.zoo.fingerprint): what is written here decides what the shipped
weights were trained on, so a change of behaviour here means training them again. Nothing here reads a file.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

EVALUATION_SHARE = 0.3
SPLIT_SALT = "mmbench-openmoji-1"

_PEOPLE = frozenset(
    "man men woman women person people boy boys girl girls adult adults child baby male female "
    "mx mrs. mr. merman mermaid merperson prince princess".split()
)
_COLOURS = frozenset(
    "red orange yellow green blue purple brown black white grey gray pink light dark medium small large medium-small "
    "medium-light medium-dark".split()
)


@dataclass(frozen=True)
class Drawing:
    """One named drawing: ``svg`` is its file's stem, ``keywords`` other names by which people call it."""

    id: str
    svg: str
    name: str
    category: str
    subcategory: str
    keywords: tuple[str, ...]
    concept: str

    @property
    def evaluation(self) -> bool:
        return is_evaluation(self.concept)


def bare(hexcode: str) -> str:
    """A hexcode without variation selectors, by which the three sources agree."""
    return "-".join(part for part in hexcode.upper().split("-") if part != "FE0F")


def concept_of(name: str) -> str:
    """What a drawing shows, up to gender, age, family members, colour, size and the hour of a clock.

    "woman running facing right" and "man running" are one concept, as are "red heart" and "blue heart"; flags of
    countries are one each. A name made only of such words ("woman") belongs to the concept "person" or "colour".
    """
    lowered = name.lower()
    if lowered.startswith("flag of "):
        return lowered
    if re.search(r"(o’clock|o'clock|-thirty)$", lowered):
        return "clock face"
    for head in ("family", "kiss", "couple with heart"):
        if lowered == head or lowered.startswith(f"{head} "):
            return head
    words = re.sub(r"\bfacing right\b", " ", lowered).split()
    kept = [word for word in words if word not in _PEOPLE and word not in _COLOURS]
    if kept:
        return " ".join(kept)
    return "person" if any(word in _PEOPLE for word in words) else "colour"


def is_evaluation(concept: str) -> bool:
    """Whether a concept is kept from the zoo's training: fixed by a hash of its words, about 30 % of them."""
    digest = hashlib.sha256(f"{SPLIT_SALT}:{concept}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < EVALUATION_SHARE * 2**64


def index(
    listing: Sequence[Mapping[str, Any]],
    names: Mapping[str, Mapping[str, Any]],
    stems: Sequence[str],
    svg: Callable[[str], bytes],
) -> list[Drawing]:
    """The named drawings, sorted by hexcode.

    ``listing`` is emoji-data's list (categories, short names; no skin-tone variants among its entries), ``names``
    maps an emoji to its CLDR name and aliases, ``stems`` are the SVG files and ``svg`` reads one. Skin-tone swatches
    are left out. Of drawings with the same SVG (flag of Norway, flag of Bouvet Island) the shortest name stays, so
    that no picture of the evaluation concepts is also one of the training concepts.
    """
    files = {bare(stem): stem for stem in sorted(stems, reverse=True)}
    cldr: dict[str, Mapping[str, Any]] = {}
    for emoji in sorted(names, key=len):
        cldr[bare("-".join(f"{ord(char):04X}" for char in emoji))] = names[emoji]
    found: dict[str, Drawing] = {}
    for entry in listing:
        code = bare(entry["unified"])
        if entry["category"] == "Component" or code not in files or code not in cldr:
            continue
        name = spoken(cldr[code]["en"])
        if entry["subcategory"] in {"country-flag", "subdivision-flag"}:
            name = f"flag of {name}"
        others = [entry["name"] or "", *entry["short_names"], *cldr[code].get("alias", ())]
        keywords = tuple(dict.fromkeys(word for word in map(spoken, others) if len(word) > 1))
        drawing = Drawing(
            id=code,
            svg=files[code],
            name=name,
            category=entry["category"],
            subcategory=entry["subcategory"],
            keywords=tuple(word for word in keywords if word != name.lower()),
            concept=concept_of(name),
        )
        content = hashlib.sha256(svg(drawing.svg)).hexdigest()
        other = found.get(content)
        if other is None or (len(drawing.name), drawing.id) < (len(other.name), other.id):
            found[content] = drawing
    return sorted(found.values(), key=lambda drawing: drawing.id)


def spoken(name: str) -> str:
    """``:man_farmer:`` or ``MAN FARMER`` as written in a text, ``man farmer``; names of places keep capitals."""
    words = name.strip(":").replace("_", " ").strip()
    return words.lower() if words.isupper() else words


def render(svg: str, size: int) -> NDArray[np.uint8]:
    """RGBA pixels ``[size, size, 4]`` of an SVG, straight alpha; system fonts are not used."""
    import resvg_py
    from PIL import Image

    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    with Image.open(io.BytesIO(bytes(png))) as image:
        pixels = np.asarray(image.convert("RGBA"))
    return np.ascontiguousarray(pixels)
