"""Uncertainty of means and correlations, and several tests at once: numbers in, numbers out."""

from mmbench.stats.crossed import Range, Residuals, Sample, crossed, crossed_mean
from mmbench.stats.estimates import LEVEL, Array, Contrasts, Estimate
from mmbench.stats.joint import Joint, printed
from mmbench.stats.levels import Level
from mmbench.stats.multiplicity import holm, quorum_p
from mmbench.stats.needed import Needed, needed

__all__ = [
    "LEVEL",
    "Array",
    "Contrasts",
    "Estimate",
    "Joint",
    "Level",
    "Needed",
    "Range",
    "Residuals",
    "Sample",
    "crossed",
    "crossed_mean",
    "holm",
    "needed",
    "printed",
    "quorum_p",
]
