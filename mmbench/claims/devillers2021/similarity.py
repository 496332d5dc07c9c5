"""Claims of section 4: how close models are, by the correlation of their dissimilarity matrices.

The paper speaks of distances, 1 - r. Cells hold r, so nearer is higher.
"""

from __future__ import annotations

from functools import partial

from mmbench.claims._common import MULTIMODAL, R_WEAK, claim
from mmbench.forms import Above, All, AtLeast, AtMost, Chain, Top
from mmbench.probes.rdm import RSA

_close = partial(claim, protocols=(RSA,), datasets=("imagenet",))
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
    "Multimodal image encoders are further from text models than from encoders trained on images.",
    "4",
    "Fig. 8, 9",
    leaves_open="whether CLIP-T counts among the text models",
    expect=All(tuple(Above(f"vision_with_{role}", f"{role}_with_language") for role in MULTIMODAL)),
    ours=f"{MEANS}; each multimodal encoder is asked by itself",
)
_close(
    "devillers2021-rsa-not-in-between",
    "Multimodal encoders are not nearer to text models than encoders trained on images are: they do not lie between "
    "the two.",
    "4, 6",
    "Fig. 9",
    expect=AtMost("multimodal_with_language", "vision_with_language"),
    leaves_open="how this is measured; the paper argues from a t-SNE figure",
    ours=f"{MEANS}; of the two parts only the first, no nearer to text, is asked",
)
_close(
    "devillers2021-rsa-absolute-similarity-remains",
    "The dissimilarities of each multimodal encoder still correlate reasonably with those of some image or text model.",
    "4 footnote 3",
    "Fig. 8",
    expect=All(tuple(AtLeast(Top(f"{role}_with_others"), R_WEAK) for role in MULTIMODAL)),
    ours="reasonably: r of 0.5 or more with the nearest model",
)
