"""Who plays each role of a claim: ``embedded`` (anywhere, offline), ``paper`` (the public checkpoints), one's own."""

from mmbench.lineups.describe import describe
from mmbench.lineups.reader import Binding, DatasetBinding, Lineup, ModelBinding, lineup_names, load_lineup
from mmbench.lineups.roles import DATASET_ROLES, MODEL_ROLES

__all__ = [
    "DATASET_ROLES",
    "MODEL_ROLES",
    "Binding",
    "DatasetBinding",
    "Lineup",
    "ModelBinding",
    "describe",
    "lineup_names",
    "load_lineup",
]
