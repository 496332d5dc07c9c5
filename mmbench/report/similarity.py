"""Figures 8, 9a and 9b of Devillers et al. (2021): how near models are by their dissimilarity matrices.

All three are drawn from the correlations in a record. A t-SNE of dissimilarity matrices with the metric "correlation"
sees nothing else of them than 1 - r. Only models that a record compares with each other, all with all, are shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.claims import CLAIMS
from mmbench.lineups.roles import Kind, kind_of
from mmbench.protocol import Roles
from mmbench.records.schema import CellPart, Record
from mmbench.report.exhibits import stated_kinds
from mmbench.report.figures import COLOURS, Figure, drawn_once, file_name, handles_of, svg_of
from mmbench.report.names import STAR, STARRED, Names

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

STUDY, PROBE = "devillers2021", "rdm"
# The rows of Fig. 8 from above; other models follow by name.
ORDER = (
    "bert", "gpt2", "clip_t", "clip", "virtex", "icmlm", "tsm", "bit_m", "rn50",
    "sin", "sin_in", "sin_in_fin", "ar_l2", "ar_li4", "ar_li8",
)  # fmt: skip
# As the authors' code sets it; the rest is scikit-learn's default of its day (learning rate 200, random start). The
# authors set no seed. Another seed turns and moves the groups.
TSNE = {"perplexity": 3, "min_grad_norm": 0.0, "learning_rate": 200.0, "init": "random", "random_state": 0}
FEWEST = 5  # models, for a perplexity of 3
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Compared:
    """Correlations ``[models, models]`` of every two models, 1 on the diagonal, with their labels and kinds."""

    roles: tuple[str, ...]
    labels: tuple[str, ...]
    kinds: tuple[Kind, ...]
    r: tuple[tuple[float, ...], ...]
    dataset: str

    @property
    def matrix(self) -> Array:
        return np.array(self.r)

    @property
    def distances(self) -> Array:
        """1 - r, exactly symmetric with a zero diagonal."""
        found = np.clip(1.0 - self.matrix, 0.0, 2.0)
        np.fill_diagonal(found, 0.0)
        return found


@dataclass(frozen=True)
class Drawing:
    """One of the figures: how it is drawn, its size in inches, and what its page says of it."""

    name: str
    number: str
    title: str
    note: str
    paint: Callable[[Compared, Canvas], None]
    width: float
    height: float


def similarity_figures(record: Record, folder: Path | None = None) -> tuple[Figure, ...]:
    """The figures of a record with five models or more that are compared all with all; else none.

    ``folder`` holds figures that were drawn before, as for ``figures_of``.
    """
    of = compared(record, stated_kinds(record))
    if of is None:
        return ()
    return tuple(_figure(drawing, of, record, folder) for drawing in DRAWINGS)


def _figure(drawing: Drawing, of: Compared, record: Record, folder: Path | None) -> Figure:
    def draw() -> str:
        def paint(canvas: Canvas) -> None:
            drawing.paint(of, canvas)
            handles = handles_of(dict.fromkeys(of.kinds))
            canvas.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=7)

        return svg_of(paint, drawing.width, drawing.height)

    known = folder / file_name(record, drawing.name) if folder else None
    starred = f" {STARRED.capitalize()}." if any(STAR in label for label in of.labels) else ""
    note = f"{drawing.note} Classes of {of.dataset}.{starred}"
    alt = f"{drawing.title}, measured on lineup {record.lineup.name}: {', '.join(of.labels)}. {note}"
    svg = drawn_once(draw, (__name__, drawing.name, of), Path(__file__), known)
    return Figure(drawing.name, drawing.title, alt, svg, note, claims_beside(record, drawing.number))


def compared(record: Record, kinds: dict[str, Kind]) -> Compared | None:
    """The models of a record that are compared all with all under the paper's reading; None for too few of them."""
    found = largest_group(record)
    roles = complete({frozenset(pair) for pair in found})
    if len(roles) < FEWEST:
        return None
    names = Names.of(record)
    r = tuple(tuple(1.0 if a == b else found[frozenset((a, b))].mean for b in roles) for a in roles)
    return Compared(
        roles,
        tuple(names.starred((role,)) for role in roles),
        tuple(kind_of(Roles(role), kinds) for role in roles),
        r,
        names.full(next(iter(found.values())).dataset),
    )


def largest_group(record: Record) -> dict[frozenset[str], CellPart]:
    """Cells by their pair of models, of the settings and the dataset with the most pairs; empty without a cell."""
    groups: dict[tuple[str, str], dict[frozenset[str], CellPart]] = {}
    for cell in record.cells:
        if cell.probe == PROBE and cell.reading == "paper":
            groups.setdefault((cell.fingerprint, cell.dataset), {})[frozenset(cell.models)] = cell
    return max(groups.values(), key=len, default={})


def complete(pairs: set[frozenset[str]]) -> tuple[str, ...]:
    """Roles of which every two are a pair, in the order of Fig. 8; those with the fewest partners are left out."""
    left = sorted({role for pair in pairs for role in pair})
    while left:
        partners = {role: sum(frozenset((role, other)) in pairs for other in left if other != role) for role in left}
        if min(partners.values()) == len(left) - 1:
            break
        left.remove(min(left, key=lambda role: partners[role]))
    place = {role: number for number, role in enumerate(ORDER)}
    return tuple(sorted(left, key=lambda role: (place.get(role, len(place)), role)))


def claims_beside(record: Record, figure: str, study: str = STUDY) -> tuple[str, ...]:
    """Judged claims of the study that rest on a figure: ``9a`` is meant by "Fig. 9" and "Fig. 8, 9a".

    Not those that ask a sentence by another measure; a page names what these found beside the sentence.
    """
    judged = {verdict.claim for verdict in record.verdicts}
    return tuple(
        claim.id
        for claim in CLAIMS
        if claim.study == study and claim.id in judged and not claim.beside and figure in _figures(claim.where.exhibit)
    )


def _figures(exhibit: str) -> set[str]:
    if not exhibit.startswith("Fig."):
        return set()
    named = {part.strip() for part in exhibit.removeprefix("Fig.").split(",")}
    return named | {name + letter for name in named if name.isdigit() for letter in "ab"}


def correlations(of: Compared, canvas: Canvas) -> None:
    """Fig. 8: the correlation of every two models, with its number."""
    ax = canvas.add_axes((0.15, 0.06, 0.74, 0.8))
    image = ax.imshow(of.matrix, vmin=0.0, vmax=1.0, cmap="viridis")
    count = len(of.roles)
    ax.set_xticks(range(count), of.labels, rotation=90)
    ax.set_yticks(range(count), of.labels)
    ax.xaxis.tick_top()
    _coloured(of, ax.get_xticklabels(), range(count))
    _coloured(of, ax.get_yticklabels(), range(count))
    for row, column in itertools.product(range(count), repeat=2):
        r = of.matrix[row, column]
        ax.text(
            column, row, f"{r:.2f}", ha="center", va="center", fontsize=6, color="white" if r < 0.6 else "black"
        )  # fmt: skip
    bar = canvas.add_axes((0.91, 0.06, 0.02, 0.8))
    canvas.colorbar(image, cax=bar, label="Pearson's r (0 and below: dark)")


def dendrogram(of: Compared, canvas: Canvas) -> None:
    """Fig. 9a: average linkage on 1 - r, the leaves of smaller clusters first as in the authors' code."""
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    ax = canvas.add_axes((0.08, 0.25, 0.87, 0.71))
    tree = hierarchy.linkage(squareform(of.distances), "average")
    drawn = hierarchy.dendrogram(
        tree, labels=list(of.labels), count_sort="ascending", ax=ax, color_threshold=0, above_threshold_color="#444444"
    )
    ax.set_xticks(ax.get_xticks(), drawn["ivl"], rotation=90, fontsize=8)
    _coloured(of, ax.get_xticklabels(), drawn["leaves"])
    ax.axhline(0.2, color="#222222", linestyle="--", linewidth=0.8)
    ax.text(1.0, 0.2, "0.2", transform=ax.get_yaxis_transform(), va="center", fontsize=7)
    ax.set_ylabel("1 - r")
    ax.spines[["top", "right", "bottom"]].set_visible(False)


def tsne(of: Compared, canvas: Canvas) -> None:
    """Fig. 9b: t-SNE on 1 - r. Says so where scikit-learn is not installed."""
    ax = canvas.add_axes((0.03, 0.09, 0.94, 0.88))
    ax.set_xticks([])
    ax.set_yticks([])
    places = embedded(of.distances)
    if places is None:
        said = "not drawn: it needs scikit-learn\n(pip install 'mmbench[sklearn]', then: mmbench report)"
        ax.text(0.5, 0.5, said, transform=ax.transAxes, ha="center", va="center")
        return
    ax.margins(0.15)
    ax.scatter(places[:, 0], places[:, 1], s=30, c=[COLOURS[kind] for kind in of.kinds])
    for label, (x, y) in zip(of.labels, places, strict=True):
        ax.annotate(label, (x, y), xytext=(4, 3), textcoords="offset points", fontsize=8)


def embedded(distances: Array) -> Array | None:
    """Places ``[models, 2]`` by scikit-learn's t-SNE; None where it is not installed."""
    try:
        from sklearn.manifold import TSNE as Embedding
    except ImportError:
        return None
    return np.asarray(Embedding(2, metric="precomputed", **TSNE).fit_transform(distances), dtype=np.float64)


def _coloured(of: Compared, texts: Sequence[Any], order: Sequence[int]) -> None:
    for text, number in zip(texts, order, strict=True):
        text.set_color(COLOURS[of.kinds[number]])


DRAWINGS = (
    Drawing(
        "rsa-correlations",
        "8",
        "Correlations of the models' dissimilarity matrices (as Devillers et al. 2021, Fig. 8)",
        "Pearson's r over all pairs of classes; the models in the paper's order.",
        correlations,
        8.5,
        8.2,
    ),
    Drawing(
        "rsa-dendrogram",
        "9a",
        "Hierarchical clustering of the dissimilarity matrices (as Devillers et al. 2021, Fig. 9a)",
        "Average linkage on 1 - r. The dashed line is the distance 0.2, below which the paper sees all encoders that "
        "are trained on images.",
        dendrogram,
        7.5,
        5.0,
    ),
    Drawing(
        "rsa-tsne",
        "9b",
        "t-SNE of the dissimilarity matrices (as Devillers et al. 2021, Fig. 9b)",
        f"t-SNE on 1 - r with perplexity {TSNE['perplexity']} and seed {TSNE['random_state']}. Neighbours mean "
        "something, distances between groups little: another seed gives other places. No claim is judged on it.",
        tsne,
        6.5,
        5.0,
    ),
)
