"""Which probes the registered claims ask of which models and datasets, gathered once for many questions."""

from __future__ import annotations

from mmbench.claims import CLAIMS
from mmbench.claims.families import cells_asked
from mmbench.lineups.roles import untrained_models
from mmbench.protocol import Roles


class Asked:
    """What the measured cells of every claim that is registered now ask for, under the paper's reading.

    A claim that waits for something names its models and asks for no cell: nothing could be judged with it.
    """

    def __init__(self) -> None:
        self.claims = len(CLAIMS)
        self._probes: dict[str, dict[Roles, set[str]]] = {}
        models: set[Roles] = set()
        for claim in CLAIMS:
            for cell in cells_asked(claim, "measured"):
                models.add(cell.models)
                if not claim.waits_for:
                    self._probes.setdefault(cell.dataset, {}).setdefault(cell.models, set()).add(cell.protocol.probe)
        named = frozenset(roles for each in models for roles in (each, *map(Roles, each)))
        self.named: frozenset[Roles] = named - {Roles(role) for role in untrained_models()}
        """All models, alone or joined, and every single role that some claim names, except the untrained networks."""

    def probes(self, dataset: str, models: Roles) -> set[str]:
        """What is asked of the dataset: by claims that name the models, or by any claim where none names them."""
        asked = self._probes.get(dataset, {})
        if models in self.named:
            return asked.get(models, set())
        return {probe for probes in asked.values() for probe in probes}
