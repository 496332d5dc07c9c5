"""Sections 3.4, 3.5 and 4: robustness against attacks (Fig. 6)."""

from __future__ import annotations

from functools import partial

from mmbench.claims._attacks import ATTACKS, GRID, IMAGES, harder_to_attack, in_each_attack, no_harder_to_attack
from mmbench.claims._common import AR, COMPARED, EQ_PCT, MULTIMODAL, SLACK_PCT, STANDARD6, TASKS5, claim
from mmbench.forms import POOLED, Above, All, AtMost, Bottom, On, OnPar, Top
from mmbench.probes.rdm import RSA
from mmbench.protocol import Roles

SHOWN_MULTIMODAL = ("clip", "virtex")
SHOWN_VISION = ("rn50", "sin_in", "bit_m")
SHOWN = (*SHOWN_VISION, *AR, *SHOWN_MULTIMODAL)
OPEN = "the epsilons, the step size, and the ImageNet head of CLIP and VirTex"
_attacks = partial(claim, section="3.4", exhibit="Fig. 6", protocols=ATTACKS, datasets=(IMAGES,))


_attacks(
    "devillers2021-adv-multimodal-less-robust",
    "For targeted and untargeted attacks in both norms, VirTex and CLIP are less robust than BiT-M, SIN+IN and RN50.",
    expect=harder_to_attack(Bottom(SHOWN_VISION), Top(SHOWN_MULTIMODAL)),
    models=(*SHOWN_VISION, *SHOWN_MULTIMODAL),
    leaves_open=OPEN,
    ours=f"each of the two against each of the three; {GRID}",
)
_attacks(
    "devillers2021-adv-ar-robust",
    "The AR models are the most robust against attacks, for which they were trained.",
    expect=harder_to_attack(Bottom(AR), Top((*SHOWN_VISION, *SHOWN_MULTIMODAL))),
    models=SHOWN,
    leaves_open=f"which AR models are shown; {OPEN}",
    ours=f"each of the three against each other model of the figure; {GRID}",
)
_attacks(
    "devillers2021-adv-bitm-on-par-rn50",
    "BiT-M is as robust against attacks as RN50.",
    section="3.5",
    expect=in_each_attack(OnPar("bit_m", "rn50", EQ_PCT, each=POOLED)),
    models=("bit_m", "rn50"),
    leaves_open=OPEN,
    ours=f"as robust: within {EQ_PCT:g} points; {GRID}",
)
claim(
    "devillers2021-rsa-ar-proximity-without-robustness",
    "Multimodal encoders are similar to the AR models but less robust against attacks.",
    "4",
    "Fig. 6, 9b",
    expect=All(
        (
            *(
                On(Above(f"{role}_with_ar", Roles("rn50", role), each=POOLED), protocols=(RSA,))
                for role in SHOWN_MULTIMODAL
            ),
            harder_to_attack(Bottom(AR), Top(SHOWN_MULTIMODAL)),
        )
    ),
    protocols=(RSA, *ATTACKS),
    datasets=(IMAGES,),
    models=(*COMPARED, *SHOWN_MULTIMODAL, *AR, "rn50"),
    leaves_open="how near to the AR models; the paper argues from a t-SNE figure, in which they lie beyond them",
    ours="similar: nearer to the AR models, by the mean r over the three, than to RN50; CLIP and VirTex alone, which "
    f"the paper attacks; less robust than each AR model; {GRID}",
)
claim(
    "devillers2021-headline-no-added-generalization",
    "In clustering, few-shot learning, transfer and robustness no multimodal encoder beats plain supervised training.",
    "Abstract, 3.5, 6",
    "Fig. 5, 6",
    expect=All(
        (
            On(AtMost(Top("multimodal"), "rn50", slack=SLACK_PCT), STANDARD6, TASKS5),
            On(no_harder_to_attack(Top("multimodal"), "rn50"), (IMAGES,)),
        )
    ),
    protocols=(*TASKS5, *ATTACKS),
    datasets=(*STANDARD6, IMAGES),
    models=("rn50", *MULTIMODAL),
    leaves_open="whether plain supervised training is RN50 alone; TSM and ICMLM were not attacked",
    ours="plain supervised training is RN50; TSM and ICMLM are attacked too, since the sentence names all multimodal "
    f"encoders; a lead of up to {SLACK_PCT:g} point, in accuracy or in the success of attacks, is none; {GRID}",
)
