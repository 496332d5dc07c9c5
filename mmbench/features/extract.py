"""Encode a split once: reuse the features in the store, encode the missing ones, account for every item."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from mmbench.datasets.entry import Split
from mmbench.datasets.notes import note
from mmbench.errors import BadDataset, BadSpec
from mmbench.features.encode import check_ready
from mmbench.features.items import item_digests
from mmbench.features.job import Job, Memory, Target
from mmbench.features.keys import feature_key, feature_parts
from mmbench.features.prepared_images import PreparedImages
from mmbench.features.results import Features
from mmbench.features.store import Store
from mmbench.models.entry import OUTPUT, Encoder, Identity, Modality
from mmbench.progress import progress_bar


def extract(
    encoder: Encoder | Callable[[], Encoder],
    identity: Identity,
    split: Split,
    store: Store,
    *,
    layers: Sequence[str] = (OUTPUT,),
    modality: Modality = "image",
    name: str | None = None,
    batch_size: int = 64,
    device: str = "cpu",
    precision: str = "float32",
    workers: int = 0,
    on_bad: Literal["stop", "exclude"] = "stop",
    progress: bool = True,
    prepared_images: PreparedImages | None = None,
    code: str | None = "",
) -> dict[str, Features]:
    """Features of every item of ``split`` by layer, in the order of ``layers``.

    Each (model, layer, item) is encoded once, also when splits share the item: one forward pass gives all layers, and
    an item is encoded when a layer lacks it.

    Texts that are cut, since they are longer than the encoder reads, are counted and named in a DatasetWarning.

    ``encoder`` may be a function that loads it: it is called only when something must be encoded, so that a run with
    everything in the store imports no torch. ``workers`` are decoding threads. An item that cannot be read stops the
    run and is named (what was encoded before stays stored), or is left out and listed in the census
    (``on_bad="exclude"``). ``prepared_images`` keeps prepared images for the next encoder. ``code`` is a part of the
    key (``feature_parts``). When that is None nothing is stored; nor when the identity's weights are unknown, and then
    a StoreWarning says so once for each store.

    Raises UnreadableItem (a BadItem), UnknownName for a layer that the encoder does not have, BadFeatures on NaN or a
    wrong width, BadDataset when no item can be read, BadSpec on a modality that split or encoder do not have,
    StoreError when the disk refuses.
    """
    if batch_size < 1 or on_bad not in ("stop", "exclude"):
        raise BadSpec(f"batch_size must be at least 1 and on_bad stop or exclude, got {batch_size} and {on_bad!r}")
    if isinstance(layers, str) or not layers:
        raise BadSpec(f"layers must be a sequence of at least one name, such as ['output'], got {layers!r}")
    if not len(split):
        raise BadDataset("the split has no items, so there is nothing to encode")
    name = name or identity.architecture
    items, bad = item_digests(split, modality)
    wanted = dict.fromkeys(layers)
    targets = [_target(store, identity, modality, device, precision, layer, name, code) for layer in wanted]
    job = Job(name, split, items, targets, store, batch_size, device, precision, workers, on_bad, bad, prepared_images)
    if bad and on_bad == "stop":
        job.stop(min(bad))
    _fill(job, encoder, modality, progress)
    if identity.weights is None:  # after loading: where weights are missing, that is the message
        store.warn_unknown_weights(name, identity.architecture)
    return _gathered(job)


def _target(
    store: Store,
    identity: Identity,
    modality: Modality,
    device: str,
    precision: str,
    layer: str,
    name: str,
    code: str | None,
) -> Target:
    key = feature_key(identity, modality, device=device, precision=precision, layer=layer, code=code)
    if key is None:
        return Target(layer, None, Memory(), f"uncached {name}" + ("" if layer == OUTPUT else f", layer {layer}"))
    parts = feature_parts(identity, modality, device=device, precision=precision, layer=layer, code=code)
    return Target(layer, key, store.shelf(key, parts), key)


def _fill(job: Job, encoder: Encoder | Callable[[], Encoder], modality: Modality, progress: bool) -> None:
    """Encode what the targets lack, with the lock of each target that is written held."""
    for target in job.targets:
        target.shelf.refresh()
    missing = job.missing()
    to_write = [target for target in job.targets if target.lacking.any() or target.shelf.damaged]
    if not to_write:
        return
    loaded: Encoder | None = None
    if any(target.layer != OUTPUT and target.lacking.any() for target in to_write):
        loaded = _load(encoder, modality, job)  # before anything is written: the layer may not exist
    with contextlib.ExitStack() as locks:
        for target in sorted(to_write, key=lambda each: each.key or ""):  # one order for all runs: no two wait in turn
            locks.enter_context(target.shelf.writing(job.name))
        missing = job.missing()  # another run may have encoded them while this one waited
        if len(missing):
            what = f"{job.name}: {len(missing):,} of {len(job.split):,} items"
            with progress_bar(what, len(missing), wanted=progress) as bar:
                loaded = loaded or _load(encoder, modality, job)
                _tell_cut(loaded, job)
                job.encode(loaded, missing, bar.advance)


def _tell_cut(encoder: Encoder, job: Job) -> None:
    """A warning that counts and names the items of the split whose text the encoder does not read to its end."""
    if encoder.cuts is not None and job.split.texts is not None:
        cut = encoder.cuts(list(map(str, job.split.texts)))
        named = [item for item, is_cut in zip(job.split.ids, cut, strict=True) if is_cut]
        note(job.name, f"of {len(cut):,} texts are longer than it reads, and cut", named)


def _load(encoder: Encoder | Callable[[], Encoder], modality: Modality, job: Job) -> Encoder:
    loaded = encoder if isinstance(encoder, Encoder) else encoder()
    if loaded.modality != modality:
        raise BadSpec(f"{job.name} encodes {loaded.modality}s but {modality} features were asked of it")
    check_ready(loaded, job.name)
    loaded.check_layers([target.layer for target in job.targets], job.name)
    return loaded


def _gathered(job: Job) -> dict[str, Features]:
    """Every layer's features, from its shelf; raises BadDataset when no item could be read."""
    kept = np.setdiff1d(np.arange(len(job.split)), list(job.bad))
    if not len(kept):
        raise BadDataset(f"none of the {len(job.split)} items can be read; the first: {job.bad[min(job.bad)]}")
    census, found = job.census(), {}
    for target in job.targets:
        rows = target.shelf.lookup(job.items[kept])
        array = target.shelf.gather(rows)
        cost, shards = target.shelf.cost(rows), tuple(target.shelf.names(rows))
        found[target.layer] = Features(array, kept, census, target.seconds, cost, target.key, shards)
    return found
