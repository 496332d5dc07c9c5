"""Sentences over Tables 5.1, 5.2 and 5.3 together: which encoders and which pairs are the best of the study."""

from __future__ import annotations

from functools import partial

from mmbench.claims._common import (
    BOOK,
    CLIP_PAIR,
    HC_IMAGE_SETS,
    HC_TEXT,
    HC_TEXT_SETS,
    HC_UNIMODAL_TEXT,
    HC_UNIMODAL_VISION,
    HC_VISION,
    PAIRS9,
    POSTERS,
    SETTINGS7,
    STANDARD6,
    TITLED,
    USUALLY,
    at_least,
    claim,
    loses_most,
    paired,
)
from mmbench.claims.bielawski2022.mvsa import HALF_POINT
from mmbench.claims.bielawski2022.tables import PRIOR_ART, SIZES, TABLE_5_1, TABLE_5_2, TABLE_5_3, above_earlier
from mmbench.conditions import printed
from mmbench.forms import (
    BY_BOTH,
    POOLED,
    Above,
    All,
    Best,
    BestRank,
    Bottom,
    Chain,
    Not,
    On,
    OnPar,
    Top,
    Wins,
)
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.mlp import MLP_HEAD
from mmbench.protocol import Roles

TRANSFER = "5.2 Results, Transfer learning"
TABLES = (TABLE_5_1, TABLE_5_2, TABLE_5_3)
EXHIBITS = "Tables 5.1, 5.2, 5.3"
CLIP_PAIRS = paired(["clip"], HC_TEXT)
CLIP_WITH_BERT = paired(["clip"], HC_UNIMODAL_TEXT)
OTHER_PAIRS = paired(HC_UNIMODAL_VISION, HC_TEXT)
BUT_MVSA = SETTINGS7[1:]
TEXT_SWAPS = tuple((Roles(v, "clip_t"), Roles(v, t)) for v in HC_VISION for t in HC_UNIMODAL_TEXT)
_over_pairs = partial(
    claim, protocols=(MLP_HEAD,), datasets=SETTINGS7, models=PAIRS9, published=TABLES, exhibit=EXHIBITS
)


claim(
    "bielawski2022-unimodal-clip-dominates",
    "On all three tasks, with and without masks, CLIP is the best image model and CLIP-T the best text model.",
    "5.2 Results, Transfer learning; Summary",
    EXHIBITS,
    expect=All(
        (
            On(Best("clip", among=HC_VISION, each=BY_BOTH), HC_IMAGE_SETS),
            On(Best("clip_t", among=HC_TEXT, each=BY_BOTH), HC_TEXT_SETS),
        )
    ),
    protocols=(MLP_HEAD,),
    datasets=tuple(dict.fromkeys((*HC_IMAGE_SETS, *HC_TEXT_SETS))),
    models=(*HC_VISION, *HC_TEXT),
    published=TABLES,
)
_over_pairs(
    "bielawski2022-swap-to-clip-vision",
    "In a pair of image and text model, replacing RN50 or BiT-M by CLIP raises the score.",
    TRANSFER,
    expect=All(tuple(Above(Roles("clip", t), Roles(v, t), each=BY_BOTH) for t in HC_TEXT for v in HC_UNIMODAL_VISION)),
)
_over_pairs(
    "bielawski2022-swap-to-clipt-text",
    "In a pair, replacing a Bert by CLIP-T mostly raises the score; the only exceptions are on MVSA and with plots.",
    TRANSFER,
    expect=All(
        (
            On(All(tuple(Above(new, old, each=BY_BOTH) for new, old in TEXT_SWAPS)), (*BOOK, *TITLED)),
            Wins(
                tuple(On(Above(new, old), (dataset,)) for dataset in SETTINGS7 for new, old in TEXT_SWAPS),
                at_least(USUALLY, len(SETTINGS7) * len(TEXT_SWAPS)),
                of="swaps of a Bert for CLIP-T raise the score",
            ),
        )
    ),
    ours="mostly: three quarters of the 42 swaps; on covers and film titles without exception; elsewhere exceptions "
    "may occur and need not",
)
_over_pairs(
    "bielawski2022-best-multimodal-involves-clip",
    "The best pair always has CLIP as image model, and CLIP-T as text model except on MVSA.",
    TRANSFER,
    expect=All(
        (
            Above(Top(CLIP_PAIRS), Top(OTHER_PAIRS), each=BY_BOTH),
            On(Best(CLIP_PAIR, among=CLIP_PAIRS, each=BY_BOTH), BUT_MVSA),
        )
    ),
    ours="on MVSA the exception may occur and need not",
)
WON = "settings are won by CLIP with CLIP-T"
_winning = tuple(On(Best(CLIP_PAIR), (dataset,)) for dataset in SETTINGS7)
_over_pairs(
    "bielawski2022-clip-pair-six-of-seven",
    "CLIP with CLIP-T is the best pair in six of the seven settings; on MVSA it is below CLIP with either Bert, which "
    "tie.",
    "5.2 Summary",
    expect=All(
        (
            Wins(_winning, 6, WON),
            Not(Wins(_winning, 7, WON)),
            On(
                All(
                    (
                        OnPar(CLIP_WITH_BERT[0], CLIP_WITH_BERT[1], within=HALF_POINT),
                        Above(Bottom(CLIP_WITH_BERT), Top((CLIP_PAIR, *OTHER_PAIRS))),
                    )
                ),
                ("mvsa",),
            ),
        )
    ),
    expect_measured=Wins(_winning, 6, WON),
    ours="a tie: within half a point; on new measurements, six wins or more are asked, and no tie",
)
_over_pairs(
    "bielawski2022-clip-pair-best-overall",
    "CLIP with CLIP-T is the best of the nine pairs over the whole study.",
    TRANSFER,
    expect=BestRank(CLIP_PAIR),
    ours="best: smallest mean rank over the seven settings, since accuracy and F1 cannot be averaged",
)
_over_pairs(
    "bielawski2022-clip-pair-beats-unimodal-pairs",
    "CLIP with CLIP-T is better than RN50 or BiT-M with any Bert, although trained to keep only what both modalities "
    "share.",
    "5.2 Introduction; Discussion",
    expect=Best(CLIP_PAIR, among=(CLIP_PAIR, *paired(HC_UNIMODAL_VISION, HC_UNIMODAL_TEXT)), each=BY_BOTH),
)
claim(
    "bielawski2022-size-disadvantage",
    "The best models are small: CLIP-T has fewer parameters than the Berts, and CLIP fewer dimensions than RN50 and "
    "BiT-M.",
    "5.2 Models; Results; Summary",
    EXHIBITS,
    expect=All(
        (
            Chain(tuple(printed("parameters", name) for name in ("bert_large", "bert_base", "clip_t")), each=POOLED),
            Above(printed("width", "rn50 and bit_m"), printed("width", "clip"), each=POOLED),
            Above(printed("width", "clip_t"), printed("width", "bert_base"), each=POOLED),
            Best("clip_t", among=HC_TEXT, each=BY_BOTH),
        )
    ),
    protocols=(MLP_HEAD,),
    datasets=HC_TEXT_SETS,
    models=HC_TEXT,
    expect_measured=Best("clip_t", among=HC_TEXT, each=BY_BOTH),
    published=(SIZES, *TABLES),
    leaves_open="the numbers of parameters of CLIP, RN50 and BiT-M, which are called about equal",
    ours="on new measurements only whether CLIP-T is the best text model; the sizes are printed",
)
claim(
    "bielawski2022-reading-part-of-advantage",
    "A part of CLIP's lead may come from reading the text in the image.",
    "5.2 Summary",
    "Tables 5.2, 5.3",
    expect=All(
        tuple(loses_most(MLP_HEAD, "clip", HC_UNIMODAL_VISION, *sets) for sets in (BOOK, POSTERS)),
    ),
    protocols=(MLP_HEAD,),
    datasets=(*BOOK, *POSTERS),
    models=HC_VISION,
    published=(TABLE_5_2, TABLE_5_3),
    leaves_open="what masks hide besides text",
    ours="read as: CLIP loses more under masks than RN50 and BiT-M each lose",
)
claim(
    "bielawski2022-new-sota",
    "CLIP sets new best results on all three tasks: tweets, books and films.",
    "5.2 Introduction; 1.6",
    "Table 5.2",
    expect=All(
        (
            *(On(above_earlier(dataset), (dataset,)) for dataset in ("book_covers", "mangolin_tmdb")),
            On(Above(CLIP_PAIR, printed("best earlier bimodal", "mvsa")), ("mvsa",)),
        )
    ),
    protocols=(MLP_HEAD,),
    datasets=("mvsa", "book_covers", "mangolin_tmdb"),
    models=("clip", "clip_t", CLIP_PAIR),
    published=(TABLE_5_1, TABLE_5_2, PRIOR_ART),
    leaves_open="an earlier result on tweets, of which the thesis quotes none",
)
claim(
    "bielawski2022-domain-interaction",
    "CLIP's multimodal training is worse on standard sets and better on tasks about culture, mood or taste.",
    "5.2 Abstract, Summary; 5.3; 7.1",
    "Fig. 5.3, Tables 5.1 to 5.3",
    expect=All(
        (
            On(Above(Top("unimodal_vision"), "clip"), STANDARD6, (LINEAR_PROBE,)),
            On(
                Best("clip", among=HC_VISION, each=BY_BOTH),
                ("mvsa", "book_covers", "plotster"),
                (MLP_HEAD,),
            ),
        )
    ),
    protocols=(LINEAR_PROBE, MLP_HEAD),
    datasets=(*STANDARD6, "mvsa", "book_covers", "plotster"),
    models=HC_VISION,
    leaves_open="how much is due to the head, to reading text, to CLIP's web data or to the number of classes",
    ours="standard sets: the linear probe's mean over the six is below the better of RN50 and BiT-M",
)
