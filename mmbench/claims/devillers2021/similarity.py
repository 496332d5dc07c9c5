"""Claims of section 4: how close models are, by the correlation of their dissimilarity matrices.

The paper speaks of distances, 1 - r. Cells hold r, so nearer is higher.
"""

from __future__ import annotations

from typing import Any

from mmbench.claims._common import (
    AR,
    COMPARED,
    COMPARED15,
    LANGUAGE,
    MULTIMODAL,
    R_WEAK,
    SIN,
    SLACK_UNIT,
    VISION_ONLY,
    VISUAL12,
    claim,
)
from mmbench.claims.claim import Claim
from mmbench.forms import Above, All, AtLeast, AtMost, Chain, Clusters, JoinedBelow, Top
from mmbench.probes.cka import CKA
from mmbench.probes.rdm import RSA
from mmbench.protocol import Roles

_ASKED: dict[str, Any] = {"datasets": ("imagenet",), "models": COMPARED}
_SENTENCES: list[Claim] = []


def _close(id: str, says: str, section: str, exhibit: str, **rest: Any) -> None:
    _SENTENCES.append(claim(id, says, section, exhibit, protocols=(RSA,), **_ASKED, **rest))


MEANS = "means over pairs of models stand for what the paper reads off a dendrogram; closeness is r, distance 1 - r"

_close(
    "devillers2021-rsa-distance-order",
    "Encoders trained on images are nearest to each other; multimodal encoders are further from them, and text models "
    "furthest.",
    "4",
    "Fig. 8, 9a",
    expect=Chain(("vision_with_vision", "vision_with_multimodal", "vision_with_language")),
    leaves_open="whether the distance of multimodal encoders is due to language or to training data",
    ours=MEANS,
)
_close(
    "devillers2021-rsa-multimodal-not-linguistic",
    "Multimodal image encoders are very distant from the standard language models (BERT, GPT-2) too: further than from "
    "encoders trained on images.",
    "4",
    "Fig. 8, 9",
    leaves_open="what very distant is",
    expect=All(tuple(Above(f"vision_with_{role}", f"{role}_with_standard_language") for role in MULTIMODAL)),
    ours=f"{MEANS}; very distant: further than from encoders trained on images; CLIP-T is no standard language model; "
    "each multimodal encoder is asked by itself",
)
_close(
    "devillers2021-rsa-not-in-between",
    "Multimodal encoders are not nearer to text models than encoders trained on images are: they do not lie between "
    "the two.",
    "4, 6",
    "Fig. 9",
    expect=AtMost("multimodal_with_language", "vision_with_language", slack=SLACK_UNIT),
    leaves_open="how this is measured; the paper argues from a t-SNE figure",
    ours=f"{MEANS}; of the two parts only the first, no nearer to text, is asked; a lead of up to {SLACK_UNIT:g} of a "
    "correlation does not count",
)
_close(
    "devillers2021-rsa-absolute-similarity-remains",
    "The dissimilarities of each multimodal encoder still correlate reasonably with those of some image or text model.",
    "4 footnote 3",
    "Fig. 8",
    expect=All(tuple(AtLeast(Top(f"{role}_with_others"), R_WEAK) for role in MULTIMODAL)),
    ours="reasonably: r of 0.5 or more with the nearest model",
)
claim(
    "devillers2021-rsa-implementations-hardly-matter",
    "Small differences between implementations of ResNet-50 hardly change the feature spaces.",
    "2",
    expect=AtLeast(Roles("rn50", "bit_s"), 0.8),
    protocols=(RSA,),
    datasets=("imagenet",),
    models=(Roles("rn50", "bit_s"),),
    status="predicted",
    leaves_open="how much is little; the paper assumes it, and its own networks differ in their data or training too",
    ours=(
        "two networks of the same data and labels whose implementation differs (batch or group normalisation, "
        "standardised weights); hardly: a distance of 0.2 or less, within which section 4 sees encoders as very close"
    ),
)
_close(
    "devillers2021-rsa-vision-compact",
    "In the dendrogram all encoders trained on images are joined below a distance of 0.2.",
    "4",
    "Fig. 9a",
    expect=JoinedBelow(COMPARED15, VISION_ONLY, 0.2),
    leaves_open="the linkage rule",
    ours="average linkage on 1 - r, as in the authors' code, of all fifteen models",
)
_close(
    "devillers2021-rsa-visual-subclusters",
    "BiT-M, RN50 and SIN form one group and the AR models another; multimodal encoders are further away.",
    "4",
    "Fig. 9b",
    expect=Clusters(COMPARED15, (("rn50", "bit_m", *SIN), AR, VISION_ONLY), strangers=VISUAL12),
    leaves_open="how groups are told apart; the paper reads them off a t-SNE figure",
    ours=(
        "the groups are asked of the dendrogram of all fifteen models (average linkage on 1 - r), since distances in a "
        "t-SNE depend on its seed; SIN means the three SIN models; further away: no multimodal encoder joins an image "
        "encoder before all of these are joined"
    ),
)
_close(
    "devillers2021-rsa-language-cluster-separate",
    "The text models (CLIP-T, GPT-2, BERT) are furthest away: separate from all image encoders, including CLIP's.",
    "4",
    "Fig. 9",
    expect=Clusters(COMPARED15, (VISUAL12,), strangers=LANGUAGE),
    leaves_open="how much is due to the other distance that is used for texts",
    ours="in the dendrogram of all fifteen models (average linkage on 1 - r) all image encoders are joined before a "
    "text model joins one of them; that text models are near each other is not asked",
)

# The same sentences by another measure of similarity, which the paper does not use.
for _of in _SENTENCES:
    claim(
        f"{_of.id}-by-cka",
        f"By CKA instead of RSA: {_of.says}",
        _of.where.section,
        _of.where.exhibit,
        expect=_of.expect,
        protocols=(CKA,),
        **_ASKED,
        beside=_of.id,
        leaves_open=_of.leaves_open,
        ours=(
            "not the paper's measure: debiased linear centred kernel alignment of class means, to see whether the "
            f"conclusion rests on the measure; thresholds are those for r. As for RSA: {_of.ours}"
        ),
    )
