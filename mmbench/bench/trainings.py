"""Trainings on disk: finished weights and unfinished states by key and seed.

Layout under the store's root::

    trainings/<2>/<key>/<seed>.safetensors          finished weights
    trainings/<2>/<key>/<seed>.partial.safetensors  the last state of a fit that has not finished
    trainings/<2>/<key>/<seed>.lock                 held by the run that fits
    sweeps/<2>/<key>/0.partial.safetensors          the last state of a probe's long work (small; it stays)

Finished weights say from which shards of features they were made, model by model, and fall with them.
"""

from __future__ import annotations

import contextlib
import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from mmbench import files, locks, words
from mmbench.bench.code import dataset_code, known_code
from mmbench.bench.costs import Cost
from mmbench.errors import BadFeatures, StoreError
from mmbench.features.keys import digest_of
from mmbench.features.score_files import digest_of_arrays, metadata_of
from mmbench.features.shards import DamagedFile
from mmbench.features.store import Store, StoreWarning
from mmbench.protocol import Roles, Settings
from mmbench.source import Source, require_count
from mmbench.training.entry import TRAININGS, Checkpoint, Training, Weights, check_weights

SCHEMA = 1
MOST_BYTES = 1 << 32  # a larger file is not read
ROOMS = frozenset({"inputs", "training", "attacks", "seeds"})


def settings_of(source: Source, training: Training) -> Settings:
    """The training's settings, as the lineup states some of them otherwise (checked when the bench is opened)."""
    return replace(training.settings, **source.training_settings(training.name))


def training_key(source: Source, name: str, models: Roles, dataset: str) -> str | None:
    """The key of a training's weights, without the seed: inputs, settings and code.

    None when a part is unknown, with a StoreWarning where that is the code.
    """
    training = TRAININGS.get(name)
    parts = training.parts(source, models, dataset)
    if any(part is None for part in parts):
        return None
    settings = {"type": type(training.settings).__name__, **asdict(settings_of(source, training))}
    made_of = {"name": name, "settings": settings, "inputs": list(parts)}
    code = known_code(f"weights of the training {name!r}", (training.fit, training.gather), ROOMS)
    read_by = dataset_code(dataset, source.dataset_entry(dataset).load)
    if code is None or read_by is None:
        return None
    return digest_of({"schema": SCHEMA, "code": code, "read_by": read_by, **made_of})


class Shards(Protocol):
    """Which shards of features a run has read, by model; what is read back adds those that it was made from."""

    def shards_by_role(self, models: Roles) -> list[list[str]]: ...
    def add_shards(self, models: Roles, shards: Sequence[Sequence[str]]) -> None: ...


class ShardsSource(Source, Shards, Protocol):
    """A ``Source`` that keeps count of shards."""


def trained(
    source: ShardsSource, store: Store, costs: list[Cost], name: str, models: Roles, dataset: str, seed: int
) -> Weights:
    """The weights of one seed: read back, or fitted now (from where a killed run stood) and stored.

    Raises BadFeatures when the fit diverges, and what the training's ``gather`` raises.
    """
    training = TRAININGS.get(name)
    require_count(f"training {name!r} on {dataset}", models, training.takes)
    key = training_key(source, name, models, dataset)
    what = f"{name}[{models}, {dataset}] seed {seed}"
    started = time.perf_counter()
    if key is None:
        weights = _fit(training, source, models, dataset, seed, Checkpoint())
        costs.append(Cost("training", what, time.perf_counter() - started, fresh=True))
        return weights
    shelf = _Shelf(store, key, seed, what)
    with shelf.fitting():
        found = shelf.finished(training)
        if found is None:
            found = _fit(training, source, models, dataset, seed, Checkpoint(shelf))
            shelf.finish(found, source.shards_by_role(models))
            costs.append(Cost("training", what, time.perf_counter() - started, fresh=True))
        else:
            costs.append(Cost("training", what, time.perf_counter() - started, fresh=False))
            source.add_shards(models, shelf.made_from)
    return found


def _fit(training: Training, source: Source, models: Roles, dataset: str, seed: int, checkpoint: Checkpoint) -> Weights:
    weights = training.fit(training.gather(source, models, dataset), settings_of(source, training), seed, checkpoint)
    check_weights(training, weights)
    return weights


def kept_work(store: Store, run: Callable[..., Any], parts: Sequence[Any], what: str) -> Checkpoint:
    """What keeps the state of the probe ``run`` on these parts; nothing is kept where a part or the code is unknown."""
    code = None if any(part is None for part in parts) else known_code(what, (run,), ROOMS | {"probes"})
    if code is None:
        return Checkpoint()
    key = digest_of({"schema": SCHEMA, "code": code, "parts": list(parts)})
    return Checkpoint(_Shelf(store, key, 0, what, room="sweeps"))


class _Shelf:
    """The files of one seed of one training."""

    def __init__(self, store: Store, key: str, seed: int, what: str, room: str = "trainings") -> None:
        self.store, self.what = store, what
        folder = store.root / room / key[:2] / key
        self.whole, self.partial = folder / f"{seed}.safetensors", folder / f"{seed}.partial.safetensors"
        self.lock = folder / f"{seed}.lock"
        self.key = f"{key} {seed}"
        self.made_from: list[list[str]] = []

    @contextlib.contextmanager
    def fitting(self) -> Any:
        """Held while one process fits: another one waits and then reads the result."""
        with contextlib.ExitStack() as until_the_end:
            try:
                self.lock.parent.mkdir(parents=True, exist_ok=True)
                until_the_end.enter_context(locks.held(self.lock, self.what))
            except locks.StillHeld as error:
                raise StoreError(f"{self.what} cannot be stored: {error}, and run again") from None
            except OSError as error:
                raise self.store.refusal(error, self.what) from error
            except NotImplementedError as error:
                raise StoreError(
                    f"the store at {self.store.root} lies on a file system without file locks, so two runs could spoil "
                    f"each other's {self.what}; name a store on a local disk (--mmbench-store DIR)"
                ) from error
            yield

    def finished(self, training: Training) -> Weights | None:
        """The finished weights, and in ``made_from`` their shards; None where there are none that can be used."""
        found = self._read(self.whole)
        if found is None:
            return None
        weights, made_from = found
        if fallen := [name for names in made_from for name in names if self.store.is_damaged(name)]:
            why = f"was made from features that were found damaged since ({words.listed(fallen)})"
            self._set_aside(self.whole, why)
            return None
        try:
            check_weights(training, weights)
        except BadFeatures as error:
            self._set_aside(self.whole, f"is damaged: {error}")
            return None
        self.made_from = made_from
        return weights

    def load(self) -> Weights | None:
        found = self._read(self.partial)
        return None if found is None else found[0]

    def save(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._write(self.partial, state)

    def finish(self, weights: Weights, made_from: list[list[str]]) -> None:
        self._write(self.whole, weights, made_from)
        with contextlib.suppress(OSError):
            self.partial.unlink(missing_ok=True)

    def _write(
        self, path: Path, arrays: Mapping[str, NDArray[Any]], made_from: Sequence[Sequence[str]] | None = None
    ) -> None:
        import numpy as np
        from safetensors.numpy import save

        # np.ascontiguousarray would give a single number a dimension
        copies = {name: np.array(values, order="C") for name, values in arrays.items()}
        metadata = None
        if made_from is not None:
            text = json.dumps([list(names) for names in made_from])
            metadata = {"made_from": text, "sha256": digest_of_arrays(self.key, text, copies)}
        self.store.write(path, save(copies, metadata=metadata), self.what, durable=True)

    def _read(self, path: Path) -> tuple[Weights, list[list[str]]] | None:
        """The arrays in a file and what they were made from; None where there is no file, or a damaged one.

        A damaged one is named and set aside. States of unfinished fits, and weights of earlier versions, do not say
        what they were made from and have no checksum.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            data = files.read_plain(path, MOST_BYTES)
            arrays = load(data)
            return arrays, self._origin(metadata_of(data), arrays)
        except FileNotFoundError:
            return None
        except (SafetensorError, DamagedFile, OSError, ValueError, KeyError, TypeError) as error:
            self._set_aside(path, f"is damaged: {error}")
            return None

    def _origin(self, metadata: Mapping[str, Any], arrays: Weights) -> list[list[str]]:
        if not metadata:
            return []
        text = metadata["made_from"]
        if metadata["sha256"] != digest_of_arrays(self.key, text, arrays):
            raise DamagedFile("its checksum is not the recorded one")
        found = files.parse_json(text)
        if not isinstance(found, list) or not all(
            isinstance(names, list) and all(isinstance(name, str) for name in names) for names in found
        ):
            raise DamagedFile("what it was made from is no list of shards for each model")
        return found

    def _set_aside(self, path: Path, why: str) -> None:
        warnings.warn(f"stored training {path} {why}; it is fitted again", StoreWarning, 3)
        try:
            files.set_aside(path)
        except OSError as refused:
            raise self.store.refusal(refused, self.what) from refused
