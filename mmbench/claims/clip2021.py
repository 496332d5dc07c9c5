"""Radford et al. 2021 (CLIP): claims that are judged on numbers printed in the ICML version."""

from __future__ import annotations

from mmbench.claims._common import LARGE_PCT, claim, numbers
from mmbench.claims.claim import Place, Table
from mmbench.conditions import constant, printed
from mmbench.forms import POOLED, Above, All, AtMost, Chain

STUDY = "clip2021"
CLIP = "clip_vitl14_336"
TABLE_1 = Table(
    "Table 1",
    Place(STUDY, "3.1", "Table 1"),
    numbers(
        {
            ("visual_ngrams", "ayahoo"): 72.4,
            ("visual_ngrams", "imagenet1k"): 11.5,
            ("visual_ngrams", "sun"): 23.0,
            (CLIP, "ayahoo"): 98.4,
            (CLIP, "imagenet1k"): 76.2,
            (CLIP, "sun"): 58.5,
        }
    ),
    note="zero-shot accuracy in percent, no spread",
    unit="%",
)
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
FILTER = Table(
    "photos of YFCC100M",
    Place(STUDY, "2.1"),
    numbers({("photos", "all"): 100e6, ("photos", "kept"): 15e6, ("photos", "factor"): 6}, exact=True),
)
_egregious, _identified = "egregious classes, age 0-20", "identified"

claim(
    "clip2021-vs-visual-ngrams",
    "Zero-shot CLIP is far above Visual N-Grams on aYahoo, ImageNet and SUN.",
    "3.1",
    "Table 1",
    expect=All(
        tuple(
            Above(printed(CLIP, dataset), printed("visual_ngrams", dataset), by=LARGE_PCT, each=POOLED)
            for dataset in ("ayahoo", "imagenet1k", "sun")
        )
    ),
    published=(TABLE_1,),
    leaves_open="how much is due to other data, compute and architecture, as the paper says itself",
    ours="far: by more than 5 points",
)
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
_all, _kept = printed("photos", "all"), printed("photos", "kept")
claim(
    "clip2021-yfcc-filter",
    "Keeping only photos with English titles or descriptions reduces 100M photos to 15M, by a factor of 6.",
    "2.1",
    expect=All(
        (
            AtMost(_all, _kept * 6.5, slack=0.5e6 * 6.5, each=POOLED),
            AtMost(_kept * 5.5, _all, slack=0.5e6 * 5.5, each=POOLED),
        )
    ),
    published=(FILTER,),
    ours="a factor between 5.5 and 6.5 for some count that is printed as 15M, which is 14.5M to 15.5M",
)
