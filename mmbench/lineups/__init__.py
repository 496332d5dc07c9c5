"""Lineups bind the roles of claims: ``embedded`` (offline), ``paper`` (the public checkpoints), or your own."""

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
