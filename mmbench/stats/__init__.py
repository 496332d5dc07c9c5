"""Uncertainty of means and correlations, and several tests at once: numbers in, numbers out."""

from mmbench.stats.means import (
    LEVEL,
    Array,
    Contrasts,
    Estimate,
    Joint,
    Needed,
    crossed,
    crossed_mean,
    needed,
    printed,
)
from mmbench.stats.multiplicity import holm, quorum_p

__all__ = [
    "LEVEL",
    "Array",
    "Contrasts",
    "Estimate",
    "Joint",
    "Needed",
    "crossed",
    "crossed_mean",
    "holm",
    "needed",
    "printed",
    "quorum_p",
]
