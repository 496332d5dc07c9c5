"""What measured networks stand for: themselves, or the training recipes that made them.

A network of a recipe that can be repeated is one draw of its seeds. How far seeds differ is measured once for a lineup
(``mmbench.lineups.seed_table``) and added to the variance of every contrast as a further random level, network by
network (``stats.levels``), pooled over the recipes of the table: with three networks of each of three recipes, six
degrees of freedom. It is not added

- for a published checkpoint, an untrained network, or a checkpoint of the user's: those stand for themselves;
- for a claim that itself names several networks of one recipe: its sentence is about these networks;
- for text encoders: the seeds in a table are image encoders';
- for a recipe of another lineup than the table's that the table does not hold: the spread of one author's trainings
  says little about another's.

A cell under the reading of the authors' code has the row of the paper's reading. One that is not in the table (another
layer, another dataset, a second model beside the network) takes the mean variance of its probe and metric, and with
other cells of its network, probe and metric the mean covariance of such rows: of one dataset, or of two where the
dataset or the layer is another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmbench import lineups, stats
from mmbench.lineups import Lineup, ModelBinding
from mmbench.lineups.reader import table_beside
from mmbench.lineups.seed_table import SeedTable, read_seeds
from mmbench.protocol import Cell
from mmbench.words import listed

THESE = "these networks"
PUBLISHED = "published checkpoints"
SHIPPED = Path(lineups.__file__).parent


@dataclass(frozen=True)
class Network:
    """Who plays a role; one network may play several. ``recipe`` is empty where its seeds are in no table."""

    name: str
    recipe: str = ""
    published: bool = False


@dataclass(frozen=True)
class Meaning:
    """What the cells of a claim are about, in ``words``, with the level that this adds and what is to be noted."""

    level: stats.Level | None = None
    words: str = THESE
    note: str = ""


@dataclass(frozen=True)
class Networks:
    """The networks of a lineup by role, and what is known of their recipes' seeds.

    ``datasets`` are the roles on which the table's rows hold; ``refused`` says why a table is not used.
    """

    by_role: Mapping[str, Network]
    table: SeedTable | None = field(default=None, repr=False)
    datasets: frozenset[str] = frozenset()
    refused: str = ""

    @classmethod
    def of(cls, lineup: Lineup) -> Networks:
        """Who plays the lineup's roles. Raises BadSpec for a table of seed scores that cannot be read."""
        table = None if lineup.seeds is None else read_seeds(lineup.seeds)
        by_role = {role: _network(binding, lineup, table) for role, binding in lineup.models.items()}
        if lineup.seeds is None or table is None:
            return cls(by_role)
        misfits = table.misfits(lineup)
        if misfits:
            again = f"measure it anew: mmbench seeds {lineup.name}"
            return cls(by_role, refused=f"{lineup.seeds.name} is not used, since {misfits[0]}; {again}")
        known = {role for role, binding in lineup.datasets.items() if table.knows_dataset(binding)}
        return cls(by_role, table, frozenset(known))

    def about(self, cells: Mapping[Cell, str]) -> Meaning:
        """What a claim on these cells is about, given the metric of each; the level's rows are in their order."""
        networks = {role: self._of(role) for cell in cells for role in cell.models}
        others = [n for n in networks.values() if not n.recipe]
        ours = [n for n in networks.values() if n.recipe]
        aside = ([THESE] if any(not n.published for n in others) else []) + (
            [PUBLISHED] if any(n.published for n in others) else []
        )
        if not ours:
            return Meaning(words=_joined(aside))
        if self.table is None or _several(ours):
            return Meaning(words=_joined([THESE, *aside]), note="" if self.table else self.refused)
        return self._with_seeds(self.table, cells, aside)

    def seed_sd(self, cell: Cell, metric: str) -> float | None:
        """The standard deviation between seeds of a recipe on the cell, in the metric's unit; None where none made it.

        Of the cell's row in the table and the mean of its probe and metric (``SeedTable.seed_sd``).
        """
        ours = [role for role in cell.models if self._of(role).recipe]
        if self.table is None or not ours:
            return None
        known = cell.dataset in self.datasets
        rows = (self.table.row_of(cell, role) for role in ours) if known else ()
        return self.table.seed_sd(next((row for row in rows if row is not None), None), cell.protocol.probe, metric)

    def _of(self, role: str) -> Network:
        return self.by_role.get(role, Network(role))

    def _with_seeds(self, table: SeedTable, cells: Mapping[Cell, str], aside: list[str]) -> Meaning:
        rows, pooled, unknown = self._rows(table, cells)
        total, sampling = (np.zeros((len(cells), len(cells))) for _ in range(2))
        for network in {name for name, _ in rows.values()}:
            own = {number: row for number, (name, row) in rows.items() if name == network}
            here, there = np.ix_(list(own), list(own)), np.ix_(list(own.values()), list(own.values()))
            total[here], sampling[here] = table.total[there], table.sampling[there]
        named = list(cells)
        played = {number: name for number, (name, _) in (rows | pooled).items()}
        for number, (name, key) in pooled.items():
            total[number, number], sampling[number, number] = table.by_probe[key]
            for other, cell in enumerate(named):
                alike = played.get(other) == name and (cell.protocol.probe, cells[cell]) == key
                if other != number and alike:
                    at = [number, other], [other, number]
                    pair = (*key, _place(cell) == _place(named[number]))
                    total[at], sampling[at] = table.by_pair.get(pair, (0.0, 0.0))
        notes = []
        if pooled:
            notes.append(
                f"{len(pooled)} of {len(cells)} cells are not in the table of seed scores: the mean variance of their "
                "probe and metric stands in"
            )
        if unknown:
            notes.append(f"how seeds vary is not known for {listed(unknown)}: there it is about these networks")
        known = bool(rows or pooled)
        words = [f"the training recipes (seeds of {len(table.networks)} networks)"] if known else []
        words += [THESE] if unknown else []
        level = stats.Level(total, sampling, float(table.df)) if known else None
        return Meaning(level, _joined([*words, *aside]), "; ".join(notes))

    def _rows(
        self, table: SeedTable, cells: Mapping[Cell, str]
    ) -> tuple[dict[int, tuple[str, int]], dict[int, tuple[str, tuple[str, str]]], list[str]]:
        """By cell number: its network and row of the table, or its network, probe and metric; and what is not known."""
        rows: dict[int, tuple[str, int]] = {}
        pooled: dict[int, tuple[str, tuple[str, str]]] = {}
        unknown: dict[str, None] = {}
        for number, (cell, metric) in enumerate(cells.items()):
            ours = [role for role in cell.models if self._of(role).recipe]
            places = {role: table.row_of(cell, role) for role in ours if cell.dataset in self.datasets}
            found = next(((role, row) for role, row in places.items() if row is not None), None)
            if found is not None:
                rows[number] = (self._of(found[0]).name, found[1])
            elif ours:
                key = (cell.protocol.probe, metric)
                if key not in table.by_probe:
                    unknown[cell.protocol.probe] = None
                else:
                    pooled[number] = (self._of(ours[0]).name, key)
        return rows, pooled, list(unknown)


def _network(binding: ModelBinding, lineup: Lineup, table: SeedTable | None) -> Network:
    if binding.recipe and binding.entry.modality == "image":
        here = table is not None and (binding.recipe in table.recipes or table_beside(binding.where) == lineup.seeds)
        return Network(binding.entry.name, binding.recipe if here else "")
    shipped = Path(binding.where).parent == SHIPPED  # what comes with mmbench, and none of its recipes made
    return Network(binding.spec, published=shipped and not binding.recipe and binding.kind != "untrained")


def _several(networks: Sequence[Network]) -> bool:
    """Whether two different networks of one recipe are among them."""
    names: dict[str, set[str]] = {}
    for network in networks:
        names.setdefault(network.recipe, set()).add(network.name)
    return any(len(found) > 1 for found in names.values())


def _place(cell: Cell) -> tuple[str, object]:
    """Where the network is read: on one dataset, at one layer, its scores move nearly as one."""
    return cell.dataset, cell.protocol.layer


def _joined(words: Sequence[str]) -> str:
    *first, last = dict.fromkeys(words) or (THESE,)
    return f"{', '.join(first)} and {last}" if first else last
