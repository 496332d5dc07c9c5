"""Claims of the paper that wait for a protocol that mmbench does not have yet."""

from __future__ import annotations

from functools import partial

from mmbench.claims._common import claim

ATTACKS = "adversarial attacks (random projected gradient descent)"
DENDROGRAM = "groups and heights of a dendrogram of correlations"
_attacks = partial(claim, exhibit="Fig. 6", waits_for=ATTACKS)
_grouped = partial(claim, waits_for=DENDROGRAM)

_attacks(
    "devillers2021-adv-multimodal-less-robust",
    "For targeted and untargeted attacks in both norms, VirTex and CLIP are less robust than BiT-M, SIN+IN and RN50.",
    "3.4",
    leaves_open="the epsilons, the step size, and the ImageNet head of CLIP and VirTex",
)
_attacks(
    "devillers2021-adv-ar-robust",
    "The AR models are the most robust against attacks, for which they were trained.",
    "3.4",
    leaves_open="which AR models are shown",
)
_attacks(
    "devillers2021-adv-bitm-on-par-rn50",
    "BiT-M is as robust against attacks as RN50.",
    "3.5",
)
_grouped(
    "devillers2021-rsa-vision-compact",
    "In the dendrogram all encoders trained on images are joined below a distance of 0.2.",
    "4",
    "Fig. 9a",
    leaves_open="the linkage rule",
)
_grouped(
    "devillers2021-rsa-visual-subclusters",
    "BiT-M, RN50 and SIN form one group and the AR models another; multimodal encoders are further away.",
    "4",
    "Fig. 9b",
)
_grouped(
    "devillers2021-rsa-language-cluster-separate",
    "Text models (CLIP-T, GPT-2, BERT) form a cluster that is separate from all image encoders, including CLIP's.",
    "4",
    "Fig. 9",
    leaves_open="how much is due to the other distance that is used for texts",
)
claim(
    "devillers2021-rsa-ar-proximity-without-robustness",
    "Multimodal encoders are similar to the AR models but less robust against attacks.",
    "4",
    "Fig. 6, 9b",
    waits_for=ATTACKS,
)
claim(
    "devillers2021-pred-domain-terms-help",
    "Adding a loss term within each modality, such as self-supervision, should help contrastive models on vision "
    "tasks.",
    "6",
    waits_for="a matched pair of models, trained by contrast with and without self-supervision",
    status="predicted",
)
