"""What can be judged on numbers in the running text: training sizes, the vocabulary, three correlations.

The claims on the correlations stand beside their measured forms, in ``words``.
"""

from __future__ import annotations

from mmbench.claims._common import claim, numbers
from mmbench.claims.claim import Place, Printed, Table
from mmbench.conditions import printed
from mmbench.forms import POOLED, All, Chain, OnPar
from mmbench.protocol import PRINTED, Cell

STUDY = "devillers2021"
N_MODELS = 12
SIZE_ORDER = ("clip", "ar_models", "tsm", "bit_m", "rn50", "virtex and icmlm")

TRAINING_SIZES = Table(
    "training images",
    Place(STUDY, "2", "Fig. 1"),
    numbers(
        {
            ("training images", "clip"): 400e6,
            ("training images", "ar_models"): 140e6,
            ("training images", "tsm"): 120e6,
            ("training images", "bit_m"): 14e6,
            ("training images", "rn50"): 1.3e6,
            ("training images", "virtex and icmlm"): 120e3,
        },
        exact=True,
    ),
    note="from the running text; more than 140M for AR; TSM counts video clips",
)
VOCABULARY = Table(
    "visual words",
    Place(STUDY, "5.1"),
    numbers(
        {
            ("words", "visual"): 824,
            ("words", "visual, frequent"): 368,
            ("words", "visual, added"): 456,
            ("words", "frequent"): 20_000,
            ("words", "vocabulary"): 20_456,
        },
        exact=True,
    ),
)


def correlation(r: float) -> Printed:
    """A printed Pearson r over the twelve encoders."""
    return Printed(r, pairs=N_MODELS)


CORRELATIONS = Table(
    "correlations with visual accuracy",
    Place(STUDY, "5.4"),
    {
        Cell(PRINTED, "r with visual accuracy", "semantic analogies"): correlation(-0.0821),
        Cell(PRINTED, "r with visual accuracy", "morphology analogies"): correlation(0.301),
        Cell(PRINTED, "r with visual accuracy", "word similarity"): correlation(0.797),
        Cell(PRINTED, "r with visual accuracy, as printed", "word similarity"): Printed(0.797, exact=True),
    },
    note="only r is printed; n = 12 encoders is our count, from which Fisher's z follows; as printed, it is the value "
    "of these twelve, whatever others would give",
)

claim(
    "devillers2021-training-size-ordering",
    "By number of training images, from most to fewest, the order is CLIP, AR, TSM, BiT-M, models on ImageNet-1K, "
    "VirTex with ICMLM.",
    "2",
    "Fig. 1",
    expect=Chain(tuple(printed("training images", name) for name in SIZE_ORDER), each=POOLED),
    published=(TRAINING_SIZES,),
    leaves_open="the size of SIN+IN; whether augmented images count as data for the AR models; TSM counts video clips "
    "here, and the authors' code for Fig. 1 counts 32 frames a clip, so that TSM has the most (D-24)",
)
claim(
    "devillers2021-visual-vocabulary-counts",
    "Of 824 visual words 368 are among the 20,000 most frequent words and 456 are added to them, 20,456 words in all.",
    "5.1",
    expect=All(
        (
            OnPar(
                printed("words", "visual, frequent") + printed("words", "visual, added"),
                printed("words", "visual"),
                within=0.0,
                each=POOLED,
            ),
            OnPar(
                printed("words", "frequent") + printed("words", "visual, added"),
                printed("words", "vocabulary"),
                within=0.0,
                each=POOLED,
            ),
        )
    ),
    published=(VOCABULARY,),
)
