"""Two pieces of work at a time, each on half of the cores; and work that is too small for several threads.

Threads that share one small operation wait for each other hundreds of times a second, and all wait when a busy machine
takes a core from one of them. Two pieces that share nothing do not: on two cores they take a third less time together.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

SPIN_COUNT = "GOMP_SPINCOUNT"  # read by GNU's OpenMP when torch loads it: how long a waiting thread spins
Given = TypeVar("Given")
Made = TypeVar("Made")


def let_waiting_threads_sleep() -> None:
    """Shorten the time that OpenMP's waiting threads spin, unless the user has set it.

    To be called where a process of mmbench starts, before torch is loaded: the plugin's session, the command line. By
    default threads spin for so long that a busy machine slows a run tenfold and more; on an idle one, 3,000 rounds cost
    nothing (measured).
    """
    os.environ.setdefault(SPIN_COUNT, "3000")


def two_at_a_time(work: Callable[[Given], Made], given: Iterable[Given]) -> Generator[Made, None, None]:
    """Yield ``work(each)`` in the order of ``given``, two at work while a third is being fetched from ``given``.

    With one core, one after another. ``given`` is read on the caller's thread. What it raises, and what ``work``
    raises, is raised after the results before it. ``work`` must be thread-safe. The numbers of threads of torch and of
    numpy's linear algebra are halved until the last result or ``close()``.
    """
    import torch
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    if threads < 2:
        yield from map(work, given)
        return
    at_work: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(2, "mmbench-half", initializer=torch.set_num_threads, initargs=(threads // 2,))
    limits = threadpool_limits(threads // 2, user_api="blas")
    try:
        broken, items = None, iter(given)
        while broken is None:
            try:
                at_work.append(pool.submit(work, next(items)))
            except Exception as error:
                broken = error
            if len(at_work) > 2:
                yield at_work.popleft().result()
        while at_work:
            yield at_work.popleft().result()
        if not isinstance(broken, StopIteration):
            raise broken
    finally:
        pool.shutdown(cancel_futures=True)
        limits.restore_original_limits()
        torch.set_num_threads(threads)


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Numpy's linear algebra on one thread: for many products of some dozens of rows, whose threads would only wait.

    Beside other work, judging the embedded lineup's claims took twice the processor's time on two threads.
    """
    with _blas().limit(limits=1):
        yield


@functools.cache  # finding the libraries takes half a millisecond
def _blas() -> ThreadpoolController:
    import numpy as np  # noqa: F401 (only libraries that are loaded are found)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
