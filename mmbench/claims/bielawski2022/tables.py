"""Bielawski 2022 (thesis), chapter 5: the printed tables, and the numbers quoted in its running text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmbench.claims._common import numbers
from mmbench.claims.claim import Heading, Place, Printed, Table
from mmbench.conditions import printed
from mmbench.forms import Above, All, Form
from mmbench.probes.mlp import MLP_HEAD
from mmbench.protocol import Cell, Models, Roles

SEEDS = 5
Entry = tuple[float, float] | None  # mean and standard deviation over SEEDS runs
Rows = Mapping[str, Sequence[Entry]]

_TEXTS = ("", "bert_base", "bert_large", "clip_t")


def _grid(rows: Rows, columns: Sequence[tuple[str, str]]) -> dict[Cell, Printed]:
    """Rows of vision roles ("" for none) by columns of (text role, dataset) to cells."""
    return {
        Cell(MLP_HEAD, Roles(*filter(None, (vision, text))), dataset): Printed(*entry, n=SEEDS)
        for vision, row in rows.items()
        for (text, dataset), entry in zip(columns, row, strict=True)
        if entry
    }


def _crossed(cells: Mapping[Cell, Printed]) -> dict[Cell, tuple[Heading, Heading]]:
    """Rows are image encoders, with or without masks; columns text encoders, on titles or on plots."""
    masks = any(cell.dataset.endswith("_masked") for cell in cells)
    found: dict[Cell, tuple[Heading, Heading]] = {}
    for cell in cells:
        text = next((role for role in cell.models if role in _TEXTS), "")
        vision = next((role for role in cell.models if role not in _TEXTS), "")
        covers = "masked" if cell.dataset.endswith("_masked") else "standard"
        kind = next((word for word in ("title", "plot") if word in cell.dataset.split("_")), "")
        found[cell] = (vision, covers if masks and vision else ""), (text, kind if text else "")
    return found


def _one_set(dataset: str) -> list[tuple[str, str]]:
    return [(text, dataset) for text in _TEXTS]


def _posters(mask: str = "") -> list[tuple[str, str]]:
    """Columns of Table 5.3: no text, then three text models on titles, then the same three on plots."""
    titles, plots = ([(text, f"plotster_{kind}{mask}") for text in _TEXTS[1:]] for kind in ("title", "plot"))
    return [("", f"plotster{mask}"), *titles, *plots]


_TWEETS = _grid(
    {
        "": (None, (63.33, 0.18), (64.02, 0.74), (64.6, 0.3)),
        "rn50": ((55.17, 0.37), (63.93, 0.36), (63.92, 0.55), (64.13, 0.37)),
        "bit_m": ((60.0, 1.46), (61.93, 2.05), (63.16, 2.82), (62.77, 0.72)),
        "clip": ((63.07, 0.23), (66.03, 0.15), (66.03, 0.6), (65.58, 0.38)),
    },
    _one_set("mvsa"),
)
TABLE_5_1 = Table(
    "Table 5.1",
    Place("bielawski2022", "5.2", "Table 5.1"),
    _TWEETS,
    spread="5 runs",
    note="MVSA, accuracy in percent",
    unit="%",
    places=_crossed(_TWEETS),
)

_COVERS = _grid(
    {
        "": (None, (54.7, 0.25), (54.92, 0.43), (57.28, 0.27)),
        "rn50": ((10.04, 4.33), (54.85, 0.52), (55.53, 0.39), (57.2, 0.49)),
        "bit_m": ((29.33, 0.92), (50.11, 0.57), (50.49, 0.59), (52.6, 0.46)),
        "clip": ((53.75, 0.23), (60.38, 0.34), (60.62, 0.27), (60.66, 0.26)),
    },
    _one_set("book_covers"),
)
_MASKED_COVERS = _grid(
    {
        "rn50": ((10.41, 2.43), (54.26, 0.25), (55.11, 0.17), (57.26, 0.29)),
        "bit_m": ((24.87, 0.99), (48.93, 0.77), (50.09, 0.71), (52.08, 0.59)),
        "clip": ((33.04, 0.21), (57.86, 0.45), (58.47, 0.4), (59.54, 0.28)),
    },
    _one_set("book_covers_masked"),
)
TABLE_5_2 = Table(
    "Table 5.2",
    Place("bielawski2022", "5.2", "Table 5.2"),
    _COVERS | _MASKED_COVERS,
    spread="5 runs",
    note="Book Cover, accuracy in percent",
    unit="%",
    places=_crossed(_COVERS | _MASKED_COVERS),
)

# fmt: off
_POSTERS = _grid(
    {
        "": (None, (0.314, 0.01), (0.323, 0.01), (0.397, 0.0), (0.582, 0.0), (0.599, 0.01), (0.612, 0.0)),
        "rn50": ((0.09, 0.01), (0.338, 0.01), (0.363, 0.01), (0.393, 0.02),
                 (0.578, 0.01), (0.599, 0.01), (0.599, 0.01)),
        "bit_m": ((0.415, 0.01), (0.49, 0.01), (0.499, 0.01), (0.507, 0.01),
                  (0.625, 0.01), (0.637, 0.01), (0.631, 0.01)),
        "clip": ((0.526, 0.01), (0.559, 0.01), (0.558, 0.01), (0.593, 0.01),
                 (0.672, 0.0), (0.683, 0.0), (0.687, 0.0)),
    },
    _posters(),
)
_MASKED_POSTERS = _grid(
    {
        "rn50": ((0.07, 0.01), (0.335, 0.02), (0.352, 0.01), (0.383, 0.02),
                 (0.576, 0.01), (0.597, 0.01), (0.596, 0.01)),
        "bit_m": ((0.372, 0.0), (0.457, 0.02), (0.48, 0.01), (0.49, 0.01),
                  (0.617, 0.01), (0.631, 0.01), (0.621, 0.01)),
        "clip": ((0.449, 0.01), (0.525, 0.01), (0.534, 0.01), (0.564, 0.0),
                 (0.658, 0.0), (0.667, 0.0), (0.676, 0.0)),
    },
    _posters("_masked"),
)
# fmt: on
TABLE_5_3 = Table(
    "Table 5.3",
    Place("bielawski2022", "5.2", "Table 5.3"),
    _POSTERS | _MASKED_POSTERS,
    spread="5 runs",
    note="Plotster, F1 per film; spreads are printed with two digits, so .00 means below .005",
    unit="F1",
    places=_crossed(_POSTERS | _MASKED_POSTERS),
)


def _quoted(values: Mapping[tuple[Models, str], float]) -> dict[Cell, Printed]:
    return {Cell(MLP_HEAD, model, dataset): Printed(value) for (model, dataset), value in values.items()}


PRIOR_ART = Table(
    "earlier results and CLIP's, as quoted",
    Place("bielawski2022", "5.2 Results, Transfer learning"),
    _quoted(
        {
            ("clip", "mangolin_tmdb"): 0.603,
            ("clip_t", "mangolin_tmdb"): 0.589,
            (Roles("clip", "clip_t"), "mangolin_tmdb"): 0.67,
        }
    )
    | numbers(
        {
            ("best earlier visual", "book_covers"): 27.8,
            ("best earlier textual", "book_covers"): 55.6,
            ("best earlier bimodal", "book_covers"): 55.7,
            ("best earlier visual", "mangolin_tmdb"): 0.409,
            ("best earlier textual", "mangolin_tmdb"): 0.488,
            ("best earlier bimodal", "mangolin_tmdb"): 0.628,
        },
        exact=True,
    ),
    note="no spread printed",
)


def above_earlier(dataset: str) -> Form:
    """CLIP, CLIP-T and both are above the best results of others that the thesis quotes.

    These are marks without an error, on the paper's own data: on another dataset in its place they would say nothing.
    """
    marks = (("clip", "visual"), ("clip_t", "textual"), (Roles("clip", "clip_t"), "bimodal"))
    return All(tuple(Above(name, printed(f"best earlier {kind}", dataset)) for name, kind in marks))


RECENT_FILMS = Table(
    "films released after CLIP",
    Place("bielawski2022", "5.2 Results, Transfer learning"),
    _quoted(
        {
            ("clip", "plotster_recent"): 0.439,
            ("bit_m", "plotster_recent"): 0.318,
            ("rn50", "plotster_recent"): 0.02,
            ("clip_t", "plotster_recent_title"): 0.276,
            ("bert_large", "plotster_recent_title"): 0.237,
            ("bert_base", "plotster_recent_title"): 0.229,
        }
    ),
    note="F1 of heads trained on Plotster; no spread printed; the Plotster scores beside them are those of Table 5.3",
    unit="F1",
)


def _counts(name: str, section: str, values: dict[tuple[str, str], float]) -> Table:
    """Printed counts and sizes, as one table."""
    return Table(name, Place("bielawski2022", section), numbers(values, exact=True))


_FILMS = {
    ("films", "plotster"): 207_902,
    ("films", "plotster train"): 189_185,
    ("films", "plotster test"): 18_717,
    ("films", "older crawl"): 10_594,
    ("films", "older crawl, in plotster"): 10_554,
    ("percent", "older crawl, in plotster"): 99.6,
}
PLOTSTER_COUNTS = _counts("films in Plotster", "5.2 Datasets", _FILMS)

_PARAMETERS = {("parameters", "clip_t"): 80e6, ("parameters", "bert_base"): 110e6, ("parameters", "bert_large"): 300e6}
_WIDTHS = {
    ("width", "clip"): 1024,
    ("width", "clip_t"): 1024,
    ("width", "rn50 and bit_m"): 2048,
    ("width", "bert_large"): 1024,
    ("width", "bert_base"): 768,
}
SIZES = _counts("sizes of the encoders", "5.2 Models", _PARAMETERS | _WIDTHS)
