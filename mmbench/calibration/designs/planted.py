"""Evidence from models whose truth is set: every form at its edge, curved leaves, ratios of sums, and wrong methods."""

from __future__ import annotations

import functools

from mmbench.calibration import simulation, statistic_simulation
from mmbench.calibration.design import DESIGNS, Design

SLOW = {"Pearson": 300, "Mean of correlations": 300, "Spearman": 200}  # runs, by how the name begins

for _null in simulation.nulls():
    DESIGNS.add(
        Design(
            _null.name,
            "planted",
            functools.partial(simulation.ask, _null),
            next((runs for start, runs in SLOW.items() if _null.name.startswith(start)), 1000),
        )
    )
for _name, _null in simulation.powers():
    _runs = 100 if _name.startswith(("pearson", "spearman")) else 400
    DESIGNS.add(Design(_name, "power", functools.partial(simulation.ask, _null), _runs))
for _null in statistic_simulation.curves():
    DESIGNS.add(Design(_null.name, "planted", functools.partial(simulation.ask, _null), 1000))
for _statistic in statistic_simulation.designs():
    DESIGNS.add(Design(_statistic.name, "planted", functools.partial(statistic_simulation.simulate, _statistic), 1000))
