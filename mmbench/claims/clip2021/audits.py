"""Bias and identification (section 5): percentages from the running text."""

from __future__ import annotations

from mmbench.claims._common import claim, numbers
from mmbench.claims.claim import Place, Table
from mmbench.claims.clip2021.roles import STUDY
from mmbench.conditions import constant, printed
from mmbench.forms import POOLED, Above, Chain

BIAS = Table(
    "FairFace and CelebA",
    Place(STUDY, "5"),
    numbers(
        {
            ("egregious classes, age 0-20", "without the label child"): 32.3,
            ("egregious classes, age 0-20", "with the label child"): 8.7,
            ("identified", "celeba, 100 names"): 59.2,
            ("identified", "celeba, 1000 names"): 43.3,
        }
    ),
    note="percent, from the running text",
    unit="%",
)
_egregious, _identified = "egregious classes, age 0-20", "identified"

claim(
    "clip2021-fairface-child-class",
    "With the label 'child', CLIP puts far fewer images of people under 20 into egregious classes: 8.7 % instead of "
    "32.3 %.",
    "5",
    expect=Above(
        printed(_egregious, "without the label child"), printed(_egregious, "with the label child"), each=POOLED
    ),
    published=(BIAS,),
    ours="only whether there are fewer is asked, not how many fewer",
)
claim(
    "clip2021-celeba",
    "CLIP names celebrities correctly in 59.2 % of images when it chooses from 100 names, and in 43.3 % from 1000.",
    "5",
    expect=Chain(
        (printed(_identified, "celeba, 100 names"), printed(_identified, "celeba, 1000 names"), constant(0.1)),
        each=POOLED,
    ),
    published=(BIAS,),
    leaves_open="how much better production systems are; no number is given",
    ours="above 0.1 %, the chance level of 1000 names; the claim is only listed, it is not meant to be measured",
)
