"""Bielawski 2022 (thesis), chapter 6: captions without pairs, by a Latent CycleGAN between the two spaces of CLIP."""

from __future__ import annotations

from functools import partial

from mmbench.claims._captions import FIG_3_23, fig_3_23
from mmbench.claims._common import POOR_RATIO, claim, numbers
from mmbench.claims.claim import Place, Printed, Table
from mmbench.conditions import Linear, largest, printed
from mmbench.forms import POOLED, Above, All, Any, AtMost, Form, OnPar, Ratio
from mmbench.protocol import PRINTED, Cell

STUDY = "cyclegan2022"
DIRECT, TEXTUALISED = "direct_pipeline", "textualised_pipeline"
SCORES = {  # score: direct pipeline, textualised pipeline
    "BLEU-1": (0.281, 0.407),
    "BLEU-2": (0.12, 0.231),
    "BLEU-3": (0.047, 0.121),
    "BLEU-4": (0.02, 0.062),
    "ROUGE-L": (0.239, 0.341),
    "METEOR": (0.098, 0.161),
    "CIDEr": (0.064, 0.247),
}

TABLE_6_1 = Table(
    "Table 6.1",
    Place(STUDY, "6.2", "Table 6.1"),
    {
        Cell(PRINTED, pipeline, f"{score} (Table 6.1)"): Printed(value)
        for score, row in SCORES.items()
        for pipeline, value in zip((DIRECT, TEXTUALISED), row, strict=True)
    },
    note="captions of COCO val2014, scores from 0 to 1, no spread",
)
DATA = Table(
    "data of the translator",
    Place(STUDY, "6.2, 7.4"),
    numbers(
        {
            ("images", "6.2 Architecture"): 83e3,
            ("images", "6.2 Results"): 82e3,
            ("captions", "6.2 Architecture"): 414e3,
            ("captions", "7.4"): 413_915,
            ("pairs", "clip"): 400e6,
        },
        exact=True,
    ),
)
_captions = partial(claim, waits_for="captioning, and the Latent CycleGAN")


def score(pipeline: str, name: str) -> Linear:
    return printed(pipeline, f"{name} (Table 6.1)")


def poor_beside(pipeline: str, reference: str) -> Form:
    """CIDEr and BLEU-4 (printed from 0 to 1) reach at most a quarter of a model of Fig. 3.23 (printed times 100)."""
    return All(
        tuple(
            AtMost(score(pipeline, name) * 100, fig_3_23(reference, "COCO", name) * POOR_RATIO, each=POOLED)
            for name in ("CIDEr", "BLEU-4")
        )
    )


_captions(
    "cyclegan2022-textualised-beats-direct",
    "Translating CLIP's image vector into a text vector before decoding raises all seven caption scores.",
    "6.2 Results",
    "Table 6.1",
    expect=All(tuple(Above(score(TEXTUALISED, name), score(DIRECT, name), each=POOLED) for name in SCORES)),
    published=(TABLE_6_1,),
    leaves_open="the spread; and whether shifting image vectors to the mean of the text vectors would do as well",
)
_captions(
    "cyclegan2022-gain-up-to-factor-3",
    "In some score the gain is a factor of more than 3.",
    "6.2 Results",
    "Table 6.1",
    expect=Any(tuple(Ratio(score(TEXTUALISED, name), score(DIRECT, name), 3.0, each=POOLED) for name in SCORES)),
    published=(TABLE_6_1,),
)
_captions(
    "cyclegan2022-direct-poor",
    "CLIP's image vectors are poor input for a decoder trained on caption vectors, although CLIP aligns the two.",
    "6.2 Results; Discussion; 3.5 DALL-E 2",
    "Table 6.1",
    expect=poor_beside(DIRECT, "clipcap_transformer"),
    published=(TABLE_6_1, FIG_3_23),
    leaves_open="the upper bound: the scores of the decoder on true caption vectors",
    ours="poor: at most a quarter of the ClipCap Transformer in Fig. 3.23, in CIDEr and BLEU-4",
)
_captions(
    "cyclegan2022-far-from-supervised-sota",
    "Captions learnt without pairs are far below the best supervised ones.",
    "6.2 Discussion; 7.2; 7.3",
    "Table 6.1, Fig. 3.23",
    expect=poor_beside(TEXTUALISED, "oscar"),
    published=(TABLE_6_1, FIG_3_23),
    leaves_open="a supervised result on the same split",
    ours="far below: at most a quarter of Oscar in Fig. 3.23, in CIDEr and BLEU-4",
)
claim(
    "cyclegan2022-data-budget",
    "The translator is trained on COCO's 82K training images and their captions without pairs, far less than CLIP's "
    "data.",
    "6.2 Architecture; Results; 7.4",
    expect=All(
        (
            OnPar(printed("images", "6.2 Architecture"), printed("images", "6.2 Results"), within=1000.0, each=POOLED),
            OnPar(printed("captions", "6.2 Architecture"), printed("captions", "7.4"), within=500.0, each=POOLED),
            Ratio(printed("pairs", "clip"), printed("images", "6.2 Results"), 1000.0, each=POOLED),
        )
    ),
    published=(DATA,),
    ours="the two counts of images agree within 1,000 (one is printed as about 82K), those of captions within 500; "
    "CLIP has more than a thousand times as many pairs",
)
_captions(
    "cyclegan2022-clip-supervised-captioning-sota",
    "With supervised training on pairs, captions from CLIP's features can be at the level of the best.",
    "6.2 Discussion",
    "Fig. 3.23",
    expect=Any(
        tuple(
            AtMost(
                largest(*(fig_3_23(rival, data, "CIDEr") for rival in rivals)),
                largest(*(fig_3_23(model, data, "CIDEr") for model in ("clipcap_mlp", "clipcap_transformer"))),
                each=POOLED,
            )
            for data, rivals in (("CC", ("vlp",)), ("COCO", ("butd", "vlp", "oscar")))
        )
    ),
    published=(FIG_3_23,),
    status="cited",
    waits_for="captioning",
    ours="the level of the best: CIDEr not below the best rival in the table; can be: on one of the two datasets",
)
