"""Bielawski 2022 (PhD thesis, Toulouse), chapter 5: encoders of images and texts on human-centric tasks."""

from mmbench.claims.bielawski2022 import (
    across,
    covers,
    few_shot,
    mvsa,
    painted_over,
    parts,
    posters,
    reprinted,
    robustness,
    summed_up,
    untested,
)

__all__ = [
    "across",
    "covers",
    "few_shot",
    "mvsa",
    "painted_over",
    "parts",
    "posters",
    "reprinted",
    "robustness",
    "summed_up",
    "untested",
]
