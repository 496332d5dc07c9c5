"""Scores that come out of the store: whether what they say is about the cell that asks for them.

A file under the right key, with the right checksum, may still hold scores of another cell: the store may come from
someone else, or from a program that was wrong.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mmbench import files
from mmbench.bench import examples
from mmbench.bench.keys import code_digest
from mmbench.bench.lineup_source import LineupSource
from mmbench.bench.solving import metric_of, probe_of
from mmbench.errors import MissingAsset, MissingExtra
from mmbench.features.keys import digest_of
from mmbench.features.store import StoreWarning
from mmbench.inputs.labelled import models_of
from mmbench.models.entry import OUTPUT, ModelEntry
from mmbench.models.spans import SPANS
from mmbench.protocol import Cell
from mmbench.scores import Scores
from mmbench.words import listed

MOST_BYTES = 1 << 20  # of the file that describes a key


@dataclass
class ReadBack:
    """Says of stored scores what is not the cell's; ``source`` knows what the cell is about."""

    source: LineupSource
    _models_of_key: dict[str, Any] = field(default_factory=dict)
    _own_keys: dict[tuple[str, str], str] = field(default_factory=dict)
    _absent: set[str] = field(default_factory=set)

    def fault(self, cell: Cell, scores: Scores) -> str:
        """Why the scores are not those of the cell, in words; empty where they may be."""
        wrong = [*self._about(cell, scores), *self._provenance(cell, scores)]
        if not wrong:
            wrong = self._examples(cell, scores)
        if not wrong and (foreign := self._foreign_shards(cell, scores)):
            wrong = [f"features ({listed(foreign)})"]
        return f"are not of this cell: they have other {', '.join(wrong)}" if wrong else ""

    def _about(self, cell: Cell, scores: Scores) -> Iterator[str]:
        if scores.metric != metric_of(self.source, cell).name:
            yield "metric"
        if scores.trials != cell.protocol.trials:
            yield "number of trials"

    def _provenance(self, cell: Cell, scores: Scores) -> Iterator[str]:
        """What made the scores, as far as the key decides it; names of protocols and models may differ."""
        made, source = scores.provenance, self.source
        probe, metric = probe_of(cell.protocol), metric_of(source, cell)
        models = made.get("models")
        expected = {
            "fingerprint": cell.protocol.fingerprint(),
            "dataset": source.dataset_entry(cell.dataset).identity(),
            "precision": source.precision,
            "code": code_digest(probe, metric),
        }
        yield from (name for name, value in expected.items() if made.get(name) != value)
        if str(made.get("device")).partition(":")[0] != source.device.partition(":")[0]:
            yield "device"
        weights = {model.name: source.identity(model).weights for model in models_of(source, cell)}
        if not isinstance(models, dict) or set(models.values()) != set(weights.values()):
            yield "weights"
        seconds = made.get("seconds")
        if not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
            yield "seconds"
        if not isinstance(made.get("measured"), str):
            yield "time"

    def _examples(self, cell: Cell, scores: Scores) -> list[str]:
        found, known = examples.Examples.of(scores), examples.noted(self.source, cell)
        if known == found:
            return []
        try:
            known = examples.read(self.source, cell)  # the note may be lacking, or wrong
        except (MissingAsset, MissingExtra) as error:
            self._say_unchecked(cell.dataset, str(error))
            return []
        examples.note(self.source, cell, known)
        return known.differing(found)

    def _say_unchecked(self, role: str, why: str) -> None:
        if role not in self._absent:
            self._absent.add(role)
            warnings.warn(
                f"stored scores on {role} are read back without a look at their examples, since the dataset is not "
                f"here: {why}",
                StoreWarning,
                stacklevel=2,
            )

    def _foreign_shards(self, cell: Cell, scores: Scores) -> list[str]:
        """Shards that hold features of none of the cell's models, or that nothing describes."""
        named = scores.provenance.get("shards", [])
        if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
            return ["no list of shards"]
        models = models_of(self.source, cell)
        keys = {name.partition("/")[0] for name in named}
        for layer in dict.fromkeys((OUTPUT, cell.protocol.layer, *SPANS)):
            if keys:
                keys -= {self._own_key(model, layer) for model in models}
        return sorted(key[:12] for key in keys if not self._is_of(key, models))

    def _own_key(self, model: ModelEntry, layer: str) -> str:
        if (model.name, layer) not in self._own_keys:
            self._own_keys[model.name, layer] = self.source.feature_key(model, layer) or ""
        return self._own_keys[model.name, layer]

    def _is_of(self, key: str, models: list[ModelEntry]) -> bool:
        """Whether the store describes the key as one of these models at some layer; a description makes its key."""
        if key not in self._models_of_key:
            self._models_of_key[key] = None
            path = self.source.store.shelf(key).folder / "key.json" if key.isalnum() else None
            if path is not None:
                try:
                    parts = files.parse_json(files.read_plain(path, MOST_BYTES))
                    if digest_of(parts) == key:
                        self._models_of_key[key] = parts["identity"]
                except (OSError, ValueError, TypeError, KeyError):
                    pass
        described = self._models_of_key[key]
        return described is not None and any(self._describes(described, model) for model in models)

    def _describes(self, described: Any, model: ModelEntry) -> bool:
        known = json.loads(json.dumps(self.source.identity(model).as_dict()))
        names = [name for name in known if name != "versions"]
        return isinstance(described, dict) and all(described.get(name) == known[name] for name in names)
