"""Bielawski 2022 (thesis), chapter 6: captions without pairs, by a Latent CycleGAN between the two spaces of CLIP."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mmbench.claims._captions import FIG_3_23, fig_3_23
from mmbench.claims._common import LARGE_PCT, POOR_RATIO, claim, numbers
from mmbench.claims.claim import Place, Printed, Table
from mmbench.conditions import Linear, cell, constant, largest, printed
from mmbench.forms import POOLED, Above, All, Any, AtLeast, AtMost, Form, OnPar, Ratio, Trend
from mmbench.inputs.translated import DIRECT, TRUE_TEXT
from mmbench.probes.modality_gap import COUNTERPARTS_OF_IMAGES, DISTANCE, TEXT_TO_IMAGE, TOLD_APART
from mmbench.probes.translation_cost import TRANSLATION_COST
from mmbench.probes.written_captions import SCORES, captions_by
from mmbench.protocol import Cell, Protocol, Roles
from mmbench.training.latent_cyclegan import MASKED

STUDY = "cyclegan2022"
GAN = "latent_cyclegan"
PAIR = Roles("captioned_clip", "captioned_clip_t")
PIPELINE = Roles(*PAIR, "writer")
ALIGNED = Roles("aligned_clip", "aligned_clip_t", "writer")  # of a later generation
UNIMODAL = Roles("vit_unimodal", "bert", "writer")  # an image encoder and a text encoder that share no space
COCO = "coco_captions"
PRINTED_SCORES = {  # score: direct pipeline, textualised pipeline
    "bleu1": (0.281, 0.407),
    "bleu2": (0.12, 0.231),
    "bleu3": (0.047, 0.121),
    "bleu4": (0.02, 0.062),
    "rouge_l": (0.239, 0.341),
    "meteor": (0.098, 0.161),
    "cider": (0.064, 0.247),
}
BOTH = ("cider", "bleu4")

TABLE_6_1 = Table(
    "Table 6.1",
    Place(STUDY, "6.2", "Table 6.1"),
    {
        Cell(captions_by(how, score), PIPELINE, COCO): Printed(value)
        for score, row in PRINTED_SCORES.items()
        for how, value in zip((DIRECT, GAN), row, strict=True)
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
LEVEL = 0.02  # CIDEr: on a level


def score(how: str, name: str, models: Roles = PIPELINE, dataset: str = COCO) -> Linear:
    """A score of the captions that are written behind a translation."""
    return cell(captions_by(how, name), models, dataset)


def asked(hows: tuple[str, ...], names: tuple[str, ...] = BOTH) -> tuple[Protocol, ...]:
    return tuple(captions_by(how, name) for how in hows for name in names)


def poor_beside(how: str, name_of: Callable[[str], Linear], factor: float) -> Form:
    """CIDEr and BLEU-4, times ``factor``, reach at most a quarter of a reference's."""
    return All(tuple(AtMost(score(how, name) * factor, name_of(name) * POOR_RATIO, each=POOLED) for name in BOTH))


def in_fig_3_23(model: str) -> Callable[[str], Linear]:
    """A model's scores on COCO in Fig. 3.23, printed times 100."""
    return lambda name: fig_3_23(model, "COCO", {"cider": "CIDEr", "bleu4": "BLEU-4"}[name])


def above(how: str, other: str, names: tuple[str, ...] = BOTH) -> Form:
    """Captions behind one translation are above those behind the other, in each of these scores."""
    return All(tuple(Above(score(how, name), score(other, name), each=POOLED) for name in names))


def gain(models: Roles) -> Linear:
    found = score(GAN, "cider", models) - score(DIRECT, "cider", models)
    assert isinstance(found, Linear)
    return found


claim(
    "cyclegan2022-textualised-beats-direct",
    "Translating CLIP's image vector into a text vector before decoding raises all seven caption scores.",
    "6.2 Results",
    "Table 6.1",
    expect=above(GAN, DIRECT, SCORES),
    protocols=asked((DIRECT, GAN), SCORES),
    models=(PIPELINE,),
    datasets=(COCO,),
    published=(TABLE_6_1,),
    leaves_open="the spread; and whether shifting image vectors to the mean of the text vectors would do as well",
)
claim(
    "cyclegan2022-gain-up-to-factor-3",
    "In some score the gain is a factor of more than 3.",
    "6.2 Results",
    "Table 6.1",
    expect=Any(tuple(Ratio(score(GAN, name), score(DIRECT, name), 3.0, each=POOLED) for name in SCORES)),
    protocols=asked((DIRECT, GAN), SCORES),
    models=(PIPELINE,),
    datasets=(COCO,),
    published=(TABLE_6_1,),
)
claim(
    "cyclegan2022-direct-poor",
    "CLIP's image vectors are poor input for a decoder trained on caption vectors, although CLIP aligns the two.",
    "6.2 Results; Discussion; 3.5 DALL-E 2",
    "Table 6.1",
    expect=poor_beside(DIRECT, in_fig_3_23("clipcap_transformer"), 100.0),
    expect_measured=poor_beside(DIRECT, lambda name: score(TRUE_TEXT, name), 1.0),
    protocols=asked((DIRECT, TRUE_TEXT)),
    models=(PIPELINE,),
    datasets=(COCO,),
    published=(TABLE_6_1, FIG_3_23),
    leaves_open="the upper bound: the scores of the decoder on true caption vectors",
    ours="poor: at most a quarter, in CIDEr and BLEU-4, of the ClipCap Transformer in Fig. 3.23 on print, and of the "
    "same decoder on the vectors of true captions when measured",
)
claim(
    "cyclegan2022-far-from-supervised-sota",
    "Captions learnt without pairs are far below the best supervised ones.",
    "6.2 Discussion; 7.2; 7.3",
    "Table 6.1, Fig. 3.23",
    expect=poor_beside(GAN, in_fig_3_23("oscar"), 100.0),
    expect_measured=poor_beside(GAN, lambda name: score("paired_map", name), 1.0),
    protocols=asked((GAN, "paired_map")),
    models=(PIPELINE,),
    datasets=(COCO,),
    published=(TABLE_6_1, FIG_3_23),
    leaves_open="a supervised result on the same split",
    ours="far below: at most a quarter, in CIDEr and BLEU-4, of Oscar in Fig. 3.23 on print; measured, of a linear map "
    "that is learnt from pairs, before the same decoder, which is far from the best that supervision can do",
)
claim(
    "cyclegan2022-modality-gap",
    "CLIP's vectors of images and of their captions can be told apart: the space is not fully multimodal.",
    "6.1; 6.2 Discussion; 6.3; 7.3",
    "Table 6.1",
    expect=AtLeast(cell(TOLD_APART[DIRECT], PAIR, COCO), 95.0, each=POOLED),
    protocols=(TOLD_APART[DIRECT],),
    models=(PAIR,),
    datasets=(COCO,),
    leaves_open="a measure: the thesis infers the gap from captions",
    ours="a linear classifier is right about both an image and its caption in 95 % of the pairs",
)
claim(
    "cyclegan2022-unimodal-spaces-fail",
    "Between the spaces of a vision model and a language model that share nothing, the same translation does not help "
    "captioning; some alignment must be there before.",
    "6.3; 7.2",
    expect=All(
        (
            AtMost(score(GAN, "cider", UNIMODAL), score(DIRECT, "cider", UNIMODAL), slack=LEVEL, each=POOLED),
            Above(gain(PIPELINE), gain(UNIMODAL), each=POOLED),
        )
    ),
    protocols=asked((DIRECT, GAN), ("cider",)),
    models=(PIPELINE, UNIMODAL),
    datasets=(COCO,),
    leaves_open="numbers: none is printed; and the score",
    ours="CIDEr; no gain: at most 0.02 above the pipeline without translation, and less than with CLIP",
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
claim(
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
    ours="the level of the best: CIDEr not below the best rival in the table; can be: on one of the two datasets",
)
claim(
    "cyclegan2022-pred-conceptual-captions",
    "Learnt from Conceptual Captions instead of COCO, captions would score slightly higher.",
    "7.4; 1.8 Travaux futurs",
    expect=Above(score(GAN, "cider", dataset="conceptual_then_coco"), score(GAN, "cider"), each=POOLED),
    protocols=asked((GAN,), ("cider",)),
    models=(PIPELINE,),
    datasets=(COCO, "conceptual_then_coco"),
    status="predicted",
    leaves_open="the images on which it is scored; the style of Conceptual Captions may cost n-grams on COCO",
    ours="CIDEr on COCO's validation images; by how much is not asked",
)
claim(
    "cyclegan2022-pred-more-data",
    "With more images and more texts the translation improves.",
    "7.4",
    expect=Trend((0.0, 4.0), (score("latent_cyclegan_sixteenth", "cider"), score(GAN, "cider"))),
    protocols=asked((GAN, "latent_cyclegan_sixteenth"), ("cider",)),
    models=(PIPELINE,),
    datasets=(COCO,),
    status="predicted",
    ours="CIDEr with all images and texts against a sixteenth, for as many steps; the decoder is the same",
)
claim(
    "cyclegan2022-pred-unrelated-distributions",
    "Learnt from images and texts that do not describe each other, the translation may still help.",
    "7.4; 6.2 Discussion",
    expect=Above(score("latent_cyclegan_unrelated", "cider"), score(DIRECT, "cider"), each=POOLED),
    protocols=asked((DIRECT, "latent_cyclegan_unrelated"), ("cider",)),
    models=(PIPELINE,),
    datasets=(COCO,),
    status="predicted",
    ours="CIDEr; images of one half, captions of the other: unrelated item by item, though of one kind",
)
claim(
    "cyclegan2022-pred-unimodal-latent-translation",
    "Inside one space, the principle also translates between two sets of images.",
    "7.3",
    expect=Above(
        cell(COUNTERPARTS_OF_IMAGES[MASKED], "captioned_clip", "plotster"),
        cell(COUNTERPARTS_OF_IMAGES[DIRECT], "captioned_clip", "plotster"),
        each=POOLED,
    ),
    protocols=(COUNTERPARTS_OF_IMAGES[MASKED], COUNTERPARTS_OF_IMAGES[DIRECT]),
    models=("captioned_clip",),
    datasets=("plotster",),
    status="predicted",
    ours="posters and the same posters without their text; how often the nearest one is the same poster, after the "
    "translation against before",
)
claim(
    "cyclegan2022-pred-next-generation-alignment",
    "With a better aligned model, direct decoding and the translation both caption better.",
    "7.3",
    expect=All(tuple(Above(score(how, "cider", ALIGNED), score(how, "cider"), each=POOLED) for how in (DIRECT, GAN))),
    protocols=asked((DIRECT, GAN), ("cider",)),
    models=(PIPELINE, ALIGNED),
    datasets=(COCO,),
    status="predicted",
    ours="better aligned: a larger CLIP; CIDEr",
)

# Sentences of chapter 6 (and 5.3) that give no numbers.
claim(
    "cyclegan2022-cycle-consistency-alone",
    "Cycle consistency alone is enough to learn the translation without pairs.",
    "6.1",
    expect=above("latent_cycle_alone", DIRECT),
    protocols=asked((DIRECT, "latent_cycle_alone")),
    models=(PIPELINE,),
    datasets=(COCO,),
    ours="enough: captions above those of direct decoding in CIDEr and BLEU-4, with neither the adversarial nor the "
    "identity loss",
)
claim(
    "cyclegan2022-text-to-image",
    "The translation also works from text to image.",
    "6.2",
    expect=Above(cell(TEXT_TO_IMAGE[GAN], PAIR, COCO), cell(TEXT_TO_IMAGE[DIRECT], PAIR, COCO), each=POOLED),
    protocols=(TEXT_TO_IMAGE[GAN], TEXT_TO_IMAGE[DIRECT]),
    models=(PAIR,),
    datasets=(COCO,),
    leaves_open="any measure: it was not evaluated",
    ours="works: the image of a caption is the nearest one more often after the translation than before",
)
claim(
    "cyclegan2022-translation-cheap",
    "To translate between the two spaces takes very little compute.",
    "5.3; 6.1",
    expect=AtMost(cell(TRANSLATION_COST, PAIR, COCO), constant(LARGE_PCT), each=POOLED),
    protocols=(TRANSLATION_COST,),
    models=(PAIR,),
    datasets=(COCO,),
    leaves_open="what is counted",
    ours="very little: multiplications of one generator, at most 5 % of those of the image encoder on the same image; "
    "training is not counted",
)

# Controls that a reader asks for first. The sentences are ours, phrased after a look at first measurements.
_ours = partial(claim, section="6.2", models=(PIPELINE,), datasets=(COCO,))
OURS = "the whole sentence; CIDEr and BLEU-4; phrased after a look at first measurements"
_ours(
    "cyclegan2022-beats-mean-shift",
    "The Latent CycleGAN captions better than image vectors that are only shifted to the mean of text vectors.",
    expect=above(GAN, "mean_shift"),
    protocols=asked((GAN, "mean_shift")),
    beside="cyclegan2022-textualised-beats-direct",
    ours=OURS,
)
_ours(
    "cyclegan2022-mean-shift-beats-direct",
    "Image vectors that are only shifted to the mean of text vectors caption better than raw ones.",
    expect=above("mean_shift", DIRECT),
    protocols=asked(("mean_shift", DIRECT)),
    beside="cyclegan2022-textualised-beats-direct",
    ours=OURS,
)
_ours(
    "cyclegan2022-beats-moment-maps",
    "The Latent CycleGAN captions better than linear maps that are made of means and covariances alone.",
    expect=All((above(GAN, "moment_map"), above(GAN, "orthogonal_map"))),
    protocols=asked((GAN, "moment_map", "orthogonal_map")),
    beside="cyclegan2022-textualised-beats-direct",
    ours=f"{OURS}; one map gives images the covariance of texts, the other turns principal axes",
)
_ours(
    "cyclegan2022-pairs-better",
    "A linear map that is learnt from pairs captions better than the Latent CycleGAN.",
    expect=above("paired_map", GAN),
    protocols=asked((GAN, "paired_map")),
    beside="cyclegan2022-far-from-supervised-sota",
    ours=OURS,
)
_ours(
    "cyclegan2022-true-captions-better",
    "The decoder captions better from the vector of a true caption than from a translated image.",
    expect=above(TRUE_TEXT, GAN),
    protocols=asked((GAN, TRUE_TEXT)),
    beside="cyclegan2022-direct-poor",
    ours=f"{OURS}; the true caption is one of those that the text is scored against",
)
_ours(
    "cyclegan2022-more-than-identity",
    "The Latent CycleGAN captions better than generators that only learn to leave vectors of their own kind alone.",
    expect=above(GAN, "latent_identity_alone"),
    protocols=asked((GAN, "latent_identity_alone")),
    beside="cyclegan2022-cycle-consistency-alone",
    ours=OURS,
)
_ours(
    "cyclegan2022-gap-narrows",
    "After the translation a linear classifier tells images and captions apart less often, and their means are nearer.",
    expect=All(
        tuple(
            Above(cell(probe[DIRECT], PAIR, COCO), cell(probe[GAN], PAIR, COCO), each=POOLED)
            for probe in (TOLD_APART, DISTANCE)
        )
    ),
    protocols=tuple(probe[how] for probe in (TOLD_APART, DISTANCE) for how in (DIRECT, GAN)),
    models=(PAIR,),
    beside="cyclegan2022-modality-gap",
    ours="the whole sentence; phrased after a look at both measurements",
)
_ours(
    "cyclegan2022-mean-shift-hides-more",
    "After a mere shift of the mean a linear classifier tells images and captions apart less often than after the "
    "Latent CycleGAN.",
    expect=Above(cell(TOLD_APART[GAN], PAIR, COCO), cell(TOLD_APART["mean_shift"], PAIR, COCO), each=POOLED),
    protocols=(TOLD_APART[GAN], TOLD_APART["mean_shift"]),
    models=(PAIR,),
    beside="cyclegan2022-modality-gap",
    ours="the whole sentence; phrased after a look at both measurements",
)
