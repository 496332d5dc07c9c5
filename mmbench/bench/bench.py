"""Measure a cell: the only place where features, probe and metric meet.

A ``Bench`` holds a lineup and a store. It measures a cell when it is first asked for, stores its scores, and from then
on reads them. Nothing heavy is imported until something must be measured.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.bench.plan import Plan, raw_roles
from mmbench.errors import BadFeatures, MMBenchError, NotEnoughShots, Unmeasured
from mmbench.features.keys import feature_key, score_key
from mmbench.features.store import Store
from mmbench.metrics import METRICS
from mmbench.protocol import Cell, Models, Protocol, Roles, Settings
from mmbench.scores import Scores
from mmbench.two_workers import two_at_a_time

if TYPE_CHECKING:
    from mmbench.datasets.entry import Dataset, Split
    from mmbench.lineups import Lineup
    from mmbench.models.entry import Encoder, Identity, ModelEntry
    from mmbench.probes.entry import Arrays, Probe

PROMPTS = "prompts"
BESIDE = 7  # groups solved with the one asked for: where one of two is done first, another takes its core


@dataclass(frozen=True)
class Cost:
    """What one piece of work took: ``kind`` is ``features`` or ``cell``; ``fresh`` False when it was read back."""

    kind: str
    name: str
    seconds: float
    fresh: bool
    items: int = 0


@dataclass
class Bench:
    """A lineup measured into a store.

    ``encoded`` in the store counts encodes; ``costs`` lists what was paid and what was reused, in order. With ``pairs``
    a probe that is faster so solves the next planned cells as well, two groups at a time, each on half of the cores.
    """

    lineup: Lineup
    store: Store
    device: str = "cpu"
    precision: str = "float32"
    batch_size: int = 64
    progress: bool = True
    pairs: bool = True
    costs: list[Cost] = field(default_factory=list)
    _known: dict[Cell, Scores] = field(default_factory=dict, repr=False)
    _plan: Plan = field(default_factory=Plan, repr=False)
    _datasets: dict[str, Dataset] = field(default_factory=dict, repr=False)
    _failed: dict[Cell, MMBenchError] = field(default_factory=dict, repr=False)
    _alone: set[Cell] = field(default_factory=set, repr=False)
    _encoders: dict[str, Encoder] = field(default_factory=dict, repr=False)
    _identities: dict[str, Identity] = field(default_factory=dict, repr=False)
    _unstored: dict[tuple[str, str], NDArray[np.float32]] = field(default_factory=dict, repr=False)

    @classmethod
    def open(
        cls,
        lineup: str | Path = "embedded",
        *,
        models: Sequence[str] = (),
        datasets: Sequence[str] = (),
        store: Path | str | None = None,
        device: str = "cpu",
        precision: str = "float32",
        progress: bool = True,
        pairs: bool = True,
    ) -> Bench:
        """The bench of a lineup (a name or a TOML file) with ``ROLE=SPEC`` bindings laid over it.

        Raises BadSpec or UnknownName for a lineup, role or spec that cannot be read.
        """
        from mmbench.lineups import load_lineup

        # Read by GNU's OpenMP when torch loads it: how long threads spin before they sleep. By default so long that a
        # busy machine slows a run tenfold and more; this short, an idle one loses nothing (measured).
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")
        bound = load_lineup(str(lineup))
        for binding in models:
            bound = bound.bind_model(binding)
        for binding in datasets:
            bound = bound.bind_dataset(binding)
        return cls(bound, Store(store), device=device, precision=precision, progress=progress, pairs=pairs)

    # asking

    def plan(self, cells: Iterable[Cell]) -> None:
        """Note cells that will be asked for, so that those one probe call can solve together are solved together."""
        self._plan.add(cells)

    def scores(self, cell: Cell) -> Scores:
        """The scores of ``cell``: known, stored, or measured now together with its planned neighbours.

        Raises Unmeasured when the lineup or mmbench lacks something (the message says what and how to get it), and
        the error of the thing that broke when an item, a model or a dataset is at fault.
        """
        self._probe(cell.protocol)  # a printed number names no role: say first that nothing measures it
        if cell in self._failed:
            raise self._failed[cell]
        if cell not in self._known:
            missing = [c for c in self._plan.group(cell) if not self._recall(c) and c not in self._failed]
            if missing:
                try:
                    self._measure(missing)
                except MMBenchError as error:
                    if len(missing) == 1 or not isinstance(error, NotEnoughShots):
                        self._failed[cell] = error
                        raise
                    self._measure([cell])
        return self._known[cell]

    def fresh(self, cell: Cell) -> bool:
        """Whether asking for ``cell`` would have to measure it."""
        return cell not in self._known and not self._recall(cell)

    def features(self, models: Models, dataset: str, split: str) -> NDArray[np.float32]:
        """Features ``[n, dim]`` of one split under one role, or under several joined (text first)."""
        towers = self._towers(Roles.of(models), ())
        return self._features(towers, self._dataset(dataset).split(split), f"{dataset}/{split}")

    def arrays(self, cell: Cell) -> Arrays:
        """What the cell's probe is given: for timing a probe on features that exist already."""
        from mmbench.probes.entry import Arrays

        dataset = self._dataset(cell.dataset)
        towers = self._towers(cell.models, raw_roles(cell))
        probe = self._probe(cell.protocol)
        prompts = None
        if PROMPTS in probe.needs:
            prompts = self._prompts(cell, towers, dataset)
            towers = towers[:1]
        parts = {
            name: (self._features(towers, part, f"{cell.dataset}/{name}"), part.labels)
            for name, part in dataset.splits.items()
            if name == "test" or PROMPTS not in probe.needs
        }
        test_x, test_y = parts["test"]
        train_x, train_y = parts.get("train", (test_x[:0], test_y[:0]))
        valid_x, valid_y = parts.get("valid", (None, None))
        return Arrays(
            train_x, train_y, test_x, test_y, dataset.classes, valid_x=valid_x, valid_y=valid_y, prompts=prompts
        )

    # measuring

    def _recall(self, cell: Cell) -> bool:
        """Load the cell from memory or store; False when it must be measured."""
        if cell in self._known:
            return True
        key = self._key(cell)
        started = time.perf_counter()
        stored = self.store.load_scores(key) if key else None
        if stored is None:
            return False
        self._known[cell] = stored
        self.costs.append(Cost("cell", str(cell), time.perf_counter() - started, fresh=False))
        return True

    def _measure(self, cells: list[Cell]) -> None:
        """Solve cells that differ in settings only with one probe call, and store each; so those beside them."""
        groups = [(cells, self._ready(cells[0]))]
        for beside in self._beside(cells[0]):
            try:
                groups.append((beside, self._ready(beside[0])))
            except MMBenchError:  # it is raised again when they are asked for
                self._alone.update(beside)
        solved = map(self._solve, groups) if len(groups) == 1 else two_at_a_time(self._solve, groups)
        for (group, arrays), found in zip(groups, list(solved), strict=True):
            if not isinstance(found, MMBenchError):
                self._keep(group, arrays, *found)
            elif group is cells:
                raise found
            else:
                self._alone.update(group)

    def _beside(self, cell: Cell) -> list[list[Cell]]:
        """The next planned groups of cells that the same probe can solve while it solves ``cell``'s."""
        if not self.pairs or self.device != "cpu" or not self._probe(cell.protocol).side_by_side:
            return []
        left = ([c for c in group if self._left(c)] for group in self._plan.others(cell))
        return list(itertools.islice(filter(None, left), BESIDE))

    def _left(self, cell: Cell) -> bool:
        return cell not in self._failed and cell not in self._alone and not self._recall(cell)

    def _ready(self, cell: Cell) -> Arrays:
        """The cell's arrays; raises Unmeasured when its metric cannot judge them, before anything is solved."""
        _metric_name(cell, self._dataset(cell.dataset).task)
        return self.arrays(cell)

    def _solve(self, group: tuple[list[Cell], Arrays]) -> tuple[dict[Settings, NDArray[Any]], float] | MMBenchError:
        """Predictions by settings, and seconds; or the error. Touches nothing of the bench: two run at a time."""
        (cells, arrays), p, started = group, group[0][0].protocol, time.perf_counter()
        settings = list(dict.fromkeys(cell.protocol.settings.for_probe() for cell in cells))
        try:
            solved = self._probe(p).run(arrays, settings, trials=p.trials, seed=p.seed, device=self.device)
        except BadFeatures as error:
            return BadFeatures(f"{cells[0]}: {error}")
        except MMBenchError as error:
            return error
        return dict(zip(settings, solved, strict=True)), time.perf_counter() - started

    def _keep(self, cells: list[Cell], arrays: Arrays, found: dict[Settings, NDArray[Any]], seconds: float) -> None:
        """Turn predictions into scores and store them."""
        dataset = self._dataset(cells[0].dataset)
        metric = METRICS.get(_metric_name(cells[0], dataset.task))
        test = dataset.split("test")
        seen = self._stages(cells[0], dataset, arrays) | {"seconds": seconds / len(cells)}
        for cell in cells:
            predicted = found[cell.protocol.settings.for_probe()]
            kept = cell.protocol.settings.counted(len(test))
            scores = Scores(
                metric.outcome(predicted, test.labels)[:, :kept],
                metric.name,
                examples=test.digest() if kept == len(test) else f"{test.digest()}:{kept}",
                chance=metric.chance(test.labels),
                provenance=self._provenance_of(cell) | seen | {"predictions": _digest(predicted)},
            )
            key = self._key(cell)
            if key is not None:
                self.store.save_scores(key, scores)
            self._known[cell] = scores
            self.costs.append(Cost("cell", str(cell), seen["seconds"], fresh=True))

    def _features(self, towers: Sequence[ModelEntry], split: Split, where: str) -> NDArray[np.float32]:
        # The thesis concatenates text before image (its code, for chapter 5).
        ordered = sorted(towers, key=lambda tower: tower.modality != "text")
        blocks = [self._encode(tower, split, where) for tower in ordered]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)

    def _encode(self, tower: ModelEntry, split: Split, where: str) -> NDArray[np.float32]:
        from mmbench.features.extract import extract

        self._check_modality(tower, split, where)
        if (tower.name, where) in self._unstored:
            return self._unstored[tower.name, where]
        found = extract(
            lambda: self._loaded(tower),
            self._identity(tower),
            split,
            self.store,
            modality=tower.modality,
            batch_size=self.batch_size,
            device=self.device,
            precision=self.precision,
            progress=self.progress,
            name=f"{tower.name} on {where}",
        )
        fresh = found.census.fresh
        self.costs.append(Cost("features", f"{tower.name} on {where}", found.seconds, fresh > 0, fresh))
        if found.key is None:
            self._unstored[tower.name, where] = found.array
        return found.array

    def _loaded(self, tower: ModelEntry) -> Encoder:
        if tower.name not in self._encoders:
            self._encoders[tower.name] = tower.load()
        return self._encoders[tower.name]

    def _identity(self, tower: ModelEntry) -> Identity:
        if tower.name not in self._identities:  # asked for with every cell, and read from files
            self._identities[tower.name] = tower.identity()
        return self._identities[tower.name]

    def _check_modality(self, tower: ModelEntry, split: Split, where: str) -> None:
        if not _has(split, tower.modality):
            raise Unmeasured(f"{tower.name} encodes {tower.modality}s and {where} has none; bind a dataset that has")

    def _prompts(self, cell: Cell, towers: Sequence[ModelEntry], dataset: Dataset) -> NDArray[np.float32]:
        """Class prompts encoded by the text tower: ``[classes, templates, dim]``."""
        from mmbench.datasets.entry import Split

        if [tower.modality for tower in towers] != ["image", "text"]:
            raise Unmeasured(f"{cell} needs an image and a text tower of one space; give it both roles")
        templates = self.lineup.dataset(cell.dataset).entry.templates
        texts = tuple(t.format(name) for name in dataset.classes for t in templates)
        split = Split(texts, np.zeros(len(texts), np.int64), texts=texts)
        features = self._encode(towers[1], split, f"{cell.dataset}/prompts")
        return features.reshape(len(dataset.classes), len(templates), -1)

    # looking up

    def _towers(self, models: Roles, raw: Sequence[str]) -> list[ModelEntry]:
        """Entries of the roles, in their order; roles in ``raw`` without input normalisation."""
        entries = []
        for role in models:
            entry = self.lineup.model(role).entry
            if role in raw:
                if entry.raw is None:
                    raise Unmeasured(f"{entry.name} has no variant without input normalisation (reading code of D-10)")
                entry = entry.raw()
            entries.append(entry)
        return entries

    def _dataset(self, role: str) -> Dataset:
        if role not in self._datasets:
            self._datasets[role] = self.lineup.dataset(role).entry.load()
        return self._datasets[role]

    def _probe(self, protocol: Protocol) -> Probe:
        from mmbench.probes.entry import PROBES

        if protocol.probe not in PROBES:
            raise Unmeasured(f"no probe makes {protocol.name!r} yet; it can be judged on printed numbers only")
        return PROBES.get(protocol.probe)

    def _key(self, cell: Cell) -> str | None:
        features = [
            feature_key(self._identity(tower), tower.modality, device=self.device, precision=self.precision)
            for tower in self._towers(cell.models, raw_roles(cell))
        ]
        entry = self.lineup.dataset(cell.dataset).entry
        dataset = f"{entry.identity()}:{entry.task}"
        return score_key(protocol=cell.protocol.fingerprint(), features=features, dataset=dataset, probe=code_digest())

    def _stages(self, cell: Cell, dataset: Dataset, arrays: Arrays) -> dict[str, Any]:
        """Digests of what a cell is made from, stage by stage, so that two runs can be told where they part."""
        from mmbench.features.extract import item_digests

        towers = self._towers(cell.models, raw_roles(cell))
        kinds = dict.fromkeys(tower.modality for tower in towers)
        items = {
            name: _digest(*(item_digests(part, kind)[0] for kind in kinds if _has(part, kind)))
            for name, part in dataset.splits.items()
        }
        parts = (arrays.train_x, arrays.valid_x, arrays.test_x, arrays.prompts)
        found = {"items": items, "features": _digest(*(part for part in parts if part is not None))}
        images = dataset.split("test").images
        ready = {tower.name: self._encoders.get(tower.name) for tower in towers}
        prepared = {
            name: _digest(encoder.prepare(images.image(0)).numpy())
            for name, encoder in ready.items()
            if images is not None and encoder is not None and encoder.prepare is not None
        }
        return found | ({"preprocessed": prepared} if prepared else {})

    def _provenance_of(self, cell: Cell) -> dict[str, Any]:
        towers = self._towers(cell.models, raw_roles(cell))
        return {
            "protocol": cell.protocol.name,
            "fingerprint": cell.protocol.fingerprint(),
            "reading": cell.protocol.reading,
            "models": {tower.name: self._identity(tower).weights for tower in towers},
            "dataset": self.lineup.dataset(cell.dataset).entry.identity(),
            "device": self.device,
            "precision": self.precision,
            "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }


def _has(split: Split, modality: str) -> bool:
    return (split.images if modality == "image" else split.texts) is not None


def _digest(*arrays: NDArray[Any]) -> str:
    """Short hex SHA-256 over types, shapes and values of arrays, in order."""
    hasher = hashlib.sha256()
    for array in arrays:
        hasher.update(f"{array.dtype} {array.shape}".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()[:16]


def _metric_name(cell: Cell, task: str) -> str:
    if task == "single":
        return cell.protocol.metric
    if cell.protocol.multilabel_metric is None:
        raise Unmeasured(f"{cell} judges one label an item, and {cell.dataset} has several; bind another dataset")
    return cell.protocol.multilabel_metric


@functools.cache
def code_digest() -> str:
    """Digest of the source that turns features into outcomes; a change of it makes every stored score stale."""
    root = Path(__file__).parents[1]
    hasher = hashlib.sha256()
    for path in [*sorted((root / "metrics").glob("*.py")), Path(__file__), *sorted((root / "probes").glob("*.py"))]:
        hasher.update(path.read_bytes())
    return hasher.hexdigest()[:16]
