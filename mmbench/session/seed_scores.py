"""Measure what seeds of a recipe score: the table of ``mmbench.lineups.seed_table``.

Which cells: every place (protocol, dataset, other models) that some claim asks of a network of a recipe, under the
paper's reading, played by each seed in turn. (The code's reading may prepare the inputs of a role by its name, which no
seed has.) What a network cannot play is left out with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mmbench.bench.bench import Bench
from mmbench.claims import CLAIMS
from mmbench.conditions import measured_cells_of
from mmbench.errors import BadSpec, MMBenchError
from mmbench.lineups import Lineup
from mmbench.lineups.seed_table import SCHEMA, Data, Place, Seed, SeedRow, SeedTable, digest_of, place_of, rounded
from mmbench.protocol import Cell, Roles
from mmbench.scores import Scores, joint

Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """One place with the cell that first asked for it, and the role in it whose seeds vary."""

    place: Place
    cell: Cell
    role: str

    def played_by(self, role: str) -> Cell:
        """The cell with another seed in the role."""
        models = Roles(*(role if each == self.role else each for each in self.cell.models))
        return Cell(self.cell.protocol, models, self.cell.dataset)


def seeds_of(lineup: Lineup) -> list[tuple[str, str]]:
    """Role and recipe of the networks whose recipe has at least two of them, recipe by recipe; each network once.

    Raises BadSpec where no recipe of the lineup has two networks.
    """
    by_recipe: dict[str, dict[str, str]] = {}
    for role, binding in lineup.models.items():
        if binding.recipe:
            by_recipe.setdefault(binding.recipe, {}).setdefault(binding.spec, role)
    found = [(role, name) for name, roles in by_recipe.items() if len(roles) > 1 for role in roles.values()]
    if not found:
        raise BadSpec(
            f'lineup {lineup.name!r} has no recipe with two networks; give the roles of one recipe recipe = "NAME" in '
            "their [models.ROLE]"
        )
    return found


def asked_places(lineup: Lineup) -> list[Asked]:
    """What claims ask of a network alone, or beside models without a recipe."""
    found: dict[Place, Asked] = {}
    for cell in _cells():
        if cell.protocol.printed_only or cell.dataset not in lineup.datasets:
            continue
        if not all(role in lineup.models for role in cell.models):
            continue
        ours = [role for role in cell.models if lineup.models[role].recipe]
        if len(ours) == 1 and lineup.model(ours[0]).entry.modality == "image":
            place = place_of(cell, ours[0])
            found.setdefault(place, Asked(place, cell, ours[0]))
    return list(found.values())


def _cells() -> Iterator[Cell]:
    for claim in CLAIMS:
        if claim.made_up or claim.waits_for:
            continue
        node = claim.condition("measured", "paper")
        if node is not None:
            yield from measured_cells_of(node)


def measure(bench: Bench, command: str, say: Say = print, *, joined: bool = False) -> SeedTable:
    """Measure the table of the bench's lineup; what is in the store already is read back, so a stopped run resumes.

    ``joined`` also measures places where other models stand beside the network, which takes longer.
    Raises BadSpec where no recipe has two networks, or nothing can be measured; and the error of what broke.
    """
    lineup = bench.lineup
    seeds = seeds_of(lineup)
    asked = [each for each in asked_places(lineup) if joined or not each.place.others]
    place = {role: number for number, role in enumerate(lineup.datasets)}
    by_dataset = sorted(asked, key=lambda each: (len(each.place.others), place[each.cell.dataset]))  # slow ones last
    bench.plan(each.played_by(role) for role, _ in seeds for each in by_dataset)
    found: list[tuple[Asked, list[Scores]]] = []
    for number, each in enumerate(by_dataset, start=1):
        try:
            scores = [bench.scores(each.played_by(role)) for role, _ in seeds]
        except MMBenchError as error:
            say(f"{number}/{len(by_dataset)} left out {each.cell}: {error}")
            continue
        found.append((each, scores))
        means = ", ".join(f"{score.mean:.4g}" for score in scores)
        say(f"{number}/{len(by_dataset)} {each.cell.protocol.name} on {each.cell.dataset}: {means}")
    if not found:
        raise BadSpec(f"nothing of what claims ask can be measured on lineup {lineup.name!r}; its lines above say why")
    datasets = dict.fromkeys(each.cell.dataset for each, _ in found)
    return SeedTable(
        schema=SCHEMA,
        lineup=lineup.name,
        command=command,
        networks=tuple(_seed(lineup, role, recipe) for role, recipe in seeds),
        datasets=tuple(_data(lineup, role) for role in datasets),
        rows=tuple(_rows(found, [recipe for _, recipe in seeds])),
    )


def _seed(lineup: Lineup, role: str, recipe: str) -> Seed:
    binding = lineup.model(role)
    return Seed(role=role, recipe=recipe, spec=binding.spec, digest=digest_of(binding) or "unknown")


def _data(lineup: Lineup, role: str) -> Data:
    binding = lineup.dataset(role)
    return Data(role=role, spec=binding.spec, digest=digest_of(binding) or "unknown")


def _rows(found: list[tuple[Asked, list[Scores]]], recipes: list[str]) -> Iterator[SeedRow]:
    covariance = difference_covariance([scores for _, scores in found], recipes)
    for number, (each, scores) in enumerate(found):
        protocol = each.cell.protocol
        shared = {n: rounded(float(covariance[number, n])) for n in range(number) if covariance[number, n]}
        yield SeedRow(
            protocol=protocol.name,
            fingerprint=protocol.fingerprint(),
            reading=protocol.reading,
            probe=protocol.probe,
            metric=scores[0].metric,
            dataset=each.cell.dataset,
            others=each.place.others,
            scores=tuple(rounded(score.mean, 7) for score in scores),
            sampling=rounded(float(covariance[number, number])),
            covariance=shared,
        )


def difference_covariance(scores: list[list[Scores]], recipes: list[str]) -> np.ndarray:
    """Covariance through examples and draws of a difference of two seeds, ``[places, places]``.

    Mean over all pairs of seeds of a recipe, from the crossed components; ``scores`` are by place and network.
    """
    places, networks = len(scores), len(recipes)
    whole = joint([score for row in scores for score in row]).covariance
    whole = whole.reshape(places, networks, places, networks)
    pairs = [(a, b) for a in range(networks) for b in range(a) if recipes[a] == recipes[b]]
    out = np.zeros((places, places))
    for a, b in pairs:
        out += whole[:, a, :, a] + whole[:, b, :, b] - whole[:, a, :, b] - whole[:, b, :, a]
    return out / len(pairs)
