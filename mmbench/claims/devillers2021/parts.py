"""Parts of catalogued sentences, each weaker than its sentence, for lineups with RN50, BiT-M and CLIP only."""

from __future__ import annotations

from functools import partial

from mmbench.claims._common import FEW_SHOT3, LARGE_PCT, NATURAL, SLACK_PCT, STANDARD6, TASKS5, claim
from mmbench.claims.devillers2021.generalization import NOT_BETTER, OVER_TASKS, ahead_over_tasks
from mmbench.forms import BY_BOTH, Above, AtMost, Best, Top
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.spectral import CLUSTERING

THREE = ("rn50", "bit_m", "clip")
_part = partial(claim, datasets=STANDARD6, models=THREE)
FEWER = "a weaker part of the sentence: fewer encoders"

for _role, _name in (("clip", "CLIP"), ("rn50", "RN50")):
    _part(
        f"devillers2021-fewshot-bitm-above-{_role}-natural",
        f"On CIFAR10, CIFAR100 and CUB, BiT-M is above {_name} at 1, 5 and 10 samples a class.",
        "3.1",
        "Fig. 2",
        expect=Above("bit_m", _role, each=BY_BOTH),
        protocols=FEW_SHOT3,
        datasets=NATURAL,
        models=("bit_m", _role),
        part_of="devillers2021-fewshot-bitm-best-natural",
        ours=FEWER,
    )
_part(
    "devillers2021-clustering-bitm-above-clip-and-rn50",
    "Over the six sets BiT-M clusters better than CLIP and RN50.",
    "3.2",
    "Fig. 3, 5",
    expect=Best("bit_m"),
    protocols=(CLUSTERING,),
    part_of="devillers2021-clustering-bitm-best",
    ours=FEWER,
)
_part(
    "devillers2021-bitm-above-clip-and-rn50-overall",
    "Over the six sets BiT-M is above CLIP and RN50 in few-shot learning, clustering and transfer.",
    "3.5",
    "Fig. 5",
    expect=Best("bit_m"),
    protocols=TASKS5,
    part_of="devillers2021-bitm-best-overall",
    ours=FEWER,
)
_part(
    "devillers2021-cub-bitm-large-margin-over-clip-and-rn50",
    "On CUB BiT-M is far above CLIP and RN50.",
    "3.5",
    "Fig. 2, 3, 4",
    expect=ahead_over_tasks("bit_m", THREE, ("cub",), by=LARGE_PCT),
    protocols=TASKS5,
    datasets=("cub",),
    part_of="devillers2021-cub-bitm-large-margin",
    ours=f"{FEWER}; far: by more than 5 points; {OVER_TASKS}",
)
for _task, _says, _protocols in (
    ("fewshot", "In few-shot learning", FEW_SHOT3),
    ("clustering", "In clustering", (CLUSTERING,)),
    ("transfer", "Under a linear probe", (LINEAR_PROBE,)),
):
    _part(
        f"devillers2021-{_task}-clip-not-above-rn50",
        f"{_says} CLIP is not above plain supervised training (RN50), over the six sets.",
        "Abstract, 3.5, 6",
        "Fig. 5",
        expect=AtMost("clip", "rn50", slack=SLACK_PCT),
        protocols=_protocols,
        models=("clip", "rn50"),
        part_of="devillers2021-headline-no-added-generalization",
        ours=f"a weaker part of the sentence: one task, one multimodal encoder; {NOT_BETTER}",
    )
_part(
    "devillers2021-multimodal-not-above-rn50",
    "In few-shot learning, clustering and transfer no multimodal encoder is above RN50, over the six sets.",
    "Abstract, 3.5, 6",
    "Fig. 5",
    expect=AtMost(Top("multimodal"), "rn50", slack=SLACK_PCT),
    protocols=TASKS5,
    models=("rn50", "clip", "tsm", "virtex", "icmlm"),
    part_of="devillers2021-headline-no-added-generalization",
    ours=f"a weaker part of the sentence: robustness is left out; {NOT_BETTER}",
)
