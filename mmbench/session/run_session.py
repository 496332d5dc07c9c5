"""What one pytest run asks of its lineup and bench: which cells it can measure, their scores, its verdicts."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.claims import CLAIMS, Claim, EvidenceKind
from mmbench.claims.families import cells_asked
from mmbench.errors import MissingAsset, MissingExtra, MMBenchError, NoGradients, NotFinite, UnknownLayer, Unmeasured
from mmbench.lineups.more_seeds import first_seed, further_trainings, with_more_seeds
from mmbench.probes.entry import PROBES
from mmbench.protocol import Cell, Protocol, Roles
from mmbench.records.expected import Key, Known, read_expected, standing
from mmbench.session.asked import Asked
from mmbench.session.judged import Judged
from mmbench.source import takes_so_many

if TYPE_CHECKING:
    from mmbench.bench.bench import Bench
    from mmbench.datasets.entry import DatasetEntry
    from mmbench.lineups import Lineup
    from mmbench.scores import Scores
    from mmbench.verdict import Measured, Networks, Readings, Verdict


# what the lineup lacks, and not a fault of the run: a file, an extra, a layer or gradients that its model does not have
LACKING = (MissingAsset, MissingExtra, UnknownLayer, NoGradients)
MOST_ROUNDS = 5  # rounds of a timed probe, fewer where a round is slow
TIMING_BUDGET = 0.1  # seconds of timing rounds for one cell; a slower probe is timed in test_timings.py alone


@dataclass
class RunSession:
    """The lineup, its bench and the known outcomes of one run. Opened late: published evidence needs no bench."""

    options: dict[str, Any]
    expected: Path
    used: dict[Cell, Scores] = field(default_factory=dict)
    lost: dict[Cell, str] = field(default_factory=dict)
    broken: set[Cell] = field(default_factory=set)
    _bench: Bench | None = None
    _known: dict[str, dict[Key, Known]] = field(default_factory=dict)
    _lacks: dict[str, str] = field(default_factory=dict)
    _claims_ask: Asked | None = None
    _sent_cells: set[Cell] = field(default_factory=set)
    _sent_costs: int = 0
    _sent_twice: int = 0
    _started: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))

    @classmethod
    def open(cls, *, expected: Path, **options: Any) -> RunSession:
        return cls(options, expected)

    @property
    def bench(self) -> Bench:
        """Opened on first use; raises BadSpec or UnknownName for a lineup, role or spec that cannot be read."""
        if self._bench is None:
            from mmbench.bench.bench import Bench

            self._bench = Bench.open(progress=False, **self.options)
        return self._bench

    def close(self) -> None:
        """Begin nothing more in the background."""
        if self._bench is not None:
            self._bench.close()

    @property
    def lineup(self) -> Lineup:
        return self.bench.lineup

    @functools.cached_property
    def _networks(self) -> Networks:
        """What the lineup's networks stand for. Raises BadSpec for a table of seed scores that cannot be read."""
        from mmbench.verdict import Networks

        return Networks.of(self.lineup)

    # what can be asked

    def pairs(self, protocols: Sequence[Protocol]) -> list[tuple[Roles, str]]:
        """Models and datasets on which these protocols are measured: what claims ask for, and what needs no claim.

        Roles that no claim names (an untrained network, a reference, a model of the user's own) are measured on every
        dataset of images that the claims ask for, further trainings of a recipe only where the lineup has no table of
        seed scores; an image and a text encoder of one space on every dataset of images. Dataset by dataset, so that
        its images are prepared once for all.
        """
        found = dict.fromkeys([*self._asked(protocols), *self._unnamed(protocols), *self._one_space(protocols)])
        found = with_more_seeds(found, self.lineup)
        place = {dataset: at for at, dataset in enumerate(dict.fromkeys(dataset for _, dataset in found))}
        return sorted(found, key=lambda pair: place[pair[1]])

    def _asked(self, protocols: Sequence[Protocol]) -> dict[tuple[Roles, str], None]:
        """Pairs that some claim asks of the protocols' probes and that the lineup can play."""
        probes = {protocol.probe for protocol in protocols}
        claims = [claim for claim in CLAIMS if not (claim.made_up or claim.waits_for)]
        cells = (cell for claim in claims for cell in cells_asked(claim, "measured"))
        wanted = (cell for cell in cells if cell.protocol.probe in probes and self._plays(cell))
        return {(cell.models, cell.dataset): None for cell in wanted}

    def _index(self) -> Asked:
        """What claims ask for, gathered anew where a file that was collected since then has registered more."""
        if self._claims_ask is None or self._claims_ask.claims != len(CLAIMS):
            self._claims_ask = Asked()
        return self._claims_ask

    def _unnamed(self, protocols: Sequence[Protocol]) -> list[tuple[Roles, str]]:
        """Image encoders that no claim names, on the datasets of images that the claims ask for."""
        images = dict.fromkeys(d for models, d in self._asked(protocols) if any(map(self._sees, models)))
        named = self._index().named
        bound, further = self.lineup.models, further_trainings(self.lineup)
        out = {r for r in bound if bound[r].seed_of or (r in further and self.lineup.seeds is not None)}
        roles = [Roles(r) for r in bound if Roles(r) not in named and r not in out and self._sees(r)]
        return [(models, d) for models in roles for d in images if self.cells(protocols, models, d)]

    def _one_space(self, protocols: Sequence[Protocol]) -> list[tuple[Roles, str]]:
        """Image and text encoders of one space, on every dataset of images with one label an item."""
        if not any(map(_takes_one_space, protocols)):
            return []
        datasets = [role for role, bound in self.lineup.datasets.items() if _images_of_one_label(bound.entry)]
        return [(roles, dataset) for dataset in datasets for roles in self._encoders_of_one_space]

    @functools.cached_property
    def _encoders_of_one_space(self) -> list[Roles]:
        own = {role: bound for role, bound in self.lineup.models.items() if not bound.seed_of}
        entries = {role: bound.entry for role, bound in own.items() if bound.entry.space}
        images, texts = ([r for r in entries if entries[r].modality == kind] for kind in ("image", "text"))
        pairs = [(i, t) for i in images for t in texts if entries[i].space == entries[t].space]
        networks: dict[tuple[str, str], Roles] = {}  # where one network has several roles, by its first
        for i, t in pairs:
            networks.setdefault((entries[i].name, entries[t].name), Roles(i, t))
        return list(networks.values())

    def cells(self, protocols: Sequence[Protocol], models: Roles, dataset: str) -> list[Cell]:
        """Cells of the pair, by those protocols whose probe some claim asks of the dataset (and of the model).

        A role that no claim names is asked for what image encoders are judged by on their own (``Probe.unnamed``). The
        untrained network is the floor of every dataset, and is asked for a ``costly`` probe only where nothing else is
        asked of a dataset. A further seed is asked for what the first is asked for.
        """
        first = first_seed(models, self.lineup)
        if first != models:
            return [Cell(cell.protocol, models, dataset) for cell in self.cells(protocols, first, dataset)]
        if models in self._encoders_of_one_space and any(map(_takes_one_space, protocols)):
            return [Cell(protocol, models, dataset) for protocol in protocols if _takes_one_space(protocol)]
        index = self._index()
        named, asked = models in index.named, index.probes(dataset, models)
        asked = {probe for probe in asked if probe in PROBES and takes_so_many(PROBES.get(probe).takes, len(models))}
        if len(models) == 1 and self._is_untrained(models[0]):
            cheap = {probe for probe in asked if not PROBES.get(probe).costly}
            asked = {probe for probe in cheap or asked if PROBES.get(probe).floor}
        elif not named:
            asked = {probe for probe in asked if PROBES.get(probe).unnamed}
        wanted = (protocol for protocol in protocols if protocol.probe in asked)
        return [Cell(p, models, dataset) for p in wanted if self.lineup.measures_unasked(p)]

    def plan_pair(self, protocols: Sequence[Protocol], models: Roles, dataset: str) -> None:
        self.bench.plan(self.cells(protocols, models, dataset))

    def plan_claim(self, claim: Claim, evidence: EvidenceKind) -> None:
        """Tell the bench which cells the claim will ask for; published evidence asks for none."""
        if evidence == "published" or claim.waits_for:
            return
        for reading in ("paper", "code"):
            from mmbench.conditions import measured_cells_of

            node = claim.condition("measured", reading)
            if node is not None:
                asked = (cell for cell in measured_cells_of(node) if not cell.protocol.printed_only)
                self.bench.plan(cell for cell in asked if self._plays(cell))

    def _plays(self, cell: Cell) -> bool:
        return all(self._has_model(role) for role in cell.models) and self._has_dataset(cell.dataset)

    def _has_model(self, role: str) -> bool:
        return role in self.lineup.models

    def _has_dataset(self, role: str) -> bool:
        return role in self.lineup.datasets

    def _is_untrained(self, role: str) -> bool:
        return role in self._untrained

    @functools.cached_property
    def _untrained(self) -> tuple[str, ...]:
        """Roles that untrained networks play."""
        return tuple(role for role in self.lineup.models if self.lineup.model(role).kind == "untrained")

    def _sees(self, role: str) -> bool:
        """Whether the role's encoder takes images."""
        return self.lineup.model(role).entry.modality == "image"

    # what it gave

    def scores(self, cell: Cell) -> Scores:
        """The cell's scores, measured when first asked for.

        Raises Unmeasured when the lineup, a file, a library or what the bound encoder can do is lacking, and the error
        of what broke otherwise.
        """
        try:
            found = self.bench.scores(cell)
        except MMBenchError as error:
            self.lost[cell] = str(error)
            if isinstance(error, NotFinite):
                self.broken.add(cell)
            if isinstance(error, LACKING):
                raise Unmeasured(f"{cell}: {error}") from error
            raise
        self.used[cell] = found
        return found

    def roles_of(self, claim: Claim) -> list[str]:
        """The roles of the claim's measured cells, those of datasets among them."""
        return _roles(claim)

    def lacking_by_name(self, roles: Iterable[str]) -> str:
        """What the command line bound to one of the roles and what is not there; empty where all is.

        Who names a model or a dataset wants it measured: a run that skips all of it must not pass.
        """
        for role in dict.fromkeys(roles):
            if role not in self.changed:
                continue
            if role not in self._lacks:
                self._lacks[role] = self._lacking(role)
            if why := self._lacks[role]:
                return f"{role} was bound on the command line and is not there: {why}"
        return ""

    def _lacking(self, role: str) -> str:
        source = self.bench.source
        try:
            if role in self.lineup.models:
                source.encoder(source.model(role))
            else:
                source.dataset(role)
        except (MissingAsset, MissingExtra) as error:
            return str(error)
        except MMBenchError:  # said by the cell itself
            return ""
        return ""

    def untrained_scores(self, cell: Cell) -> Scores | None:
        """Scores of an untrained network on the cell's protocol and dataset, where this run has planned or stored them.

        None also for joined roles, which no untrained network of the lineup stands for.
        """
        if len(cell.models) != 1 or self._is_untrained(cell.models[0]):
            return None
        twins = [replace(cell, models=Roles(role)) for role in self._untrained]
        for twin in twins:
            try:
                if self.bench.expects(twin) or not self.bench.fresh(twin):
                    return self.scores(twin)
            except MMBenchError:  # what the untrained network cannot do is no floor
                continue
        return None

    def fresh(self, cell: Cell) -> bool:
        """Whether the cell must be measured; so must one whose files are lacking, which then says what it lacks."""
        try:
            return self.bench.fresh(cell)
        except MMBenchError:
            return True

    def seconds(self, cell: Cell) -> float | None:
        """What the probe of this cell took when it was measured, now or then."""
        found = self.used.get(cell)
        return None if found is None else found.provenance.get("seconds")

    def extraction_of(self, cell: Cell) -> dict[str, Any]:
        """Seconds and items that this run encoded for the cell's dataset, by encoder and split."""
        paid = [c for c in self.bench.costs if c.kind == "features" and c.fresh and f" on {cell.dataset}/" in c.name]
        return {"extraction": [{"what": c.name, "seconds": c.seconds, "items": c.items} for c in paid]}

    def to_time(self, fresh: list[Cell], cells: list[Cell], *, again: bool) -> tuple[list[Cell], int]:
        """Which of a test's cells to time (stored ones only ``again``), in how many rounds; none where it is slow."""
        timed = (fresh or cells) if again else fresh
        cost = self.seconds(timed[0]) or 0.0 if timed else 0.0
        rounds = min(MOST_ROUNDS, int(TIMING_BUDGET / max(cost, 1e-3)))
        return timed, max(rounds, 1) if again else rounds

    def probe_call(self, cell: Cell) -> Callable[[], Any]:
        """The cell's probe on features that exist already, ready to be timed."""
        inputs = self.bench.inputs(cell)
        probe, protocol = PROBES.get(cell.protocol.probe), cell.protocol
        settings = [protocol.settings.for_probe()]
        return lambda: probe.run(
            inputs, settings, trials=protocol.trials, seed=protocol.seed, device=self.bench.source.device
        )

    def judge(self, claim: Claim, evidence: EvidenceKind) -> Judged:
        """Judge the claim under the paper's reading, and under the code's where the two differ on measured cells."""
        from mmbench.verdict import Published, compare_readings, judge

        if evidence == "published":
            return self._placed(claim, judge(claim, Published()))
        evidence_here = self._cells
        verdict = judge(claim, evidence_here)
        if verdict.outcome == "unmeasured" or claim.condition("measured", "code") is None:
            return self._placed(claim, verdict)
        code = judge(claim, evidence_here, reading="code")
        return self._placed(claim, verdict, code, compare_readings(claim, evidence_here, verdict, code))

    @functools.cached_property
    def _cells(self) -> Measured:
        """The evidence of this run's lineup."""
        from mmbench.verdict import Measured

        return Measured(self.scores, self._networks, untrained=self.untrained_scores)

    def _placed(
        self, claim: Claim, verdict: Verdict, code: Verdict | None = None, readings: Readings | None = None
    ) -> Judged:
        known = self._known_for(claim, verdict.evidence).get((claim.id, verdict.evidence))
        return Judged(verdict, known, standing(known, verdict.outcome, verdict.estimate), code, readings)

    def _known_for(self, claim: Claim, evidence: str) -> dict[Key, Known]:
        """Known outcomes that apply: none to a measured claim with a role that the command line bound anew."""
        if evidence == "measured" and self.changed & set(_roles(claim)):
            return {}
        name = "published" if evidence == "published" else Path(str(self.options["lineup"])).stem
        if name not in self._known:
            self._known[name] = read_expected(self.expected / f"{name}.toml")
        return self._known[name]

    @property
    def changed(self) -> set[str]:
        """Roles bound on the command line."""
        return {option.partition("=")[0].strip() for option in self.lineup.overrides}

    def _is_fresh(self, scores: Scores) -> bool:
        """Whether they were measured in this run: by this process, or by another worker of it."""
        return str(scores.provenance.get("measured", "")) >= self._started

    # what a worker sends to its controller

    def news(self) -> dict[str, Any]:
        """Cells and costs since the last call, and why cells are unavailable, as plain JSON values."""
        if self._bench is None:
            return {}
        from mmbench.records.cells import cell_name, cell_part

        cells = [cell for cell in self.used if cell not in self._sent_cells]
        new = self._bench.costs[self._sent_costs :]  # a training that runs ahead may add another one meanwhile
        costs = [cost for cost in new if cost.fresh]
        self._sent_cells.update(cells)
        self._sent_costs += len(new)
        parts = [
            cell_part(
                cell,
                self.used[cell],
                fresh=self._is_fresh(self.used[cell]),
                seed_sd=self._seed_sd(cell),
            )
            for cell in cells
        ]
        lost = {cell_name(cell): reason for cell, reason in self.lost.items()}
        twice = self._newly_twice() if any(cost.kind == "features" for cost in costs) else 0
        broken = [cell_name(cell) for cell in self.broken]
        return {
            "identities": self._identities(cells),
            "cells": parts,
            "costs": [vars(cost) for cost in costs],
            "lost": lost,
            "broken": broken,
            "twice": twice,
        }

    def _identities(self, cells: Iterable[Cell]) -> dict[str, str]:
        """The digests of weights and of datasets' content under which the cells were measured, by role."""
        source, found = self.bench.source, dict[str, str]()
        for cell in cells:
            with contextlib.suppress(Exception):  # what is broken must not cost the record
                digests = {role: source.identity(source.model(role)).weights for role in cell.models}
                digests[cell.dataset] = source.dataset_entry(cell.dataset).identity()
                found |= {role: digest for role, digest in digests.items() if digest is not None}
        return found

    def _seed_sd(self, cell: Cell) -> float | None:
        try:
            return self._networks.seed_sd(cell, self.used[cell].metric)
        except MMBenchError:  # a table that cannot be read: said where a claim is judged
            return None

    def _newly_twice(self) -> int:
        """Items that this process encoded again under a key since the last call."""
        before, self._sent_twice = self._sent_twice, len(self.bench.store.encoded_twice())
        return self._sent_twice - before


def _takes_one_space(protocol: Protocol) -> bool:
    """Whether the protocol needs an image and a text encoder of one space, and no claim to be asked."""
    return protocol.probe in PROBES and PROBES.get(protocol.probe).inputs == "prompts"


def _images_of_one_label(entry: DatasetEntry) -> bool:
    return "image" in entry.modalities and entry.task == "single"


def _roles(claim: Claim) -> list[str]:
    cells = cells_asked(claim, "measured")
    return [role for cell in cells for role in (*cell.models, cell.dataset)]
