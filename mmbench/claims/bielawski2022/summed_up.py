"""Sentences in which the thesis sums up: chapter 4 read by chapter 5, and what chapter 5 concludes."""

from __future__ import annotations

from collections.abc import Iterable

from mmbench.claims._common import (
    BOOK,
    CLIP_PAIR,
    FEW_SHOT3,
    HC_IMAGE_SETS,
    HC_TEXT,
    HC_TEXT_SETS,
    HC_UNIMODAL_TEXT,
    HC_UNIMODAL_VISION,
    HC_VISION,
    MULTIMODAL,
    SLACK_PCT,
    STANDARD6,
    VISION_ONLY,
    claim,
)
from mmbench.claims.bielawski2022.across import EXHIBITS, TABLES
from mmbench.claims.bielawski2022.few_shot import HUNDRED, SHOTS
from mmbench.conditions import Linear, cell, mean
from mmbench.forms import POOLED, Above, All, AtMost, Form
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.mlp import MLP_HEAD
from mmbench.probes.retrieval import LINEAR_MAP_RETRIEVAL
from mmbench.probes.spectral import CLUSTERING
from mmbench.protocol import Models, Protocol

OTHERS = tuple(name for name in MULTIMODAL if name != "clip")
TASKS: dict[str, tuple[Protocol, ...]] = {
    "transfer": (LINEAR_PROBE,),
    "few-shot": FEW_SHOT3,
    "clustering": (CLUSTERING,),
}
LEFT = 0.1  # what may be left of a recall that is called lost
POINTS = {"plotster": 100.0}  # F1 as points


def average(protocols: Iterable[Protocol], names: Iterable[Models], datasets: Iterable[str]) -> Linear:
    """The mean over all of these cells."""
    sets, models = tuple(datasets), tuple(names)
    return mean(cell(p, name, dataset) for p in protocols for name in models for dataset in sets)


def further_below(protocols: tuple[Protocol, ...]) -> Form:
    """The other multimodal encoders are below those of images alone, and more so than CLIP is."""
    images, clip, others = (average(protocols, names, STANDARD6) for names in (VISION_ONLY, ("clip",), OTHERS))
    return All((Above(images, others, each=POOLED), Above(images - others, images - clip, each=POOLED)))


claim(
    "bielawski2022-others-fall-short-further",
    "In transfer, few-shot learning and clustering on standard sets, other multimodal encoders fall short of encoders "
    "trained on images even more than CLIP does.",
    "5.1",
    expect=All(tuple(further_below(protocols) for protocols in TASKS.values())),
    protocols=tuple(protocol for protocols in TASKS.values() for protocol in protocols),
    datasets=STANDARD6,
    models=(*VISION_ONLY, *MULTIMODAL),
    leaves_open="which encoders; whether each of the others is further below",
    ours="the means of TSM, VirTex and ICMLM and of the eight encoders trained on images, over the six sets; few-shot: "
    "the mean of 1, 5 and 10 samples; whether CLIP itself falls short is asked by other claims",
)


def over_tasks(names: Iterable[Models]) -> Linear:
    """The mean of the three tasks, each with the same weight."""
    models = tuple(names)
    return mean(average(protocols, models, STANDARD6) for protocols in TASKS.values())


claim(
    "bielawski2022-multimodal-tells-objects-apart-less",
    "Multimodality made encoders worse at telling objects apart, where better had been expected.",
    "4.3",
    "Fig. 4.5",
    expect=Above(over_tasks(VISION_ONLY), over_tasks(MULTIMODAL), each=POOLED),
    protocols=tuple(protocol for protocols in TASKS.values() for protocol in protocols),
    datasets=STANDARD6,
    models=(*VISION_ONLY, *MULTIMODAL),
    leaves_open="which encoders, which tasks",
    ours="one number: the mean of transfer, few-shot learning and clustering over the six sets, of four multimodal "
    "encoders against eight trained on images",
)
_read, _masked = (cell(LINEAR_MAP_RETRIEVAL, CLIP_PAIR, dataset) for dataset in BOOK)
claim(
    "bielawski2022-masks-remove-reading",
    "With masks CLIP can no longer read the text on the covers.",
    "5.2 Results, Transfer learning",
    "Table 5.2",
    expect=All(
        (Above(_read, _masked, by=SLACK_PCT, each=POOLED), AtMost(_masked, _read * LEFT, each=POOLED)),
    ),
    protocols=(LINEAR_MAP_RETRIEVAL,),
    datasets=BOOK,
    models=(CLIP_PAIR,),
    leaves_open="how reading is measured; the thesis infers this from the masks",
    ours="reading: the title of a cover is found among all titles, by CLIP's features mapped linearly into CLIP-T's "
    "space; removed: by more than a point, to at most a tenth. What else on a cover hints at its title counts as "
    "reading, so this can fail where the masks are perfect",
)


def helped(name: str, others: tuple[str, ...], datasets: tuple[str, ...]) -> Form:
    """On each dataset the encoder is above the mean of the others of its modality."""
    return All(
        tuple(
            Above(cell(MLP_HEAD, name, dataset), average((MLP_HEAD,), others, (dataset,)), each=POOLED)
            for dataset in datasets
        )
    )


claim(
    "bielawski2022-multimodality-helps-one-modality",
    "Multimodal training helps with tasks about people even where only the image or only the text is used.",
    "5.2 Discussion and conclusion",
    EXHIBITS,
    expect=All((helped("clip", HC_UNIMODAL_VISION, HC_IMAGE_SETS), helped("clip_t", HC_UNIMODAL_TEXT, HC_TEXT_SETS))),
    protocols=(MLP_HEAD,),
    datasets=tuple(dict.fromkeys((*HC_IMAGE_SETS, *HC_TEXT_SETS))),
    models=(*HC_VISION, *HC_TEXT),
    published=TABLES,
    leaves_open="compared with which encoders, on which tasks",
    ours="on each dataset of the three tables, above the mean of the encoders of one modality; CLIP differs from them "
    "in its training data and size too, so the form asks for the lead and not for its cause",
)


def gain(protocol: Protocol, dataset: str) -> Linear:
    """How far CLIP is above the mean of RN50 and BiT-M, in points."""
    factor = POINTS.get(dataset, 1.0)
    others = (cell(protocol, name, dataset) * (-factor / len(HC_UNIMODAL_VISION)) for name in HC_UNIMODAL_VISION)
    parts = (cell(protocol, "clip", dataset) * factor, *others)
    return mean(parts) * len(parts)


def interaction(standard: Protocol, human: dict[str, Protocol]) -> Form:
    """CLIP's mean gain on tasks about people is above its mean gain on standard sets: one difference of differences."""
    on_people = mean(gain(protocol, dataset) for dataset, protocol in human.items())
    on_standard = mean(gain(standard, dataset) for dataset in STANDARD6)
    return Above(on_people, on_standard, each=POOLED)


_WHOLE = (
    "one difference of differences instead of two signs: CLIP less the mean of RN50 and BiT-M, in points (F1 times "
    "100), averaged over MVSA, covers and posters, is above the same average over the six standard sets"
)
claim(
    "bielawski2022-domain-interaction-few-shot",
    "With nearest neighbours on few samples, CLIP's lead is larger on tasks about people than on standard sets.",
    "5.2 Results, Few-shot learning",
    "Fig. 5.3",
    expect=All(
        tuple(interaction(shots, {"mvsa": HUNDRED, "book_covers": shots, "plotster": shots}) for shots in SHOTS)
    ),
    protocols=(*SHOTS, HUNDRED),
    datasets=(*STANDARD6, "mvsa", "book_covers", "plotster"),
    models=HC_VISION,
    beside="bielawski2022-domain-interaction",
    ours=f"{_WHOLE}, at each of 1, 5 and 10 samples (100 on MVSA); cosine similarity",
)
claim(
    "bielawski2022-domain-interaction-transfer",
    "In transfer, CLIP's lead is larger on tasks about people than on standard sets.",
    "5.2 Abstract, Summary",
    "Fig. 4.5, Tables 5.1 to 5.3",
    expect=interaction(LINEAR_PROBE, dict.fromkeys(("mvsa", "book_covers", "plotster"), MLP_HEAD)),
    protocols=(LINEAR_PROBE, MLP_HEAD),
    datasets=(*STANDARD6, "mvsa", "book_covers", "plotster"),
    models=HC_VISION,
    beside="bielawski2022-domain-interaction",
    ours=f"{_WHOLE}; the linear probe there, the thesis's head here",
)
