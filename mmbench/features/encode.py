"""From items of a split to rows of features, batch by batch; nothing is stored here.

Rows do not depend on the batch they were in, on order or on workers beyond floating-point noise: different batch
sizes choose different kernels. mmbench.features.invariance states the tolerance and checks it.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.entry import Split
from mmbench.errors import BadFeatures, BadItem, BadSpec, NotFinite
from mmbench.features.keys import autocast_dtype
from mmbench.features.prepared_images import Kept
from mmbench.models.entry import OUTPUT, Encoder
from mmbench.two_workers import two_at_a_time


def prepared(
    encoder: Encoder, split: Split, rows: Sequence[int], workers: int = 0, kept: Kept | None = None
) -> Iterator[Any]:
    """Yield, in the order of ``rows``, each item ready for a batch: a tensor, a string, or the BadItem it raised.

    With workers, images are decoded and prepared on threads (decoders release the interpreter lock), at most 16 items
    for each worker ahead. Rows in ``kept`` are not prepared again; other rows are added to it.
    """
    if encoder.modality == "text":
        assert split.texts is not None
        yield from (split.texts[row] for row in rows)
        return
    if workers <= 0:
        yield from (_prepare(encoder, split, row, kept) for row in rows)
        return
    ahead: deque[Future[Any]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="mmbench-decode")
    try:
        for row in rows:
            ahead.append(pool.submit(_prepare, encoder, split, row, kept))
            if len(ahead) > 16 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare(encoder: Encoder, split: Split, row: int, kept: Kept | None) -> Any:
    assert split.images is not None
    assert encoder.prepare is not None
    if kept is not None and row in kept.rows:
        return kept.rows[row]
    try:
        image = split.images.image(row)
    except BadItem as error:
        return error
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything, from struct.error to SyntaxError, on a broken file
        return BadItem(f"{type(error).__name__}: {error}")
    try:
        tensor = encoder.prepare(image)
    except BadItem as error:
        return error
    except Exception as error:
        error.add_note(f"while preparing item {split.ids[row]!r} (mode {image.mode}, size {image.size})")
        raise
    if kept is not None:
        kept.add(row, tensor)
    return tensor


def place(encoder: Encoder, device: str) -> None:
    """Move the network to ``device``; image networks channels-last, which saves a quarter of the time on a CPU."""
    import torch

    if encoder.modality == "image":
        encoder.module.to(device=torch.device(device), memory_format=torch.channels_last)
    else:
        encoder.module.to(device=torch.device(device))


def forward(encoder: Encoder, batch: Sequence[Any], device: str, precision: str, name: str) -> NDArray[np.float32]:
    """The output float32 ``[batch, dim]`` of prepared items; raises as ``forward_layers`` does."""
    return forward_layers(encoder, batch, device, precision, name, (OUTPUT,))[OUTPUT]


def forward_layers(
    encoder: Encoder, batch: Sequence[Any], device: str, precision: str, name: str, layers: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Features float32 ``[batch, dim]`` of each of ``layers`` for prepared items, from one forward pass.

    Raises BadFeatures on a wrong shape. Whether the values are finite is checked by ``check_finite``, which is given
    the ids of the items.
    """
    import torch

    where, dtype = torch.device(device), autocast_dtype(precision)
    given: Any = list(batch)
    if encoder.modality == "image":
        given = torch.stack(given)
        if where.type == "cuda":
            given = given.pin_memory().to(where, non_blocking=True)
        given = given.to(where).contiguous(memory_format=torch.channels_last)
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        if dtype is not None:
            stack.enter_context(torch.autocast(where.type, getattr(torch, dtype)))
        elif where.type == "cuda":  # float32 in the key means float32, not TF32
            stack.enter_context(torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False))
        out = encoder.forward_layers(given, layers)
        found = {layer: values.detach().to("cpu", torch.float32).numpy() for layer, values in out.items()}
    for layer, rows in found.items():
        dim = encoder.dim if layer == OUTPUT else encoder.layers[layer]
        check_shape(rows.shape, len(batch), dim, named(name, layer))
    return found


def named(name: str, layer: str) -> str:
    """How messages call one layer of a model; the output is the model itself."""
    return name if layer == OUTPUT else f"layer {layer!r} of {name}"


def forward_all(
    encoder: Encoder,
    batches: Iterable[Sequence[Any]],
    device: str,
    precision: str,
    name: str,
    layers: Sequence[str] = (OUTPUT,),
) -> Generator[dict[str, NDArray[np.float32]], None, None]:
    """``forward_layers`` of each batch, in order; on a CPU two batches of images at a time, while the next is prepared.

    Texts go one batch after another, since a tokenizer must not be called by two threads at once.
    """

    def rows(batch: Sequence[Any]) -> dict[str, NDArray[np.float32]]:
        return forward_layers(encoder, batch, device, precision, name, layers)

    side_by_side = encoder.modality == "image" and device == "cpu"
    yield from two_at_a_time(rows, batches) if side_by_side else map(rows, batches)


def check_shape(shape: tuple[int, ...], items: int, dim: int, name: str) -> None:
    """Raise BadFeatures unless ``shape`` is ``(items, dim)``; the message says what is likely wrong."""
    if shape == (items, dim):
        return
    if len(shape) != 2:
        raise BadFeatures(f"{name} gave features of shape {list(shape)}, not [{items}, {dim}]; is its pooling missing?")
    if shape[0] != items:
        raise BadFeatures(f"{name} gave {shape[0]} rows for a batch of {items} items")
    raise BadFeatures(f"{name} declares dim={dim} but gave {shape[1]} columns; is the classifier still attached?")


def check_finite(rows: NDArray[np.float32], ids: Sequence[str], name: str) -> None:
    """Raise NotFinite naming the first item of ``ids`` whose row has a NaN or an infinity."""
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        values = rows[bad[0]]
        kind = "NaN" if np.isnan(values).any() else "infinite values"
        raise NotFinite(
            f"{name} gave {kind} for item {ids[bad[0]]!r} ({int((~np.isfinite(values)).sum())} of {values.size} "
            f"columns, {len(bad)} of {len(rows)} items in its batch); try precision float32, or check its weights"
        )


def check_ready(encoder: Encoder, name: str) -> None:
    """Raise BadFeatures for a network in training mode, BadSpec for an image encoder without ``prepare``."""
    training = [part for part, module in encoder.module.named_modules() if module.training]
    if training:
        raise BadFeatures(
            f"{name} is in training mode ({training[0] or 'the whole module'}), so its features are not repeatable; "
            "call module.eval() where it is loaded"
        )
    if encoder.modality == "image" and encoder.prepare is None:
        raise BadSpec(f"{name} encodes images but has no prepare(image) -> tensor")


def encode_rows(
    encoder: Encoder,
    split: Split,
    rows: Sequence[int],
    *,
    batch_size: int = 64,
    device: str = "cpu",
    precision: str = "float32",
    workers: int = 0,
    name: str = "the encoder",
) -> NDArray[np.float32]:
    """Features float32 ``[len(rows), dim]`` of these rows of a split, kept in memory; raises BadItem."""
    place(encoder, device)
    items = iter(prepared(encoder, split, rows, workers))

    def batches() -> Iterator[list[Any]]:
        while ready := list(itertools.islice(items, batch_size)):
            for item in ready:
                if isinstance(item, BadItem):
                    raise item
            yield ready

    found = [values[OUTPUT] for values in forward_all(encoder, batches(), device, precision, name)]
    return np.concatenate(found) if found else np.empty((0, encoder.dim), np.float32)
