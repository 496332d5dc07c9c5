"""The table of seed scores of a lineup: what networks of one recipe score that differ in their seed alone.

``mmbench seeds LINEUP`` measures it and writes ``LINEUP.seeds.json`` beside the lineup's file. A row is one cell
without its network: a protocol, a dataset, and the other models of the cell if it has several. It holds the mean score
of every network. Scores of two seeds also differ because test examples and draws are a sample; ``sampling`` says by how
much, as the crossed components of the same outcomes have it (``stats.crossed``), so that the two can be told apart.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmbench.errors import BadSpec

if TYPE_CHECKING:
    from mmbench.lineups.reader import DatasetBinding, Lineup, ModelBinding
    from mmbench.protocol import Cell

Array = NDArray[np.float64]
SCHEMA = 1


class Place(NamedTuple):
    """A cell without its network: the protocol's fingerprint, the dataset's role, and the other models of the cell."""

    fingerprint: str
    dataset: str
    others: tuple[str, ...] = ()


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Seed(_Part):
    """A network of a recipe, by its role, and the digest of its weights."""

    role: str
    recipe: str
    spec: str
    digest: str


class Data(_Part):
    """A dataset by its role, and the digest of its content."""

    role: str
    spec: str
    digest: str


class SeedRow(_Part):
    """Mean scores of every network at one place, in the order of ``SeedTable.networks``, in the metric's printed unit.

    ``sampling`` is the variance of a difference of two seeds that examples and draws alone explain; ``covariance`` its
    covariances with the rows before this one that have the same examples, by the row's number.
    """

    protocol: str
    fingerprint: str
    reading: str
    probe: str
    metric: str
    dataset: str
    others: tuple[str, ...] = ()
    scores: tuple[float, ...]
    sampling: float = Field(ge=0)
    covariance: dict[int, float] = Field(default_factory=dict)

    @property
    def place(self) -> Place:
        return Place(self.fingerprint, self.dataset, self.others)

    @property
    def spot(self) -> tuple[str, str]:
        """The dataset and the layer (in the protocol's name; empty for the output) that are probed."""
        return self.dataset, self.protocol.partition("@")[2]

    def __str__(self) -> str:
        beside = "".join(f"+{role}" for role in self.others)
        reading = "" if self.reading == "paper" else f" ({self.reading})"
        return f"{self.protocol}[{beside or '*'}, {self.dataset}]{reading}"


class SeedTable(_Part):
    """Scores of networks that differ in their seed: see the module."""

    schema_version: int = Field(default=SCHEMA, alias="schema")
    lineup: str
    command: str = ""
    networks: tuple[Seed, ...]
    datasets: tuple[Data, ...]
    rows: tuple[SeedRow, ...]

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, ignored_types=(functools.cached_property,)
    )

    @functools.cached_property
    def recipes(self) -> dict[str, list[int]]:
        """Which of the networks belong to each recipe."""
        found: dict[str, list[int]] = {}
        for number, network in enumerate(self.networks):
            found.setdefault(network.recipe, []).append(number)
        return found

    @property
    def df(self) -> int:
        """Degrees of freedom of a variance between seeds: networks less recipes."""
        return len(self.networks) - len(self.recipes)

    @functools.cached_property
    def at(self) -> dict[Place, int]:
        """The row of each place."""
        return {row.place: number for number, row in enumerate(self.rows)}

    def row_at(self, place: Place, protocol: str = "") -> int | None:
        """The row at a place; else that of the ``protocol`` by name, for the reading of the authors' code."""
        return self.at.get(place, self._by_name.get((protocol, place.dataset, place.others)))

    @functools.cached_property
    def _by_name(self) -> dict[tuple[str, str, tuple[str, ...]], int]:
        return {(row.protocol, row.dataset, row.others): number for number, row in enumerate(self.rows)}

    def row_of(self, cell: Cell, network: str) -> int | None:
        """The row of a cell if ``network`` is the role whose seeds vary; None where it is not in the table."""
        others = tuple(role for role in cell.models if role != network)
        name = cell.protocol.name if cell.protocol.reading == "code" else ""
        return self.row_at(Place(cell.protocol.fingerprint(), cell.dataset, others), name)

    @functools.cached_property
    def deviations(self) -> Array:
        """Scores less the mean of their recipe, ``[networks, rows]``, in printed units."""
        scores = np.array([row.scores for row in self.rows], dtype=np.float64).T
        out = np.empty_like(scores)
        for members in self.recipes.values():
            out[members] = scores[members] - scores[members].mean(axis=0)
        return out

    @functools.cached_property
    def sampling(self) -> Array:
        """What examples and draws alone explain of the covariance between seeds, ``[rows, rows]``.

        Half of the covariance of a difference of two seeds: that of one network against its recipe.
        """
        out = np.diag([row.sampling for row in self.rows])
        for number, row in enumerate(self.rows):
            for other, value in row.covariance.items():
                out[number, other] = out[other, number] = value
        return out / 2

    @functools.cached_property
    def total(self) -> Array:
        """Covariance of a network's scores between seeds, sampling included, pooled over recipes; ``[rows, rows]``."""
        return self.deviations.T @ self.deviations / self.df

    @functools.cached_property
    def by_probe(self) -> dict[tuple[str, str], tuple[float, float]]:
        """The mean of ``total`` and of ``sampling`` on the diagonal, over the rows of each probe and metric."""
        rows: dict[tuple[str, str], list[int]] = {}
        for number, row in enumerate(self.rows):
            rows.setdefault((row.probe, row.metric), []).append(number)
        both = np.diag(self.total), np.diag(self.sampling)
        return {key: (float(both[0][at].mean()), float(both[1][at].mean())) for key, at in rows.items()}

    @functools.cached_property
    def by_pair(self) -> dict[tuple[str, str, bool], tuple[float, float]]:
        """The mean of ``total`` and of ``sampling`` over pairs of rows of each probe and metric; True: of one spot.

        Scores of one network move together: nearly as one between shots on a dataset, less between datasets or layers.
        """
        pairs: dict[tuple[str, str, bool], list[tuple[int, int]]] = {}
        for number, row in enumerate(self.rows):
            for before, other in enumerate(self.rows[:number]):
                if (row.probe, row.metric) == (other.probe, other.metric):
                    pairs.setdefault((row.probe, row.metric, row.spot == other.spot), []).append((number, before))
        at = {key: tuple(np.array(found).T) for key, found in pairs.items()}
        return {key: (float(self.total[i].mean()), float(self.sampling[i].mean())) for key, i in at.items()}

    def only(self, recipes: list[str]) -> SeedTable:
        """The table of some of the recipes."""
        kept = [number for name in recipes for number in self.recipes[name]]
        rows = tuple(row.model_copy(update={"scores": tuple(row.scores[n] for n in kept)}) for row in self.rows)
        networks = tuple(self.networks[n] for n in kept)
        # made anew: a copy would keep what was computed of all recipes
        return SeedTable(
            schema=SCHEMA,
            lineup=self.lineup,
            command=self.command,
            networks=networks,
            datasets=self.datasets,
            rows=rows,
        )

    def seed_sd(self, row: int | None, probe: str, metric: str) -> float | None:
        """The standard deviation between seeds beyond sampling, of a row, or of the mean row of a probe and metric.

        In the metric's unit; None where there is no row, and none of the probe and metric.
        """
        if row is not None:
            total, sampling = float(self.total[row, row]), float(self.sampling[row, row])
        elif (probe, metric) in self.by_probe:
            total, sampling = self.by_probe[probe, metric]
        else:
            return None
        return rounded(math.sqrt(max(total - sampling, 0.0)), 3)

    def misfits(self, lineup: Lineup) -> list[str]:
        """What of the lineup is no longer what the table was measured on, in words; empty where the table fits.

        A role that is bound to another specification is no misfit: its network is just not in the table.
        """
        return [*self._misfits(self.networks, lineup, "network"), *self._misfits(self.datasets, lineup, "dataset")]

    def _misfits(self, parts: tuple[Seed, ...] | tuple[Data, ...], lineup: Lineup, kind: str) -> Iterator[str]:
        for part in parts:
            binding = (lineup.models if kind == "network" else lineup.datasets).get(part.role)
            if binding is None or binding.spec != part.spec:
                continue
            now = digest_of(binding)
            if now != part.digest:
                yield f"{kind} {part.role} ({part.spec}) had the digest {part.digest[:12]} and has {str(now)[:12]}"

    def knows_dataset(self, binding: DatasetBinding) -> bool:
        """Whether the rows of this role were measured on the dataset that plays it now."""
        return any((data.role, data.spec) == (binding.role, binding.spec) for data in self.datasets)


def digest_of(binding: ModelBinding | DatasetBinding) -> str | None:
    """The digest of a network's weights or of a dataset's content; None where it is unknown."""
    found = binding.entry.identity()
    return found if isinstance(found, str) else found.weights


def place_of(cell: Cell, network: str) -> Place:
    """Where a cell stands in a table if ``network`` is the role whose seeds vary."""
    return Place(cell.protocol.fingerprint(), cell.dataset, tuple(role for role in cell.models if role != network))


def read_seeds(path: Path) -> SeedTable:
    """The table in a file. Raises BadSpec, naming the file and the first mistake, for one that cannot be used."""
    again = "measure it anew: mmbench seeds LINEUP"
    try:
        table = SeedTable.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadSpec(f"{path} is no table of seed scores that can be read: {error}; {again}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadSpec(f"{path}: {where}: {first['msg']}, not {first['input']!r:.60}; {again}") from None
    for fault in faults(table):
        raise BadSpec(f"{path}: {fault}; {again}")
    return table


def faults(table: SeedTable) -> Iterator[str]:
    """What makes a table useless, in words."""
    if table.schema_version != SCHEMA:
        yield f"expected schema {SCHEMA}, found {table.schema_version}"
        return
    few = [name for name, members in table.recipes.items() if len(members) < 2]
    if few or not table.networks:
        yield f"expected at least two networks of each recipe, found one of {', '.join(few) or 'none'}"
    for number, row in enumerate(table.rows):
        if len(row.scores) != len(table.networks):
            yield f"{row} has {len(row.scores)} scores, expected one for each of {len(table.networks)} networks"
        if any(not 0 <= other < number for other in row.covariance):
            yield f"{row} has covariances with rows that do not stand before it"
    if len(table.at) < len(table.rows):
        yield "two rows stand for the same protocol, dataset and models"


def text_of(table: SeedTable) -> str:
    """The table as it is written: JSON with a line for each row."""
    head = table.model_dump(by_alias=True, mode="json", exclude={"networks", "datasets", "rows"})
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    for name in ("networks", "datasets", "rows"):
        parts = [json.dumps(_plain(part)) for part in getattr(table, name)]
        lines += [f' "{name}": [', *(f"  {part}{',' if part != parts[-1] else ''}" for part in parts), " ],"]
    lines[-1] = lines[-1].rstrip(",")
    return "\n".join(["{", *lines, "}"]) + "\n"


def _plain(part: BaseModel) -> dict[str, object]:
    return part.model_dump(mode="json", exclude_defaults=True)


def rounded(value: float, digits: int = 5) -> float:
    """The value to so many significant digits, which is more than seeds repeat."""
    return value if value == 0 or not math.isfinite(value) else float(f"{value:.{digits}g}")
