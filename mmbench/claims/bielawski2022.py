"""Bielawski 2022 (thesis), chapter 5: encoders on human-centric tasks, image and text alone and joined."""

from __future__ import annotations

from mmbench.claims._common import (
    BOOK,
    CLIP_PAIR,
    HC_VISION,
    LARGE_PCT,
    LARGE_UNIT,
    PAIRS9,
    claim,
)
from mmbench.claims.bielawski2022_tables import (
    TABLE_5_1,
    TABLE_5_2,
    TABLE_5_3,
)
from mmbench.forms import BY_BOTH, Above, All, Best
from mmbench.protocol import MLP_HEAD

HEAD = (MLP_HEAD,)
TRANSFER = "5.2 Results, Transfer learning"
HC_TEXT = ("bert_base", "bert_large", "clip_t")

claim(
    "bielawski2022-mvsa-vision-clip-best",
    "Tweet sentiment from the image alone: CLIP above BiT-M and RN50.",
    TRANSFER,
    "Table 5.1",
    expect=Best("clip"),
    protocols=HEAD,
    datasets=("mvsa",),
    models=HC_VISION,
    published=(TABLE_5_1,),
    leaves_open="MVSA variant, split and class balance, hence the majority rate",
)
claim(
    "bielawski2022-mvsa-text-clipt-best",
    "Tweet sentiment from the text alone: CLIP-T above both Berts.",
    TRANSFER,
    "Table 5.1",
    expect=Best("clip_t"),
    protocols=HEAD,
    datasets=("mvsa",),
    models=HC_TEXT,
    published=(TABLE_5_1,),
)
claim(
    "bielawski2022-book-vision-clip-best",
    "Book genre from the cover alone: CLIP far above BiT-M and RN50, with and without the text on it.",
    TRANSFER,
    "Table 5.2",
    expect=Best("clip", by=LARGE_PCT, each=BY_BOTH),
    protocols=HEAD,
    datasets=BOOK,
    models=HC_VISION,
    published=(TABLE_5_2,),
    ours="far above: by more than 5 points",
)
claim(
    "bielawski2022-plotster-vision-clip-best",
    "Film genre from the poster alone: CLIP well above BiT-M, RN50 poor.",
    TRANSFER,
    "Table 5.3",
    expect=All((Above("clip", "bit_m", by=LARGE_UNIT), Above("bit_m", "rn50", by=LARGE_UNIT))),
    protocols=HEAD,
    datasets=("plotster",),
    models=HC_VISION,
    published=(TABLE_5_3,),
    ours="well above and poor: by more than 0.05 F1",
)
claim(
    "bielawski2022-plotster-best-combo",
    "No image and text pair beats CLIP with CLIP-T on posters, masked or not, with title or plot.",
    TRANSFER,
    "Table 5.3",
    expect=Best(CLIP_PAIR, each=BY_BOTH),
    protocols=HEAD,
    datasets=("plotster_title", "plotster_title_masked", "plotster_plot", "plotster_plot_masked"),
    models=PAIRS9,
    published=(TABLE_5_3,),
)
