"""Sentences of the thesis about attacks, beyond those that it reprints (sections 4.3 and 7.4)."""

from __future__ import annotations

from mmbench.claims._attacks import ATTACKS, GRID, IMAGES, harder_to_attack
from mmbench.claims._common import MULTIMODAL, SIN, claim
from mmbench.conditions import cell, constant, mean
from mmbench.forms import POOLED, Above, All, Form
from mmbench.probes.semantic_attack import SEMANTIC
from mmbench.protocol import Roles

PLAIN_VISION = ("rn50", "bit_m", *SIN)
GROUNDED, UNGROUNDED = ("clip", "virtex"), ("rn50", "bit_m")
MEANING = "bert_base"


def grounded(role: str) -> Form:
    """Success falls with distance in meaning on this model, and more so than on those trained on images alone."""
    own = cell(SEMANTIC, Roles(role, MEANING), IMAGES)
    others = mean(cell(SEMANTIC, Roles(other, MEANING), IMAGES) for other in UNGROUNDED)
    return All((Above(constant(0.0), own, each=POOLED), Above(others, own, each=POOLED)))


claim(
    "bielawski2022-multimodal-less-robust",
    "Multimodality made models less robust against attacks, where more robust ones had been expected.",
    "4.3",
    "Fig. 4.6",
    expect=harder_to_attack("plain_vision", "multimodal"),
    protocols=ATTACKS,
    datasets=(IMAGES,),
    models=(*PLAIN_VISION, *MULTIMODAL),
    leaves_open="which models; the figure shows CLIP, VirTex, RN50, SIN+IN, BiT-M and AR models",
    ours="the mean of four multimodal encoders against that of five trained on images, without the AR models, which "
    f"were trained against attacks; {GRID}",
)
claim(
    "bielawski2022-pred-targeted-attacks-semantic-distance",
    "If language grounded the features, targeted attacks would succeed less often on classes that are further away in "
    "meaning.",
    "7.4; 1.8 Travaux futurs",
    expect=All(tuple(grounded(role) for role in GROUNDED)),
    protocols=(SEMANTIC,),
    datasets=(IMAGES,),
    models=tuple(Roles(role, MEANING) for role in (*GROUNDED, *UNGROUNDED)),
    status="predicted",
    leaves_open="how distance in meaning is measured; the thesis predicts this for models that are grounded",
    ours="distance: 1 - cosine of a sentence encoder's vectors of the two class names; the correlation over images of "
    "success with distance (classes count as independent, images of one class do not) is below 0 on CLIP and VirTex, "
    "and below its mean on RN50 and BiT-M",
)
