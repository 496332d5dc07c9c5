"""Figure 7 of Devillers et al. (2021): the dissimilarity matrices themselves.

A record holds how matrices correlate and not the matrices, which would fill it. They are made again from the features
in the store, and only if these are the features that the record was made from: the digests must agree.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench import files
from mmbench.errors import BadSpec
from mmbench.protocol import Cell, Roles
from mmbench.records.schema import BadRecord, CellPart, Record
from mmbench.report.exhibits import stated_kinds
from mmbench.report.figures import COLOURS, Figure, file_name, svg_of
from mmbench.report.names import STAR, STARRED
from mmbench.report.similarity import Compared, claims_beside, compared, largest_group

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

NAME, NUMBER = "rsa-matrices", "7"
TITLE = "Dissimilarity matrices of the models (as Devillers et al. 2021, Fig. 7)"
NOTE = (
    "Each matrix holds the distance of every two classes, in the dataset's order, as its rank among all of the same "
    "model: dark is near, light is far. Drawn from the features that the record was made from."
)
ACROSS = 5
SHADES = 12  # of the ranks: fewer make a smaller file
Gather = Callable[[Cell], tuple[str, NDArray[np.float32]]]


def pairs_of(record: Record, of: Compared) -> list[CellPart]:
    """Cells of the compared settings and dataset that together hold every model, each new one with the first."""
    cells = largest_group(record)
    return [cells[frozenset((of.roles[0], role))] for role in of.roles[1:]]


def draw_matrices(record: Record, gather: Gather, folder: Path) -> Path:
    """Write the figure of a record into ``folder``, which is that of its other figures.

    ``gather`` gives the digest of a cell's features and its two matrices, ``[2, classes, classes]``. Raises BadRecord
    when the features are not those of the record, or when it compares too few models.
    """
    from mmbench.probes.rdm import RSA

    of = compared(record, stated_kinds(record))
    if of is None:
        raise BadRecord(f"record {record.label!r} compares too few models with each other for figure {NUMBER}")
    matrices: dict[str, NDArray[np.float32]] = {}
    for part in pairs_of(record, of):
        if part.fingerprint != RSA.fingerprint():
            raise BadRecord(f"{part} was measured with other settings than this mmbench has; run it again")
        digest, both = gather(Cell(RSA, Roles(*part.models), part.dataset))
        if digest != part.made_of.get("features"):
            raise BadRecord(
                f"{part}: expected the features that the record was made from, {part.made_of.get('features')}, found "
                f"{digest}; name the store of that run (--store), its lineup (--lineup), and the roles that were bound "
                "on the command line (--model, --dataset)"
            )
        matrices |= dict(zip(part.models, both, strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(record, NAME)
    svg = svg_of(lambda canvas: _paint(of, matrices, canvas), 10.5, 2.4 * math.ceil(len(of.roles) / ACROSS) + 0.3)
    files.write_whole(path, f"{svg}\n{_mark(record, of)}\n")
    return path


def matrices_figure(record: Record, folder: Path | None) -> tuple[Figure, ...]:
    """The figure if ``folder`` holds one that was drawn for this record; ``mmbench matrices`` draws it."""
    of = compared(record, stated_kinds(record))
    path = folder / file_name(record, NAME) if folder else None
    if of is None or path is None or not path.is_file():
        return ()
    svg = path.read_text(encoding="utf-8").strip()
    if not svg.endswith(_mark(record, of)):
        return ()
    starred = f" {STARRED.capitalize()}." if any(STAR in label for label in of.labels) else ""
    note = f"{NOTE} Classes of {of.dataset}.{starred}"
    return (Figure(NAME, TITLE, f"{TITLE}: {', '.join(of.labels)}. {note}", svg, note, claims_beside(record, "8")),)


def _mark(record: Record, of: Compared) -> str:
    made = [(part.models, part.made_of.get("features")) for part in pairs_of(record, of)]
    return f"<!-- of the features {hashlib.sha256(repr(made).encode()).hexdigest()[:16]} -->"


def _paint(of: Compared, matrices: dict[str, NDArray[np.float32]], canvas: Canvas) -> None:
    axes = canvas.subplots(math.ceil(len(of.roles) / ACROSS), ACROSS, squeeze=False)
    canvas.subplots_adjust(left=0.01, right=0.99, top=0.95, bottom=0.01, wspace=0.05, hspace=0.15)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, role, label, kind in zip(axes.flat, of.roles, of.labels, of.kinds, strict=False):
        shown = np.round(ranked(matrices[role]) * (SHADES - 1)) / (SHADES - 1)
        ax.imshow(shown, cmap="viridis", vmin=0.0, vmax=1.0, interpolation="none")
        ax.set_title(label, color=COLOURS[kind], fontsize=8)


def ranked(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """The ranks of the entries above the diagonal, from 0 to 1, on both sides of it."""
    from scipy.stats import rankdata

    if len(matrix) < 3:
        raise BadSpec(f"a matrix of {len(matrix)} classes has no ranks to show; at least 3 are needed")
    upper = np.triu_indices(len(matrix), 1)
    ranks = (rankdata(matrix[upper]) - 1) / (len(upper[0]) - 1)
    out = np.zeros(matrix.shape)
    out[upper] = ranks
    return out + out.T
