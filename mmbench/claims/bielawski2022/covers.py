"""Book genres (Book Cover): Table 5.2, and the earlier results that it is compared with."""

from __future__ import annotations

from functools import partial

from mmbench.claims._common import (
    BOOK,
    CLIP_PAIR,
    HC_TEXT,
    HC_VISION,
    LARGE_PCT,
    PAIRS9,
    claim,
    falls,
    paired,
)
from mmbench.claims.bielawski2022.tables import PRIOR_ART, TABLE_5_2, above_earlier
from mmbench.forms import BY_BOTH, All, Best
from mmbench.probes.mlp import MLP_HEAD
from mmbench.protocol import Roles

TRANSFER = "5.2 Results, Transfer learning"
_on_covers = partial(claim, protocols=(MLP_HEAD,), published=(TABLE_5_2,))

_on_covers(
    "bielawski2022-book-vision-clip-best",
    "For book genre from the cover alone, CLIP is far above BiT-M and RN50, with and without the text on the cover.",
    TRANSFER,
    "Table 5.2",
    expect=Best("clip", by=LARGE_PCT, each=BY_BOTH),
    datasets=BOOK,
    models=HC_VISION,
    ours="far above: by more than 5 points",
)
_on_covers(
    "bielawski2022-book-text-clipt-best",
    "For book genre from the title, CLIP-T is above both Berts.",
    TRANSFER,
    "Table 5.2",
    expect=Best("clip_t"),
    datasets=("book_covers",),
    models=HC_TEXT,
)
_on_covers(
    "bielawski2022-book-best-combo",
    "CLIP with CLIP-T is the best pair on covers, masked or not.",
    TRANSFER,
    "Table 5.2",
    expect=Best(CLIP_PAIR, each=BY_BOTH),
    datasets=BOOK,
    models=PAIRS9,
    leaves_open="whether 0.04 points over CLIP with Bert-large are a lead, with spreads of 0.26 and 0.27",
)
_on_covers(
    "bielawski2022-book-sota",
    "CLIP, CLIP-T and the pair of both are above the best earlier accuracies from image, title and both.",
    TRANSFER,
    "Table 5.2",
    expect=above_earlier("book_covers"),
    datasets=("book_covers",),
    models=("clip", "clip_t", CLIP_PAIR),
    published=(TABLE_5_2, PRIOR_ART),
    leaves_open="whether the split is that of the earlier work (Lucieri et al. 2020), and the spread of its accuracies",
    ours="the earlier accuracies are marks without an error",
)
_on_covers(
    "bielawski2022-book-masks-lower-all",
    "Masks lower the accuracy of every image model and every pair.",
    "5.2",
    "Table 5.2",
    expect=falls(MLP_HEAD, (*HC_VISION, *PAIRS9), *BOOK),
    datasets=BOOK,
    models=(*HC_VISION, *PAIRS9),
)
_on_covers(
    "bielawski2022-book-advantage-remains-masked",
    "On masked covers CLIP is still the best image model with any text model, and CLIP-T the best text model with any "
    "image model: reading does not explain the whole lead.",
    TRANSFER,
    "Table 5.2",
    expect=All(
        (
            Best("clip", among=HC_VISION),
            *(Best(Roles("clip", t), among=paired(HC_VISION, [t])) for t in HC_TEXT),
            *(Best(Roles(v, "clip_t"), among=paired([v], HC_TEXT)) for v in HC_VISION),
        )
    ),
    datasets=("book_covers_masked",),
    models=(*HC_VISION, *PAIRS9),
    leaves_open="how much text the masks leave readable",
)
