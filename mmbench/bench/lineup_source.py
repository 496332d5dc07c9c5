"""What a lineup offers to those that gather inputs: loaded once, encoded once, stored."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench import files
from mmbench.bench.code import model_code
from mmbench.bench.costs import Cost
from mmbench.bench.shared_items import SharedItems
from mmbench.bench.trainings import kept_work, trained, training_key
from mmbench.errors import CorruptAsset, UnknownLayer, Unmeasured
from mmbench.features.keys import digest_of, feature_key, feature_parts
from mmbench.features.prepared_images import PreparedImages
from mmbench.features.store import Store
from mmbench.models.entry import OUTPUT
from mmbench.models.spans import SPANS
from mmbench.program import program_digest
from mmbench.protocol import Cell, Roles

if TYPE_CHECKING:
    from mmbench.datasets.entry import Dataset, DatasetEntry, Split
    from mmbench.datasets.one_run import OneRun
    from mmbench.features.results import Features
    from mmbench.lineups import Lineup
    from mmbench.models.entry import Encoder, GeneratorEntry, Identity, ModelEntry
    from mmbench.models.generators import Generator
    from mmbench.training.entry import Checkpoint

WRITING = ("mmbench.models.generators", "mmbench.models.search")  # what embeds prompts and searches for a text


@dataclass
class LineupSource:
    """A ``Source`` (mmbench.source) over a lineup and a store. ``costs`` lists what was paid."""

    lineup: Lineup
    store: Store
    device: str = "cpu"
    precision: str = "float32"
    batch_size: int = 64
    progress: bool = True
    costs: list[Cost] = field(default_factory=list)
    _datasets: dict[str, OneRun] = field(default_factory=dict, repr=False)
    _encoders: dict[str, Encoder] = field(default_factory=dict, repr=False)
    _generators: dict[str, Generator] = field(default_factory=dict, repr=False)
    _loaded: dict[str, Dataset] = field(default_factory=dict, repr=False)
    _began: int = field(default_factory=time.time_ns, repr=False)
    _shared: SharedItems = field(default_factory=SharedItems, repr=False)
    _identities: dict[str, Identity] = field(default_factory=dict, repr=False)
    _prepared: PreparedImages = field(default_factory=PreparedImages, repr=False)
    _layers: dict[str, dict[str, None]] = field(default_factory=dict, repr=False)
    _shards: dict[str, set[str]] = field(default_factory=dict, repr=False)
    _unstored: dict[tuple[str, ...], NDArray[np.float32]] = field(default_factory=dict, repr=False)

    def model(self, role: str, *, raw: bool = False) -> ModelEntry:
        entry = self.lineup.model(role).entry
        if not raw:
            return entry
        if entry.raw is None:
            raise Unmeasured(f"{entry.name} has no variant without input normalisation (reading code of D-10)")
        return entry.raw()

    def dataset_entry(self, role: str) -> DatasetEntry:
        from mmbench.datasets.one_run import once_a_run

        if role not in self._datasets:
            self._datasets[role] = once_a_run(self.lineup.dataset(role).entry)
        return self._datasets[role].entry

    def dataset(self, role: str) -> Dataset:
        if role not in self._loaded:
            self._loaded[role] = self.dataset_entry(role).load()
        return self._loaded[role]

    def identity(self, model: ModelEntry) -> Identity:
        if model.name not in self._identities:  # asked for with every cell, and read from files
            self._identities[model.name] = model.identity()
        return self._identities[model.name]

    def encoder(self, model: ModelEntry) -> Encoder:
        if model.name not in self._encoders:
            found = model.load()
            self._require_same(model.name, self.identity(model), model.identity)
            self._encoders[model.name] = found
        return self._encoders[model.name]

    def _require_same(self, name: str, known: Identity, identity: Callable[[], Identity]) -> None:
        """After weights were read: their bytes must be those of the digest that features are stored under.

        An earlier run may have noted the digest; then the files are read for it now. Raises CorruptAsset.
        """
        with files.hashed_afresh(self._began):
            found = identity()
        if found.weights != known.weights and known.weights is not None:
            raise CorruptAsset(
                f"the weights of {name} are not those whose digest was noted ({known.weights[:12]}; their bytes give "
                f"{str(found.weights)[:12]}): a disk may have changed them, or they were replaced; start the run again"
            )

    def loaded(self, model: ModelEntry) -> Encoder | None:
        """The encoder if this run has loaded it."""
        return self._encoders.get(model.name)

    def feature_key(self, model: ModelEntry, layer: str = OUTPUT) -> str | None:
        how = {"device": self.device, "precision": self.precision, "layer": layer}
        return feature_key(self.identity(model), model.modality, code=model_code(model.name, model.load), **how)

    def shards_of(self, models: Sequence[ModelEntry]) -> list[str]:
        """The shards of the store that this run has read for these models, also to train on them."""
        return sorted({shard for model in models for shard in self._shards.get(model.name, ())})

    def shards_by_role(self, models: Roles) -> list[list[str]]:
        """As ``shards_of``, role by role."""
        return [self.shards_of([self.model(role)]) for role in models]

    def add_shards(self, models: Roles, shards: Sequence[Sequence[str]]) -> None:
        """Count shards as read, role by role: a training that was read back was made from them."""
        for role, names in zip(models, shards, strict=False):
            self._shards.setdefault(self.model(role).name, set()).update(names)

    def generator(self, model: ModelEntry) -> Generator:
        if model.name not in self._generators:
            import torch

            writer = self._writer(model)
            found = writer.load()
            self.generator_key(model)  # notes the identity
            self._require_same(model.name, self._identities[f"{model.name} as a writer"], writer.identity)
            found.module.to(torch.device(self.device))
            self._generators[model.name] = found
        return self._generators[model.name]

    def generator_key(self, model: ModelEntry) -> str | None:
        name = f"{model.name} as a writer"
        writer = self._writer(model)
        if name not in self._identities:
            self._identities[name] = writer.identity()
        identity = self._identities[name]
        if identity.weights is None:
            return None
        code = model_code(name, writer.load)
        if code is None:
            return None
        parts = feature_parts(identity, "text", device=self.device, precision=self.precision, code=code)
        return digest_of(parts | {"writing": program_digest(WRITING, ())})

    def _writer(self, model: ModelEntry) -> GeneratorEntry:
        if model.generator is None:
            writers = [role for role, bound in self.lineup.models.items() if bound.entry.generator is not None]
            raise Unmeasured(
                f"{model.name} writes no text; a model that does was expected, and of the roles of lineup "
                f"{self.lineup.name!r} these have one: {', '.join(writers) or 'none'}"
            )
        return model.generator

    def texts(self, model: ModelEntry, texts: Sequence[str], where: str, layer: str = OUTPUT) -> NDArray[np.float32]:
        from mmbench.datasets.entry import Split

        given = tuple(texts)
        return self.features(model, Split(given, np.zeros(len(given), np.int64), texts=given), where, layer)

    def trained(self, name: str, models: Roles, dataset: str, seed: int) -> dict[str, NDArray[Any]]:
        return trained(self, self.store, self.costs, name, models, dataset, seed)

    def training_key(self, name: str, models: Roles, dataset: str) -> str | None:
        return training_key(self, name, models, dataset)

    def training_settings(self, name: str) -> Mapping[str, Any]:
        return self.lineup.trainings.get(name, {})

    def reduced(self, probe: str) -> Mapping[str, Any]:
        return self.lineup.reduced.get(probe, {})

    def checkpoint(self, probe: str, parts: Sequence[Any], what: str) -> Checkpoint:
        from mmbench.probes.entry import PROBES

        return kept_work(self.store, PROBES.get(probe).run, parts, what)

    def features(self, model: ModelEntry, split: Split, where: str, layer: str = OUTPUT) -> NDArray[np.float32]:
        from mmbench.features.extract import extract

        if not has_items(split, model.modality):
            raise Unmeasured(f"{model.name} encodes {model.modality}s and {where} has none; bind a dataset that has")
        unstored = (model.name, where, layer, hashlib.sha256("\0".join(split.ids).encode()).hexdigest())
        if unstored in self._unstored:
            return self._unstored[unstored]
        name = f"{model.name} on {where}"

        def extracted(layers: Sequence[str]) -> dict[str, Features]:
            return extract(
                lambda: self.encoder(model),
                self.identity(model),
                split,
                self.store,
                modality=model.modality,
                batch_size=self.batch_size,
                device=self.device,
                precision=self.precision,
                progress=self.progress,
                prepared_images=self._prepared,
                layers=layers,
                name=name,
                code=model_code(model.name, model.load),
            )

        noted = self._layers_of(model, layer)
        try:
            found = extracted(noted)[layer]
        except UnknownLayer:  # before anything is encoded; another cell may have asked for the layer that is unknown
            known = [each for each in noted if each == layer or each == OUTPUT or each in self.encoder(model).layers]
            if len(known) == len(noted):
                raise
            found = extracted(known)[layer]
        if model.modality == "image":
            self._check_first_use(split)
        fresh = found.census.fresh
        self._shards.setdefault(model.name, set()).update(found.shards)
        self.costs.append(Cost("features", name, found.seconds, fresh > 0, fresh))
        if found.key is None:
            self._unstored[unstored] = found.array
        return found.array

    def _check_first_use(self, split: Split) -> None:
        """After the images of a split were read for the first time: the dataset must still be the same."""
        for role, dataset in list(self._loaded.items()):
            if any(part is split for part in dataset.splits.values()) and self._shared.use(role, dataset, split):
                self._datasets[role].require_same()

    def expect(self, cell: Cell) -> None:
        """Note the layer that a planned cell asks for: one forward pass gives all layers that are noted for a model."""
        for role in cell.models:
            self._layers.setdefault(role, {})[cell.protocol.layer] = None

    def _layers_of(self, model: ModelEntry, layer: str) -> list[str]:
        """The layer asked for, and the hidden ones that planned cells ask of the same model.

        Of a marked part of a text both layers: the two readings of D-08b take one each, and one pass gives both.
        """
        if layer in SPANS:
            return [layer, *(other for other in SPANS if other != layer)]
        roles = (role for role in self._layers if role in self.lineup.models)
        noted = [name for role in roles if self.model(role).name == model.name for name in self._layers[role]]
        return list(dict.fromkeys([layer, *noted]))


def has_items(split: Split, modality: str) -> bool:
    """Whether the split has items of that modality."""
    return (split.images if modality == "image" else split.texts) is not None
