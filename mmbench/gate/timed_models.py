"""Time two models on the same batch in alternation, and judge the ratio of their times."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmbench.gate.timing import TimeDecision
    from mmbench.lineups import Lineup
    from mmbench.models.entry import ModelEntry


def time_models(
    a: str,
    b: str,
    dataset: str,
    *,
    lineup: str = "embedded",
    items: int = 64,
    rounds: int = 20,
    slower_by: float = 1.1,
    device: str = "cpu",
) -> TimeDecision:
    """Encode the same batch of a dataset's test items with both models in turn, and judge the ratio of times.

    Only the forward pass is timed: decoding and preprocessing are the same work for any checkpoint of a model.
    """
    from mmbench.errors import BadSpec
    from mmbench.features.devices import require_device
    from mmbench.features.encode import check_ready, forward, place, prepared
    from mmbench.gate.timing import FEWEST, compare_times, interleave
    from mmbench.lineups import load_lineup

    if items < 1 or rounds < FEWEST or not slower_by >= 1:  # said before anything is loaded
        raise BadSpec(
            f"{items} items, {rounds} rounds, slower by {slower_by:g}: a batch needs at least one item, the ratio at "
            f"least {FEWEST} rounds, and what passes is a ratio of at least 1, for example 1.1"
        )
    require_device(device)
    bound = load_lineup(lineup)
    split = bound.dataset(dataset).entry.load().split("test")
    rows = range(min(items, len(split)))
    calls: list[Callable[[], object]] = []
    for name in (a, b):
        entry = _entry(name, bound)
        if (split.images if entry.modality == "image" else split.texts) is None:
            raise BadSpec(f"{name} encodes {entry.modality}s and {dataset} has none; name another dataset")
        encoder = entry.load()
        check_ready(encoder, name)
        place(encoder, device)
        batch = list(prepared(encoder, split, rows))
        for item in batch:
            if isinstance(item, Exception):
                raise item
        calls.append(functools.partial(forward, encoder, batch, device, "float32", name))
    return compare_times(*interleave(calls[0], calls[1], rounds=rounds), slower_by=slower_by)


def _entry(name: str, lineup: Lineup) -> ModelEntry:
    """Who plays the role of that name in the lineup, or what the spec says."""
    from mmbench.models.specs import resolve

    return lineup.model(name).entry if name in lineup.models else resolve(name)
