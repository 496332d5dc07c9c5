"""Roles, groups, datasets and thresholds that several studies' claims share, and the one way to register a claim."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from mmbench.claims.claim import CLAIMS, Claim, Place, Printed
from mmbench.claims.ledger import disagreements_of
from mmbench.conditions import Extreme, Linear, Term, cell, largest
from mmbench.forms import POOLED, Above, All, Form
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.spectral import CLUSTERING
from mmbench.protocol import PRINTED, Cell, Models, Protocol, Roles

# Roles.
AR = ("ar_l2", "ar_li4", "ar_li8")
SIN = ("sin", "sin_in", "sin_in_fin")
VISION_ONLY = ("rn50", "bit_m", *AR, *SIN)
CONTRASTIVE = ("clip", "tsm")
CAPTIONING = ("virtex", "icmlm")
MULTIMODAL = (*CONTRASTIVE, *CAPTIONING)
VISUAL12 = (*VISION_ONLY, *MULTIMODAL)
STANDARD_LANGUAGE = ("bert", "gpt2")  # "the standard language models" of Devillers et al. 2021
LANGUAGE = ("clip_t", *STANDARD_LANGUAGE)
HC_VISION = ("rn50", "bit_m", "clip")
HC_UNIMODAL_VISION = ("rn50", "bit_m")
HC_TEXT = ("bert_base", "bert_large", "clip_t")
HC_UNIMODAL_TEXT = ("bert_base", "bert_large")


def paired(vision: Iterable[str], text: Iterable[str]) -> tuple[Roles, ...]:
    """Every image tower with every text tower (or other encoder), in this order."""
    texts = tuple(text)
    return tuple(Roles(v, t) for v in vision for t in texts)


CLIP_PAIR = Roles("clip", "clip_t")
PAIRS9 = paired(HC_VISION, HC_TEXT)

GROUPS: dict[str, tuple[Models, ...]] = {
    "vision_only": VISION_ONLY,
    "multimodal": MULTIMODAL,
    "contrastive": CONTRASTIVE,
    "captioning": CAPTIONING,
    "ar_models": AR,
    "sin_models": SIN,
    "ar_and_sin": (*AR, *SIN),
    "plain_vision": ("rn50", "bit_m", *SIN),
    "unimodal_vision": HC_UNIMODAL_VISION,
    "unimodal_text": HC_UNIMODAL_TEXT,
    # pairs that are compared with each other
    "vision_with_vision": tuple(Roles(*two) for two in itertools.combinations(VISION_ONLY, 2)),
    "vision_with_multimodal": paired(VISION_ONLY, MULTIMODAL),
    "vision_with_language": paired(VISION_ONLY, LANGUAGE),
    "multimodal_with_multimodal": tuple(Roles(*two) for two in itertools.combinations(MULTIMODAL, 2)),
    "multimodal_with_language": paired(MULTIMODAL, LANGUAGE),
    "language_with_language": tuple(Roles(*two) for two in itertools.combinations(LANGUAGE, 2)),
    **{f"vision_with_{role}": paired(VISION_ONLY, (role,)) for role in MULTIMODAL},
    **{f"{role}_with_ar": paired(AR, (role,)) for role in MULTIMODAL},
    **{f"{role}_with_language": paired((role,), LANGUAGE) for role in MULTIMODAL},
    **{f"{role}_with_standard_language": paired((role,), STANDARD_LANGUAGE) for role in MULTIMODAL},
    **{f"{role}_with_others": (*paired(VISION_ONLY, (role,)), *paired((role,), LANGUAGE)) for role in MULTIMODAL},
}
COMPARED15 = (*VISUAL12, *LANGUAGE)
COMPARED = tuple(
    pair for name, pairs in GROUPS.items() if name in {
        "vision_with_vision", "vision_with_multimodal", "vision_with_language",
        "multimodal_with_multimodal", "multimodal_with_language", "language_with_language",
    } for pair in pairs
)  # fmt: skip

# Protocols.
FEW_SHOT3 = FEW_SHOT.over(shots=(1, 5, 10))
TASKS5 = (*FEW_SHOT3, CLUSTERING, LINEAR_PROBE)

# Datasets.
STANDARD6 = ("mnist", "cifar10", "cifar100", "fashion_mnist", "cub", "svhn")
NATURAL = ("cifar10", "cifar100", "cub")
NATURAL_BROAD = ("cifar10", "cifar100", "fashion_mnist", "cub")
DIGITS = ("mnist", "svhn")
BOOK = ("book_covers", "book_covers_masked")
POSTERS = ("plotster", "plotster_masked")
TITLED = ("plotster_title", "plotster_title_masked")
PLOTTED = ("plotster_plot", "plotster_plot_masked")
HC_IMAGE_SETS = ("mvsa", *BOOK, *POSTERS)
HC_TEXT_SETS = ("mvsa", "book_covers", "plotster_title", "plotster_plot")
SETTINGS7 = ("mvsa", *BOOK, *TITLED, *PLOTTED)

# Thresholds for the papers' vague words. All are OURS: no paper prints them.
EQ_PCT, EQ_UNIT = 2.0, 0.02  # "on a level", in points and on a 0-1 scale
LARGE_PCT, LARGE_UNIT = 5.0, 0.05  # "by a wide margin"
SLACK_PCT, SLACK_UNIT = 1.0, 0.01  # "not better": above by this at most; without slack a tie is never shown
USUALLY, OFTEN = 0.75, 0.5  # shares of comparisons
R_STRONG, R_WEAK = 0.7, 0.5  # correlations
POOR_RATIO = 0.25  # "poor": a quarter of the reference or less


def at_least(share: float, of: int) -> int:
    """The smallest count that is at least this share of ``of``."""
    return math.ceil(share * of - 1e-9)


def means(protocol: Protocol, names: Iterable[Models], dataset: str) -> tuple[Linear, ...]:
    """The cells of several models on one dataset."""
    return tuple(cell(protocol, name, dataset) for name in names)


def lead(protocol: Protocol, name: Models, rivals: Iterable[Models], dataset: str) -> Term:
    """How far a model is ahead of the best of its rivals on one dataset."""
    others = tuple(rivals)
    ahead = cell(protocol, name, dataset) - largest(*means(protocol, others, dataset))
    label = f"{protocol.name} lead of {name} over {', '.join(map(str, others))} on {dataset}"
    return replace(ahead, label=label) if isinstance(ahead, Extreme) else ahead


def loss(protocol: Protocol, name: Models, before: str, after: str) -> Term:
    """What a model loses between two datasets: with masks, or on later films."""
    return cell(protocol, name, before) - cell(protocol, name, after)


def loses_most(protocol: Protocol, name: Models, rivals: Iterable[Models], before: str, after: str) -> Form:
    """The model loses more between two datasets than each of its rivals."""
    losses = (loss(protocol, rival, before, after) for rival in rivals)
    return Above(loss(protocol, name, before, after), largest(*losses), each=POOLED)


def falls(protocol: Protocol, names: Iterable[Models], before: str, after: str) -> Form:
    """Each of the models scores lower on ``after`` than on ``before``."""
    return All(tuple(Above(cell(protocol, name, before), cell(protocol, name, after), each=POOLED) for name in names))


def numbers(printed: dict[tuple[str, str], float], *, exact: bool = False) -> dict[Cell, Printed]:
    """Printed numbers without spread, by key and where, as the cells that ``conditions.printed`` names.

    ``exact``: counts and sizes, which have no error; others are scores whose spread is not printed.
    """
    return {Cell(PRINTED, key, where): Printed(value, exact=exact) for (key, where), value in printed.items()}


def claim(id: str, says: str, section: str, exhibit: str = "", *, expect: Form | None = None, **rest: Any) -> Claim:
    """Register a claim. The study is the id's first word; shared groups and known disagreements are filled in."""
    place = Place(id.split("-")[0], section, exhibit)
    known = disagreements_of(id)
    return CLAIMS.add(Claim(id, says, place, expect, groups=GROUPS, disagreements=known, **rest))
