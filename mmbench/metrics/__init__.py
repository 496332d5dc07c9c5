"""Metrics: predictions and labels in, one outcome per example out. One module a family; ``METRICS`` finds them all."""

from mmbench.metrics.entry import METRICS, USUAL, Metric, Outcomes
from mmbench.metrics.jackknife import Jackknifed, jackknifed, of_sums, ratio_of_sums

__all__ = [
    "METRICS",
    "USUAL",
    "Jackknifed",
    "Metric",
    "Outcomes",
    "jackknifed",
    "of_sums",
    "ratio_of_sums",
]
