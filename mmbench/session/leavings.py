"""What a run leaves on disk at its end, and what of it could not be written."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Leavings:
    """Files below ``folder`` that were written, and lines that say what was not and why.

    Whatever fails while a file is written is kept as a line: it must not cost the summary, the gate's decision or
    pytest's own report.
    """

    folder: Path
    written: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def writing(self, what: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            self.problems.append(
                f"{what} could not be written to {self.folder}: {error.strerror or error}; the scores are stored, so "
                "run again with --mmbench-report DIR"
            )
        except Exception as error:  # a fault of ours
            self.problems.append(f"{what} could not be written to {self.folder}: {type(error).__name__}: {error}")

    def lines(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        """What the terminal says of it."""
        from mmbench.words import printable

        yield from ((f"written: {printable(str(path))}", ()) for path in self.written)
        yield from ((printable(text), ("red", "bold")) for text in self.problems)
