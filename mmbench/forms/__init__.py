"""The relations a claim can assert. Each compiles to a condition over cells and has a wording.

An operand is a quantity (``mmbench.conditions``) or a name: a role, several roles taken together, or a group of roles.
A name stands for its mean over the claim's datasets, one protocol at a time; ``each`` names the axes that are judged
one by one instead of averaged. A group is averaged over its members; ``Top`` and ``Bottom`` take its best and its worst
member instead. ``On`` and ``Each`` narrow what a part is asked of. ``BestRank`` averages ranks over datasets, for
scores whose units cannot be averaged. ``JoinedBelow`` and ``Clusters`` speak of a dendrogram of models.

``Best``, ``BestRank``, ``Better``, ``Top`` and ``Bottom`` follow the metric's direction. ``Above``, ``AtMost``,
``AtLeast``, ``Chain`` and ``Ratio`` compare numbers, whichever direction is better.
"""

from mmbench.forms.comparing import Above, AtLeast, AtMost, Best, Better, Chain, OnPar, Ratio
from mmbench.forms.dendrogram import Clusters, JoinedBelow
from mmbench.forms.joining import All, Any, Each, Not, On, Wins
from mmbench.forms.ranking import BestRank
from mmbench.forms.scope import BY_BOTH, BY_PROTOCOL, POOLED, Axis, Bottom, Form, Operand, Scope, Top
from mmbench.forms.statistics import Correlates, Curve, MeanCorrelates, Trend

__all__ = [
    "BY_BOTH",
    "BY_PROTOCOL",
    "POOLED",
    "Above",
    "All",
    "Any",
    "AtLeast",
    "AtMost",
    "Axis",
    "Best",
    "BestRank",
    "Better",
    "Bottom",
    "Chain",
    "Clusters",
    "Correlates",
    "Curve",
    "Each",
    "Form",
    "JoinedBelow",
    "MeanCorrelates",
    "Not",
    "On",
    "OnPar",
    "Operand",
    "Ratio",
    "Scope",
    "Top",
    "Trend",
    "Wins",
]
