"""What can be judged on numbers in the running text: training sizes, the vocabulary, three correlations."""

from __future__ import annotations

from functools import partial

from mmbench.claims._common import R_STRONG, R_WEAK, claim, numbers
from mmbench.claims.claim import Place, Printed, Table
from mmbench.conditions import constant, printed
from mmbench.forms import POOLED, Above, All, AtLeast, Chain, OnPar
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
    },
    note="only r is printed; n = 12 encoders is our count, from which Fisher's z follows",
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
    "here, and the authors' code for Fig. 1 counts 32 frames a clip",
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

_correlation = partial(
    claim, section="5.4", published=(CORRELATIONS,), waits_for="skip-gram vectors with visual words frozen"
)
_r = {test: printed("r with visual accuracy", test) for test in ("semantic analogies", "morphology analogies")}
for _test, _id, _says in (
    ("semantic analogies", "semantic", "A model's visual accuracy is not related to its score on semantic analogies."),
    (
        "morphology analogies",
        "morphology",
        "A model's visual accuracy is hardly related to its score on morphology analogies.",
    ),
):
    _correlation(
        f"devillers2021-corr-visual-{_id}",
        _says,
        expect=All(
            (
                Above(constant(R_WEAK), _r[_test], each=POOLED),
                Above(_r[_test], constant(-R_WEAK), each=POOLED),
            )
        ),
        leaves_open="the number of models and the p-value; only r is printed, and the sentence is inferred from it",
        ours="weak: |r| under 0.5, which with twelve models is also far from significant (that needs 0.576)",
    )
_correlation(
    "devillers2021-corr-visual-wordsim",
    "A model's visual accuracy is closely correlated with its score on word similarity.",
    expect=AtLeast(printed("r with visual accuracy", "word similarity"), R_STRONG, each=POOLED),
    leaves_open="the number of models and the p-value",
    ours="closely: r at least 0.7, which with twelve models is also significant (that needs 0.576)",
)
