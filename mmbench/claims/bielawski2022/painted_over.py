"""The sentences about masks asked again without a detector: the known box of each title is painted over.

A control of ours. A detector leaves some letters readable and covers parts of the drawings; the known box does neither.
"""

from __future__ import annotations

from functools import partial

from mmbench.claims._common import HC_UNIMODAL_VISION, HC_VISION, claim, falls, lead, loses_most
from mmbench.conditions import constant
from mmbench.forms import POOLED, Above, All
from mmbench.lineups.roles import DATASET_ROLES, Role
from mmbench.probes.mlp import MLP_HEAD

BOOK = ("book_covers", "book_covers_painted_over")
POSTERS = ("plotster", "plotster_painted_over")
KNOWN = "a control: the known box of the title is painted over, and nothing else"

for _name, _about in (
    (BOOK[1], "the same covers with the known box of the title painted over; a control of ours"),
    (POSTERS[1], "the same posters with the known box of the title painted over; a control of ours"),
):
    DATASET_ROLES.add(Role(_name, _about, own=True))

_control = partial(claim, section="5.2", protocols=(MLP_HEAD,))

_control(
    "bielawski2022-book-masks-lower-all-known-box",
    "With the title painted over, and nothing else, CLIP, BiT-M and RN50 each score lower on covers.",
    expect=falls(MLP_HEAD, HC_VISION, *BOOK),
    datasets=BOOK,
    models=HC_VISION,
    beside="bielawski2022-book-masks-lower-all",
    ours=f"{KNOWN}; image models alone",
)
_plain, _masked = (lead(MLP_HEAD, "clip", ("bit_m",), dataset) for dataset in POSTERS)
_control(
    "bielawski2022-plotster-vision-gap-shrinks-known-box",
    "With the title painted over, and nothing else, CLIP's lead over BiT-M on posters is smaller, but still there.",
    expect=All((Above(_masked, constant(0.0), each=POOLED), Above(_plain, _masked, each=POOLED))),
    datasets=POSTERS,
    models=("clip", "bit_m"),
    beside="bielawski2022-plotster-vision-gap-shrinks-masked",
    ours=KNOWN,
)
_control(
    "bielawski2022-reading-part-of-advantage-known-box",
    "With the title painted over, and nothing else, CLIP loses more than RN50 and BiT-M, on covers and on posters.",
    expect=All(
        tuple(loses_most(MLP_HEAD, "clip", HC_UNIMODAL_VISION, *sets) for sets in (BOOK, POSTERS)),
    ),
    datasets=(*BOOK, *POSTERS),
    models=HC_VISION,
    beside="bielawski2022-reading-part-of-advantage",
    ours=KNOWN,
)
