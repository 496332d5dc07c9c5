"""The zoo's own study: the effect of the training signal alone, with equal network, drawings, views and steps.

These sentences are ours. They were phrased on 2026-11-25, when only ``bit_m``, ``rn50`` and ``clip`` of the models that
they name had been trained. A trial of those had shown that fine labels are better on instances and captions on
categories, so ``fine-labels-instances`` and ``captions-categories`` were phrased after a result had been seen. The
others were phrased before, and those that fail stay. All of them are about small networks and drawings; none is about
the models of a paper. Their wording was made plainer later; the forms are those of that day.

``beit`` has been trained twice. Its first model predicted masked pixels and was no better than the untrained network,
so that ``training-helps-everywhere`` was refuted and ``masked-patches-trail`` supported. It was replaced because every
model of the zoo must be better than an untrained one; the entries say so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from mmbench.claims._attacks import IMAGES
from mmbench.claims._common import AR, CAPTIONING, DIGITS, FEW_SHOT3, SIN, STANDARD6, VISUAL12, claim
from mmbench.conditions import Linear, cell, mean
from mmbench.forms import BY_BOTH, Above, All, Any, AtMost, Better, Bottom, Chain, Curve, Form, Top
from mmbench.probes.attack import PGD_L2, PGD_LINF
from mmbench.probes.attack_checks import LOSSES, TRANSFER
from mmbench.probes.attack_sweep import JUDGED, JUDGED_ATTACKS, NOISE, UNTARGETED, at_all
from mmbench.probes.captioning import CAPTIONED_NAMES
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.retrieval import LINEAR_MAP_RETRIEVAL
from mmbench.probes.spectral import CLUSTERING
from mmbench.probes.zero_shot import ZERO_SHOT
from mmbench.protocol import Protocol, Roles

INSTANCES = ("cifar100", "cub")  # drawings and flags, each a class of its own
CATEGORIES = ("cifar10",)
DYED = ("fashion_mnist",)  # clothing in random colours
BIT_M = ("bit_m", "bit_m_seed1", "bit_m_seed2")
CLIP = ("clip", "clip_seed1", "clip_seed2")
RN50 = ("rn50", "rn50_seed1", "rn50_seed2")
UNLABELLED = ("simclr", "dino")
TRAINED = ("rn50", "bit_m", *AR, *SIN, "clip", "tsm", *CAPTIONING, *UNLABELLED, "slip", "vit", "beit")
FEW_SHOT_5 = FEW_SHOT.at(shots=5)
BEFORE = "phrased before the models were trained"
AGAIN = "but beit was trained again with another recipe, after its first model had been measured"

_ours = partial(claim, section="zoo", ours=f"the whole sentence; {BEFORE}")
_ours_with_beit = partial(claim, section="zoo", ours=f"the whole sentence; {BEFORE}, {AGAIN}")
_after_a_trial = partial(
    claim, section="zoo", ours="the whole sentence; a trial had shown the effect of two trainings before"
)


def turned(few_shot: Protocol, probe: Protocol, one: str, other: str, dataset: str) -> Form:
    """On one dataset ``one`` is above ``other`` in few-shot learning and below it with a trained probe."""
    return All(
        (
            Above(cell(few_shot, one, dataset), cell(few_shot, other, dataset)),
            Above(cell(probe, other, dataset), cell(probe, one, dataset)),
        )
    )


_after_a_trial(
    "matched2026-fine-labels-instances",
    "On matched data, fine labels beat captions at distinguishing single drawings from one to ten samples.",
    expect=Above("bit_m", "clip", each=BY_BOTH),
    protocols=FEW_SHOT3,
    datasets=INSTANCES,
    models=("bit_m", "clip"),
)
_ours(
    "matched2026-fine-labels-instances-every-training",
    "Fine labels beat captions at distinguishing single drawings from five samples, for each pair out of three "
    "trainings of both.",
    expect=Above(Bottom(BIT_M), Top(CLIP), each=BY_BOTH),
    protocols=(FEW_SHOT_5,),
    datasets=INSTANCES,
    models=(*BIT_M, *CLIP),
)
_after_a_trial(
    "matched2026-captions-categories",
    "On matched data, captions beat fine labels on human-made categories of concepts that neither model has seen.",
    expect=Above("clip", "bit_m"),
    protocols=(LINEAR_PROBE,),
    datasets=CATEGORIES,
    models=("bit_m", "clip"),
)
_ours(
    "matched2026-captions-categories-every-training",
    "Captions beat fine labels on human-made categories, for each pair out of three trainings of both.",
    expect=Above(Bottom(CLIP), Top(BIT_M)),
    protocols=(LINEAR_PROBE,),
    datasets=CATEGORIES,
    models=(*BIT_M, *CLIP),
)
_ours(
    "matched2026-coarse-labels-categories-every-training",
    "Coarse labels beat fine labels on the categories that they are made of, for each pair out of three trainings of "
    "both.",
    expect=Above(Bottom(RN50), Top(BIT_M)),
    protocols=(LINEAR_PROBE,),
    datasets=CATEGORIES,
    models=(*BIT_M, *RN50),
)
_ours(
    "matched2026-order-depends-on-probe",
    "The order of CLIP and SimCLR depends on the probe: on some dataset it differs between five shots and a linear "
    "probe.",
    expect=Any(
        tuple(
            turned(FEW_SHOT_5, LINEAR_PROBE, one, other, dataset)
            for dataset in STANDARD6
            for one, other in (("clip", "simclr"), ("simclr", "clip"))
        )
    ),
    protocols=(FEW_SHOT_5, LINEAR_PROBE),
    datasets=STANDARD6,
    models=("clip", "simclr"),
)
_ours(
    "matched2026-both-signals-beat-each",
    "Captions and views together (SLIP) beat captions alone and views alone in the linear probe, over six datasets.",
    expect=All((Above("slip", "clip"), Above("slip", "simclr"))),
    protocols=(LINEAR_PROBE,),
    datasets=STANDARD6,
    models=("slip", "clip", "simclr"),
)
_ours(
    "matched2026-contrast-beats-writing",
    "Contrastive training with captions beats writing captions and filling gaps in them, in five-shot learning over "
    "six datasets.",
    expect=Above("clip", Top(CAPTIONING)),
    protocols=(FEW_SHOT_5,),
    datasets=STANDARD6,
    models=("clip", *CAPTIONING),
)
_ours(
    "matched2026-captions-no-gain-few-shot",
    "No model trained on captions is above the model trained on fine labels in five-shot learning, over six datasets.",
    expect=AtMost(Top(("clip", "tsm", *CAPTIONING, "slip")), "bit_m"),
    protocols=(FEW_SHOT_5,),
    datasets=STANDARD6,
    models=("bit_m", "clip", "tsm", *CAPTIONING, "slip"),
)
_ours(
    "matched2026-no-labels-instances",
    "Contrast of views and self-distillation, without labels, beat coarse labels at distinguishing single drawings "
    "from five samples.",
    expect=Above(Bottom(UNLABELLED), "rn50", each=BY_BOTH),
    protocols=(FEW_SHOT_5,),
    datasets=INSTANCES,
    models=(*UNLABELLED, "rn50"),
)
_ours(
    "matched2026-robustness-costs",
    "Adversarial training costs accuracy: each robust model is below plain labels in the linear probe, over six sets.",
    expect=Above("rn50", Top(AR)),
    protocols=(LINEAR_PROBE,),
    datasets=STANDARD6,
    models=("rn50", *AR),
)
_ours(
    "matched2026-robustness-helps-digits",
    "Each adversarially trained model beats plain labels on handwritten and on street digits in five-shot learning.",
    expect=Above(Bottom(AR), "rn50", each=BY_BOTH),
    protocols=(FEW_SHOT_5,),
    datasets=DIGITS,
    models=("rn50", *AR),
)
_ours(
    "matched2026-style-helps-dyed",
    "Training on stylised drawings beats plain labels on clothing in random colours, in five-shot learning.",
    expect=Above("sin", "rn50"),
    protocols=(FEW_SHOT_5,),
    datasets=DYED,
    models=("sin", "rn50"),
)
_ours_with_beit(
    "matched2026-masked-patches-trail",
    "Predicting masked patches is below fine labels in the linear probe on each set, both in training a transformer.",
    expect=Above("vit", "beit", each=BY_BOTH),
    protocols=(LINEAR_PROBE,),
    datasets=(*CATEGORIES, *INSTANCES),
    models=("vit", "beit"),
)
_ours_with_beit(
    "matched2026-training-helps-everywhere",
    "Every trained model beats the untrained network in clustering and five-shot learning, over four sets.",
    expect=Above(Bottom(TRAINED), "random"),
    protocols=(FEW_SHOT_5, CLUSTERING),
    datasets=(*CATEGORIES, *INSTANCES, *DYED),
    models=(*TRAINED, "random"),
)

# Phrased on 2026-11-28, with all models trained, before layers and zero-shot transfer were measured.
_ours_later = partial(
    claim, section="zoo", ours="the whole sentence; phrased with the models trained, before measuring"
)
STAGES = ("stage3", "stage2", "stage1")


def by_layer(role: str, layers: tuple[str, ...], dataset: str) -> Form:
    """Each layer, deepest first, tells the classes apart better than the next, from five samples."""
    return Chain(tuple(cell(FEW_SHOT_5.at_layer(layer), role, dataset) for layer in layers))


_ours_later(
    "matched2026-later-stages-better",
    "In the networks trained on fine labels and on captions, each stage tells categories apart better than the one "
    "before it.",
    expect=All(tuple(by_layer(role, STAGES, "cifar10") for role in ("bit_m", "clip"))),
    protocols=tuple(FEW_SHOT_5.at_layer(layer) for layer in STAGES),
    datasets=CATEGORIES,
    models=("bit_m", "clip"),
)
_ours_later(
    "matched2026-last-block-better",
    "In the transformer trained on fine labels the last block tells categories apart better than the first.",
    expect=by_layer("vit", ("block6", "block1"), "cifar10"),
    protocols=tuple(FEW_SHOT_5.at_layer(layer) for layer in ("block6", "block1")),
    datasets=CATEGORIES,
    models=("vit",),
)
_ours_later(
    "matched2026-zero-shot-below-ten-shot",
    "Class names alone tell CLIP less about categories of drawings than ten samples of each do.",
    expect=Above(cell(FEW_SHOT.at(shots=10), "clip", "cifar10"), cell(ZERO_SHOT, Roles("clip", "clip_t"), "cifar10")),
    protocols=(FEW_SHOT.at(shots=10), ZERO_SHOT),
    datasets=CATEGORIES,
    models=("clip", Roles("clip", "clip_t")),
)
claim(
    "matched2026-captions-map-to-text",
    "A linear map into the space of caption texts finds the name of a drawing more often from CLIP's features than from"
    " those of the untrained network.",
    section="zoo",
    expect=Above(Roles("clip", "clip_t"), Roles("random", "clip_t"), each=BY_BOTH),
    protocols=(LINEAR_MAP_RETRIEVAL,),
    datasets=(*CATEGORIES, "cub"),
    models=(Roles("clip", "clip_t"), Roles("random", "clip_t")),
    ours="the whole sentence; phrased after a look at both measurements",
)


def harder_to_fool(protocol: Protocol, role: str) -> Form:
    """An attack succeeds less often on this model than on the one trained with plain labels."""
    return Better(cell(protocol, role, "cifar10"), cell(protocol, "rn50", "cifar10"))


_ours_later(
    "matched2026-robust-to-trained-attack",
    "Each adversarially trained network is fooled less often than the one trained with plain labels, by attacks in the "
    "norm that it was trained against.",
    expect=All(
        (
            harder_to_fool(PGD_LINF, "ar_li4"),
            harder_to_fool(PGD_LINF, "ar_li8"),
            harder_to_fool(PGD_L2, "ar_l2"),
        )
    ),
    protocols=(PGD_LINF, PGD_L2),
    datasets=CATEGORIES,
    models=("rn50", *AR),
    ours="the whole sentence, the linear heads and both epsilons; phrased with the models trained, before measuring",
)
_ours_later(
    "matched2026-captions-named-in-writing",
    "Captions that a language model writes from image features, through a linear map into its token vectors, name the "
    "category of a drawing more often with CLIP's features than with those of the untrained network.",
    expect=Above(Roles("clip", "gpt2"), Roles("random", "gpt2")),
    protocols=(CAPTIONED_NAMES,),
    datasets=CATEGORIES,
    models=(Roles("clip", "gpt2"), Roles("random", "gpt2")),
    ours="the whole sentence, the map and the prompt; phrased before measuring, after a look at what gpt2 writes "
    "behind the exact vectors of category names (never that category)",
)


# Whether attacks work as they should (mmbench.probes.attack_checks).
MIDDLE = {"norm": "linf", "epsilon": 0.01}
TRANSFERRED = tuple(Roles("bit_m" if role == "rn50" else "rn50", role) for role in VISUAL12)


def over_epsilons(protocols: Sequence[Protocol], role: str) -> Linear:
    """The mean success of a kind of attack, or of noise, over its epsilons."""
    return mean(cell(protocol, role, IMAGES) for protocol in protocols)


_ours_later(
    "matched2026-attack-beats-noise",
    "On each of twelve networks an attack succeeds more often than noise of the same size, over three epsilons in Linf "
    "and over three in L2.",
    expect=All(
        tuple(
            Above(over_epsilons(JUDGED_ATTACKS["untargeted", norm], role), over_epsilons(noise, role))
            for role in VISUAL12
            for norm, noise in ((norm, at_all(NOISE, norm, JUDGED[norm])) for norm in ("linf", "l2"))
        )
    ),
    protocols=tuple(
        one
        for norm in ("linf", "l2")
        for one in (*JUDGED_ATTACKS["untargeted", norm], *at_all(NOISE, norm, JUDGED[norm]))
    ),
    datasets=(IMAGES,),
    models=VISUAL12,
)
_ours_later(
    "matched2026-more-steps-more-loss",
    "On each of twelve networks more steps of an attack never lower its loss: after a quarter, half and all of them.",
    expect=All(
        tuple(
            AtMost(cell(fewer, role, IMAGES), cell(more, role, IMAGES))
            for role in VISUAL12
            for fewer, more in pairwise(LOSSES)
        )
    ),
    protocols=LOSSES,
    datasets=(IMAGES,),
    models=VISUAL12,
)
_ours_later(
    "matched2026-own-gradients-attack-better",
    "On each of twelve networks an attack through its own gradients succeeds more often than adversarial images made "
    "for another network of the same architecture.",
    expect=All(
        tuple(
            Above(cell(UNTARGETED.at(**MIDDLE), pair[1], IMAGES), cell(TRANSFER.at(**MIDDLE), pair, IMAGES))
            for pair in TRANSFERRED
        )
    ),
    protocols=(UNTARGETED.at(**MIDDLE), TRANSFER.at(**MIDDLE)),
    datasets=(IMAGES,),
    models=(*VISUAL12, *TRANSFERRED),
    ours="the whole sentence; phrased with the models trained, before measuring; images made for rn50, and for rn50 "
    "those made for bit_m",
)


def past_half_way(means: Sequence[float]) -> float:
    """How far the first accuracy is past the middle of the other two, in log-odds; accuracies in percent."""
    odds = [math.log(share / (1 - share)) for share in (min(max(mean, 0.1), 99.9) / 100 for mean in means)]
    return odds[0] - (odds[1] + odds[2]) / 2


claim(
    "matched2026-two-views-past-half-way",
    "Contrast of two views, without labels, comes more than half way from the untrained network to fine labels at "
    "telling single drawings apart, in log-odds of accuracy.",
    section="zoo",
    expect=Curve(past_half_way, ("simclr", "bit_m", "random"), 0.0, label="log-odds of simclr past half way"),
    protocols=(FEW_SHOT_5,),
    datasets=("cub",),
    models=("simclr", "bit_m", "random"),
    ours="the whole sentence; phrased after a look at the three means; five samples, flags; the scale of log-odds",
)
