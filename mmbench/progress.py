"""A progress bar on standard error, where that is a terminal; elsewhere nothing is shown."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID


@dataclass(frozen=True)
class Bar:
    """One bar; every call does nothing when it is not shown."""

    progress: Progress | None = None
    task: TaskID | None = None

    @property
    def shown(self) -> bool:
        """Whether a person sees it."""
        return self.progress is not None

    def advance(self, count: int) -> None:
        """``count`` more are done."""
        if self.progress is not None and self.task is not None:
            self.progress.advance(self.task, count)

    def update(self, done: int, *, total: int | None = None, what: str | None = None) -> None:
        """``done`` in all are done, of ``total``; a total or text that is None stays as it is."""
        if self.progress is not None and self.task is not None:
            self.progress.update(self.task, completed=done, total=total, description=what)


@contextlib.contextmanager
def progress_bar(
    what: str,
    total: int | None,
    *,
    wanted: bool = True,
    done: int = 0,
    unit: Literal["items", "bytes"] = "items",
    stays: bool = False,
) -> Iterator[Bar]:
    """A bar with the text ``what`` (shown as it is, without markup) for ``total`` items or bytes.

    It is shown when it is ``wanted`` and standard error is a terminal, and removed at the end unless it ``stays``.
    """
    if not wanted or not sys.stderr.isatty():
        yield Bar()
        return
    from rich import progress as rich_progress
    from rich.console import Console

    text = rich_progress.TextColumn("{task.description}", markup=False)
    counts: tuple[ProgressColumn, ...] = (rich_progress.MofNCompleteColumn(), rich_progress.TimeRemainingColumn())
    if unit == "bytes":
        counts = (rich_progress.DownloadColumn(), rich_progress.TransferSpeedColumn())
    columns = (text, rich_progress.BarColumn(), *counts)
    with rich_progress.Progress(*columns, console=Console(stderr=True), transient=not stays) as shown:
        yield Bar(shown, shown.add_task(what, total=total, completed=done))
