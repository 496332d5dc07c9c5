"""Sections 3.1 to 3.5: few-shot learning, clustering and linear probes on six sets (Fig. 2 to 5)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

from mmbench.claims._common import (
    AR,
    CAPTIONING,
    DIGITS,
    FEW_SHOT3,
    LARGE_PCT,
    MULTIMODAL,
    NATURAL,
    NATURAL_BROAD,
    R_STRONG,
    R_WEAK,
    SIN,
    SLACK_PCT,
    STANDARD6,
    TASKS5,
    USUALLY,
    VISION_ONLY,
    VISUAL12,
    at_least,
    claim,
)
from mmbench.conditions import Linear, cell, mean
from mmbench.forms import (
    BY_BOTH,
    POOLED,
    Above,
    All,
    Any,
    AtMost,
    Best,
    Bottom,
    Correlates,
    Each,
    Form,
    MeanCorrelates,
    On,
    Top,
    Wins,
)
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.spectral import CLUSTERING
from mmbench.protocol import Protocol

MEAN_OF_SIX = "by each model's mean over the six sets"
NOT_BETTER = f"a lead of up to {SLACK_PCT:g} point is no gain"
OVER_TASKS = "the mean over three tasks of equal weight is asked; few-shot learning is the mean of 1, 5 and 10 samples"
OTHERS_ON_CUB = tuple(name for name in VISION_ONLY if name != "bit_m")
NOT_AR_OR_SIN = ("clip", "tsm", "virtex", "icmlm", "rn50", "bit_m")
_on_six = partial(claim, datasets=STANDARD6, models=VISUAL12)
_few_shot = partial(_on_six, section="3.1", protocols=FEW_SHOT3)
_clustering = partial(_on_six, section="3.2", protocols=(CLUSTERING,))
_overall = partial(_on_six, section="3.5", protocols=TASKS5)


@cache
def over_six(protocol: Protocol) -> tuple[Linear, ...]:
    """Every model's mean over the six sets."""
    return tuple(mean(cell(protocol, model, dataset) for dataset in STANDARD6) for model in VISUAL12)


@cache
def over_tasks(dataset: str) -> tuple[Linear, ...]:
    """Every model's mean over the five tasks on one set."""
    return tuple(mean(cell(protocol, model, dataset) for protocol in TASKS5) for model in VISUAL12)


def every_pair(better: tuple[str, ...], worse: tuple[str, ...]) -> tuple[Above, ...]:
    return tuple(Above(a, b) for a in better for b in worse)


def in_most_comparisons(pairs: Sequence[Form], datasets: tuple[str, ...], have: str) -> Wins:
    """Three quarters of all pairs on each set in each task."""
    each = [On(pair, (dataset,), (protocol,)) for pair in pairs for dataset in datasets for protocol in TASKS5]
    return Wins(tuple(each), at_least(USUALLY, len(each)), of=f"comparisons {have}")


def over_three_tasks(model: str, datasets: tuple[str, ...]) -> Linear:
    """A model's mean over sets and the three tasks: few-shot learning (1, 5, 10 samples), clustering, linear probe."""
    tasks = (FEW_SHOT3, (CLUSTERING,), (LINEAR_PROBE,))
    return mean(mean(cell(one, model, dataset) for one in task for dataset in datasets) for task in tasks)


def ahead_over_tasks(model: str, among: tuple[str, ...], datasets: tuple[str, ...], by: float = 0.0) -> Form:
    """The model is above each other one by more than ``by``, by its mean over the three tasks."""
    rivals = (rival for rival in among if rival != model)
    own = over_three_tasks(model, datasets)
    return All(tuple(Above(own, over_three_tasks(rival, datasets), by, each=POOLED) for rival in rivals))


_few_shot(
    "devillers2021-fewshot-bitm-best-natural",
    "On CIFAR10, CIFAR100 and CUB, BiT-M is the best few-shot encoder at 1, 5 and 10 samples a class.",
    exhibit="Fig. 2",
    expect=Best("bit_m", each=BY_BOTH),
    datasets=NATURAL,
    leaves_open="whether it holds at each number of samples",
    ours="it is asked on each set at each number of samples",
)
_few_shot(
    "devillers2021-fewshot-multimodal-not-better",
    "In few-shot learning CLIP, TSM, VirTex and ICMLM are no better than encoders trained on images alone.",
    exhibit="Fig. 2, 5",
    expect=AtMost(Top("multimodal"), Top("vision_only"), slack=SLACK_PCT),
    leaves_open="which encoders are compared: the best ones, RN50, or the means",
    ours=f"the best of each family is compared, {MEAN_OF_SIX}; {NOT_BETTER}",
)
_few_shot(
    "devillers2021-fewshot-multimodal-typically-worse",
    "On each set multimodal encoders are mostly below the others in few-shot learning.",
    exhibit="Fig. 2",
    expect=Each(
        Wins(
            every_pair(VISION_ONLY, MULTIMODAL),
            at_least(USUALLY, len(VISION_ONLY) * len(MULTIMODAL)),
            of="pairs of encoders have the multimodal one below",
        )
    ),
    ours="mostly: in three quarters of the 32 pairs of encoders",
)
_clustering(
    "devillers2021-clustering-bitm-best",
    "BiT-M is the best encoder for clustering, over the six sets.",
    exhibit="Fig. 3, 5",
    expect=Best("bit_m"),
)
_clustering(
    "devillers2021-clustering-multimodal-lag",
    "Multimodal encoders are worse at clustering than the others, over the six sets.",
    exhibit="Fig. 3, 5",
    expect=Above("vision_only", "multimodal"),
    ours="the means of the two families are compared",
)
_clustering(
    "devillers2021-clustering-ranking-like-fewshot",
    "Clustering ranks the encoders similarly to few-shot learning.",
    exhibit="Fig. 2, 3",
    expect=All(
        tuple(
            Correlates(over_six(CLUSTERING), over_six(protocol), R_STRONG, method="spearman") for protocol in FEW_SHOT3
        )
    ),
    protocols=(*FEW_SHOT3, CLUSTERING),
    ours="a rank correlation of at least 0.7 at each number of samples; the paper judges by eye",
)
_on_six(
    "devillers2021-transfer-multimodal-no-gain",
    "A linear probe scores lower on multimodal features, which again bring no gain.",
    "3.3",
    "Fig. 4, 5",
    expect=All((Above("vision_only", "multimodal"), AtMost(Top("multimodal"), Top("vision_only"), slack=SLACK_PCT))),
    protocols=(LINEAR_PROBE,),
    ours=f"lower: the mean of the family; no gain: of its best, {MEAN_OF_SIX}; {NOT_BETTER}",
)
_overall(
    "devillers2021-average-multimodal-worse-all-tasks",
    "In few-shot learning, in clustering and in transfer, multimodal encoders are below the others on average.",
    section="3.3",
    exhibit="Fig. 5",
    expect=Above("vision_only", "multimodal"),
    leaves_open="whether families or single models are compared",
    ours="the means of the two families are compared",
)
_overall(
    "devillers2021-clip-best-multimodal",
    "CLIP generalises best of the multimodal encoders.",
    exhibit="Fig. 5",
    expect=ahead_over_tasks("clip", MULTIMODAL, STANDARD6),
    models=MULTIMODAL,
    leaves_open="whether this holds in each task",
    ours=OVER_TASKS,
)
_overall(
    "devillers2021-contrastive-not-enough",
    "Even CLIP and TSM, with contrastive training, do not beat encoders trained on images alone.",
    exhibit="Fig. 5",
    expect=AtMost(Top("contrastive"), Top("vision_only"), slack=SLACK_PCT),
    ours=f"the best of each family is compared, {MEAN_OF_SIX}; {NOT_BETTER}",
)
_overall(
    "devillers2021-bitm-best-overall",
    "BiT-M is the best encoder in few-shot learning, clustering and transfer, over the six sets.",
    exhibit="Fig. 5",
    expect=Best("bit_m"),
    ours="in each task",
    leaves_open="how much of it is due to shared labels: ImageNet-21K contains the species of CUB",
)
_overall(
    "devillers2021-cub-bitm-large-margin",
    "On CUB BiT-M is far ahead of every other encoder; its labels contain the species.",
    exhibit="Fig. 2, 3, 4",
    expect=ahead_over_tasks("bit_m", VISUAL12, ("cub",), by=LARGE_PCT),
    datasets=("cub",),
    leaves_open="whether this holds in each task",
    ours=f"far: by more than 5 points; {OVER_TASKS}",
)
_overall(
    "devillers2021-cub-clip-only-competitive-multimodal",
    "On CUB, CLIP is the only multimodal encoder that is competitive with those trained on images, BiT-M excepted.",
    exhibit="Fig. 2, 3, 4",
    expect=All(
        (
            AtMost(Bottom(OTHERS_ON_CUB), "clip"),
            Above(Bottom(OTHERS_ON_CUB), Top(("tsm", *CAPTIONING))),
        )
    ),
    datasets=("cub",),
    ours="competitive: not below the lowest of the others, in each task",
)
_overall(
    "devillers2021-digits-clip-matches-some-vision",
    "On both digit sets CLIP equals at least one encoder trained on images.",
    exhibit="Fig. 2, 3, 4",
    expect=AtMost(Bottom("vision_only"), "clip", each=BY_BOTH),
    datasets=DIGITS,
    models=(*VISION_ONLY, "clip"),
    ours="on both sets and in each task; equals: not below the lowest of them",
)
_overall(
    "devillers2021-digits-sin-ar-best",
    "On MNIST and SVHN encoders trained on stylised images or against attacks are generally the best.",
    exhibit="Fig. 2, 3, 4",
    expect=in_most_comparisons(every_pair((*AR, *SIN), NOT_AR_OR_SIN), DIGITS, "have the AR or SIN model above"),
    datasets=DIGITS,
    ours="generally: in three quarters of all pairs of one of the six and another model, sets and tasks",
)
_overall(
    "devillers2021-natural-vision-beats-multimodal",
    "On CIFAR10, CIFAR100, Fashion-MNIST and CUB encoders trained on images generally beat multimodal ones.",
    exhibit="Fig. 2, 3, 4",
    expect=in_most_comparisons(
        every_pair(VISION_ONLY, MULTIMODAL), NATURAL_BROAD, "have the encoder trained on images above"
    ),
    datasets=NATURAL_BROAD,
    ours="generally: in three quarters of all pairs of encoders, sets and tasks",
)
_overall(
    "devillers2021-consistent-across-datasets",
    "The ranking of the encoders is fairly similar from set to set, with exceptions.",
    exhibit="Fig. 2, 3, 4",
    expect=MeanCorrelates(
        tuple(
            Correlates(over_tasks(a), over_tasks(b), R_WEAK, method="spearman")
            for i, a in enumerate(STANDARD6)
            for b in STANDARD6[i + 1 :]
        ),
        R_WEAK,
    ),
    ours="the rank correlation of two sets, averaged over all pairs of sets, is at least 0.5",
)
_on_six(
    "devillers2021-cited-ar-transfers-better-sometimes",
    "Encoders trained against attacks were found to transfer better in some settings.",
    "2",
    expect=Any(tuple(On(Above(Top("ar_models"), "rn50"), (dataset,)) for dataset in STANDARD6)),
    protocols=(LINEAR_PROBE,),
    models=(*AR, "rn50"),
    status="cited",
    ours="one of the three is above RN50 on one of the six sets (Salman et al. 2020 use other sets)",
)
_overall(
    "devillers2021-pred-domain-terms-help",
    "Adding a loss term within each modality, such as self-supervision, should help contrastive models on vision "
    "tasks.",
    section="6",
    expect=Above("slip", "clip", each=POOLED),
    datasets=STANDARD6,
    models=("slip", "clip"),
    ours="a pair matched in data and steps: contrast with captions, and the same with contrast of two views added "
    "(SLIP); the mean over the five tasks of Fig. 5",
    status="predicted",
)
