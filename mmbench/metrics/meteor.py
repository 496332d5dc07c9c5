"""METEOR by the authors' Java program, which pycocoevalcap brings and starts.

The program gives a line of numbers for each caption and computes METEOR from the sums of such lines. So it computes
the statistic without each image too, from sums of ours.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import Unmeasured
from mmbench.metrics.caption_tokens import candidates_of, library, references_of, require_java
from mmbench.metrics.jackknife import Array

BETWEEN = " ||| "
IDLE = 60.0  # seconds
CHUNKS, TEST_MATCHES, REFERENCE_MATCHES = 20, 21, 22  # places in a line of numbers; 0 and 1 are the two lengths
_LOCK = threading.Lock()
_KEPT: list[Any] = []
_TIMERS: list[threading.Timer] = []


@contextlib.contextmanager
def running() -> Iterator[Any]:
    """pycocoevalcap's ``Meteor`` with its process, for one caller at a time.

    The process reads its tables for some seconds, so it is kept for the next caller, and killed ``IDLE`` seconds after
    the last. It is killed at once when anything is raised inside, and at the end of the program.
    Raises Unmeasured without pycocoevalcap or Java.
    """
    with _LOCK:
        _wait_no_longer()
        if not _KEPT:
            module = library("meteor.meteor")
            require_java("METEOR")
            _KEPT.append(module.Meteor())
        try:
            yield _KEPT[0]
        except BaseException:
            close()
            raise
        timer = threading.Timer(IDLE, _close_unless_used)
        timer.daemon = True
        timer.start()
        _TIMERS.append(timer)


def close() -> None:
    """Kill the process, if there is one, and wait until it has gone."""
    while _KEPT:
        process = _KEPT.pop().meteor_p
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):  # what was written to a process that had died is lost anyway
                pipe.close()


def _wait_no_longer() -> None:
    while _TIMERS:
        _TIMERS.pop().cancel()


def _close_unless_used() -> None:
    with _LOCK:
        if threading.current_thread() in _TIMERS:  # else another caller came before this timer was stopped
            close()


def meteor(predictions: NDArray, labels: NDArray) -> Array:
    """METEOR of all captions of a trial together, float64 ``[trials]``; raises Unmeasured without Java."""
    return _both(predictions, labels)[0]


def meteor_without(predictions: NDArray, labels: NDArray) -> Array:
    """METEOR without each image, float64 ``[trials, n]``."""
    return _both(predictions, labels)[1]


_LAST: list[tuple[tuple[Any, ...], tuple[Array, Array]]] = []  # the statistic and its jackknife are asked for in turn


def _both(predictions: NDArray, labels: NDArray) -> tuple[Array, Array]:
    references, trials = references_of(labels), candidates_of(predictions)
    key = (tuple(trials), tuple(map(tuple, references)))
    if not (_LAST and _LAST[0][0] == key):
        with running() as program:
            found = [_of_trial(program, trial, references) for trial in trials]
        values, without = (np.array(column, dtype=np.float64) for column in zip(*found, strict=True))
        _LAST[:] = [(key, (values, without))]
    return _LAST[0][1]


def _of_trial(program: Any, captions: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, list[float]]:
    """METEOR of all captions, and without each."""
    asked = [BETWEEN.join(("SCORE", *row, words)) for words, row in zip(captions, references, strict=True)]
    stats = np.array([[float(part) for part in _answer(program, line).split()] for line in asked])
    whole = (stats[:, TEST_MATCHES] == stats[:, 0]) & (stats[:, REFERENCE_MATCHES] == stats[:, 1])
    stats[whole & (stats[:, CHUNKS] == 1), CHUNKS] = 0  # a caption like its reference: the program adds no chunk either
    total = stats.sum(axis=0)
    lines = [" ".join(f"{value:.10g}" for value in row) for row in (total, *(total - stats))]
    _say(program, BETWEEN.join(("EVAL", *lines)))
    values = [_number(program) for _ in lines]
    _number(program)  # of the sum of all these lines, which means nothing
    return values[0], values[1:]


def _answer(program: Any, line: str) -> str:
    _say(program, line)
    return _heard(program)


def _number(program: Any) -> float:
    return float(_heard(program))


def _say(program: Any, line: str) -> None:
    try:
        program.meteor_p.stdin.write(f"{line}\n".encode())
        program.meteor_p.stdin.flush()
    except OSError:
        raise _died(program) from None


def _heard(program: Any) -> str:
    found: str = program.meteor_p.stdout.readline().decode().strip()
    if not found:
        raise _died(program)
    return found


def _died(program: Any) -> Unmeasured:
    with contextlib.suppress(OSError):
        program.meteor_p.kill()
    code = program.meteor_p.wait()
    lines = program.meteor_p.stderr.read().decode(errors="replace").strip().splitlines()
    why = lines[-1] if lines else "it said nothing"
    return Unmeasured(
        f"METEOR's Java process ended with {code} before it had answered: {why}; run again, or free memory"
    )


atexit.register(close)
