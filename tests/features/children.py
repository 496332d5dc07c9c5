"""Runs that are killed, crowded or refused: children forked by a process that has imported torch but not used it.

``python children.py ROOT`` prints one JSON object, with an answer for each of the four. A fork costs milliseconds, a
fresh interpreter with torch seconds; forking inside pytest itself would copy torch's threads.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from tiny_encoders import IDENTITY, counted, extract, image_encoder, layered_encoder, pictures, stored_twice

import mmbench.features
from mmbench.errors import StoreError
from mmbench.features.store import Shelf, Store

ITEMS, BATCH, SHARD = 60, 4, 8
SPLIT = pictures(range(ITEMS))
KILLS = 50
CODE = str(Path(mmbench.features.__file__).parent)


def run(root: str, pause: float = 0.0) -> dict[str, Any]:
    """One extraction; says what it encoded and the digest-like bytes of the result."""
    encoder, batches = counted(image_encoder())
    inner = encoder.forward

    def slow(batch: Any) -> Any:
        time.sleep(pause)
        return inner(batch)

    encoder.forward = slow
    store = Store(root, shard_items=SHARD)
    features = extract(encoder, IDENTITY, SPLIT, store, batch_size=BATCH)
    return {"fresh": sum(batches), "features": features.array.tobytes().hex(), "twice": len(stored_twice(store))}


def fork(work: Callable[[], dict[str, Any]]) -> tuple[int, int]:
    """Start ``work`` in a child; its answer comes through a pipe."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as out:
                json.dump(work(), out)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    return child, reading


def join(child: int, reading: int) -> tuple[int, dict[str, Any] | None]:
    """The child's wait status and its answer, None when it was killed before it gave one."""
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return status, json.loads(text) if text and status == 0 else None


def at_line(number: int, then: Callable[[], None], code: str = CODE) -> Callable[[], int]:
    """Call ``then`` when the ``number``-th line below the folder ``code`` runs; returns a counter of lines."""
    seen = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal seen
        if not frame.f_code.co_filename.startswith(code):
            return None
        if event == "line":
            seen += 1
            if seen == number:
                then()
        return trace

    sys.settrace(trace)
    return lambda: seen


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill(root: str) -> dict[str, Any]:
    """Kill runs at seeded lines and at seeded times, then let one finish; compare with a run left in peace."""

    def peaceful() -> dict[str, Any]:
        count = at_line(-1, die)
        return run(f"{root}/peace") | {"lines": count()}

    _, peace = join(*fork(peaceful))
    assert peace is not None
    dice, rounds = random.Random(2022), []
    while sum(found["killed"] for found in rounds) < KILLS and len(rounds) < KILLS:
        number = len(rounds)
        store, killed, stored = f"{root}/{number}", 0, []
        for _ in range(4):
            line = dice.randrange(1, peace["lines"] // 2)

            def doomed(line: int = line, store: str = store) -> dict[str, Any]:
                at_line(line, die)
                return run(store)

            if number % 2:
                child, reading = fork(lambda store=store: run(store, pause=0.01))
                time.sleep(dice.uniform(0.0, 0.2))
                os.kill(child, signal.SIGKILL)
            else:
                child, reading = fork(doomed)
            status, _ = join(child, reading)
            killed += os.WIFSIGNALED(status)
            stored.append(len([p for p in Path(store).rglob("*.safetensors") if not p.name.startswith(".writing-")]))
        _, last = join(*fork(lambda store=store: run(store)))
        assert last is not None
        leftovers = [path.name for path in Path(store).rglob(".writing-*")]
        rounds.append(
            {
                "killed": killed,
                "stored": stored,
                "fresh": last["fresh"],
                "twice": last["twice"],
                "leftovers": leftovers,
                "same": last["features"] == peace["features"],
            }
        )
    return {"rounds": rounds, "items": ITEMS, "batch": BATCH}


LAYERS, LAYER_SHARD = ("output", "first", "last"), 20


def run_layers(root: str, die_at: int = 0) -> dict[str, Any]:
    """One extraction of three layers; dies when the shard of that number, from 1, is about to be written."""
    encoder, batches = counted(layered_encoder())
    store, inner, shards = Store(root, shard_items=LAYER_SHARD), Shelf.append, 0

    def append(shelf: Shelf, *given: Any) -> None:
        nonlocal shards
        shards += 1
        if shards == die_at:
            die()
        inner(shelf, *given)

    Shelf.append = append  # type: ignore[method-assign]
    found = extract(encoder, IDENTITY, SPLIT, store, batch_size=BATCH, layers=LAYERS)
    features = {layer: features.array.tobytes().hex() for layer, features in found.items()}
    return {"fresh": sum(batches), "features": features, "twice": len(stored_twice(store)), "shards": shards}


def kill_between_layers(root: str) -> dict[str, Any]:
    """Kill a run before each shard that it writes, then let it finish; compare with a run that was not killed."""
    _, peace = join(*fork(lambda: run_layers(f"{root}/peace")))
    assert peace is not None
    rounds = []
    for number in range(1, peace["shards"] + 1):
        store = f"{root}/{number}"
        status, _ = join(*fork(lambda store=store, number=number: run_layers(store, number)))
        stored = len(list(Path(store).rglob("*.safetensors")))
        _, last = join(*fork(lambda store=store: run_layers(store)))
        assert last is not None
        rounds.append(
            {
                "killed": os.WIFSIGNALED(status),
                "stored": stored,
                "written": last["shards"],
                "fresh": last["fresh"],
                "twice": last["twice"],
                "same": last["features"] == peace["features"],
            }
        )
    return {"rounds": rounds, "items": ITEMS, "shard": LAYER_SHARD, "shards": peace["shards"]}


def crowd(root: str) -> dict[str, Any]:
    """Three runs at once on one store."""
    children = [fork(lambda: run(root, pause=0.01)) for _ in range(3)]
    answers = [join(*child)[1] for child in children]
    assert all(answers)
    return {
        "fresh": [answer["fresh"] for answer in answers if answer],
        "results": len({answer["features"] for answer in answers if answer}),
        "twice": sum(answer["twice"] for answer in answers if answer),
        "items": ITEMS,
    }


def refuse(root: str) -> dict[str, Any]:
    """A run whose third file is refused by the operating system, then the same run with room."""

    def cramped() -> dict[str, Any]:
        encoder, batches = counted(image_encoder())
        inner = encoder.forward

        def forward(batch: Any) -> Any:
            if len(batches) == 2 * SHARD // BATCH:
                resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            return inner(batch)

        encoder.forward = forward
        message = ""
        try:
            extract(encoder, IDENTITY, SPLIT, Store(root, shard_items=SHARD), batch_size=BATCH)
        except StoreError as error:
            message = str(error)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        return {"message": message}

    _, first = join(*fork(cramped))
    _, second = join(*fork(lambda: run(root)))
    _, peace = join(*fork(lambda: run(f"{root}/peace")))
    assert first
    assert second
    assert peace
    return {
        "message": first["message"],
        "fresh": second["fresh"],
        "same": second["features"] == peace["features"],
        "items": ITEMS,
        "stored": 2 * SHARD,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(
        json.dumps(
            {
                work.__name__: work(f"{sys.argv[1]}/{work.__name__}")
                for work in (kill, kill_between_layers, crowd, refuse)
            }
        )
    )
