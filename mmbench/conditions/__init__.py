"""What forms are made of: quantities over cells, and the conditions that they must meet.

Every form becomes a tree of conditions. A leaf is one comparison with a margin: ``Margin`` (a weighted sum of cells is
positive), ``Correlation`` and ``MeanCorrelation`` (held against a threshold), ``Curved`` (any smooth function of
quantities, held against a threshold), ``RankLead`` (one mean rank is better than another). An inner node (``Quorum``)
asks for at least n of its parts: all of them is a conjunction, one a disjunction. A maximum or minimum of quantities
needs no leaf of its own: ``max(a, b) > c`` is ``a > c or b > c``.

A new kind of leaf is one class that fills in the methods of ``leaves.Leaf``.
"""

from mmbench.conditions.curved import Curved
from mmbench.conditions.leaves import Coefficient, Correlation, Leaf, Margin, MeanCorrelation
from mmbench.conditions.nodes import Node, Quorum, all_of, any_of, cells_of, measured_cells_of, positive, with_cells
from mmbench.conditions.quantities import (
    DUST,
    Change,
    Extreme,
    Linear,
    Term,
    cell,
    chance,
    constant,
    largest,
    mean,
    printed,
    smallest,
)
from mmbench.conditions.ranked import RankLead

__all__ = [
    "DUST",
    "Change",
    "Coefficient",
    "Correlation",
    "Curved",
    "Extreme",
    "Leaf",
    "Linear",
    "Margin",
    "MeanCorrelation",
    "Node",
    "Quorum",
    "RankLead",
    "Term",
    "all_of",
    "any_of",
    "cell",
    "cells_of",
    "chance",
    "constant",
    "largest",
    "mean",
    "measured_cells_of",
    "positive",
    "printed",
    "smallest",
    "with_cells",
]
