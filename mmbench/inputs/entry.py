"""The contract of a family of inputs.

A probe names the family that gathers for it. A family reads datasets, features and encoders through a ``Source``
(mmbench.source) and knows no store, no lineup and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from mmbench.protocol import Cell
from mmbench.registry import Registry, by_name
from mmbench.source import Source
from mmbench.training.entry import Fit

if TYPE_CHECKING:
    from mmbench.datasets.entry import Split


class Inputs(Protocol):
    """What one cell's probe is given: a dataclass of arrays in most families.

    ``truth`` is what the metric compares predictions with. Inputs whose examples are only some of the test items have
    ``ids``, those of these items, and may have ``left_out``, a text that says how many are not among them. Inputs whose
    examples share something that the dataset's items need not share have ``groups`` (``mmbench.datasets.groups``), and
    a digest of examples of their own. Inputs of a probe that is fitted on its test rows (``Probe.fits_test``) have
    ``with_rows(rows)``.
    """

    @property
    def truth(self) -> NDArray[Any]: ...

    def examples(self, test: Split) -> str:
        """The digest of the ordered examples: outcomes with equal digests are paired."""
        ...

    def arrays(self) -> Iterable[NDArray[Any]]:
        """All arrays that the outcome rests on, in a fixed order: their digest tells where two runs differ."""
        ...


@dataclass(frozen=True)
class Family:
    """One kind of inputs.

    ``gather(source, cell)`` makes the inputs of a cell. ``parts(source, cell)`` names, as JSON values and without
    loading anything, all that decides them (feature keys, digests of datasets, texts): it goes into the cell's key. A
    part that is unknown is None, and then nothing is stored. ``own_truth``: predictions are compared with something
    else than the dataset's labels, so it does not matter whether an item has one label or several.
    ``trainings(source, cell)`` names the long trainings that ``gather`` asks for: a run begins with them while it
    measures other cells.
    """

    name: str
    gather: Callable[[Source, Cell], Inputs]
    parts: Callable[[Source, Cell], Sequence[Any]]
    own_truth: bool = False
    about: str = ""
    trainings: Callable[[Source, Cell], Sequence[Fit]] | None = None


FAMILIES: Registry[Family] = Registry(
    "family of inputs", package="mmbench.inputs", group="mmbench.inputs", order=by_name
)


def dataset_part(source: Source, cell: Cell) -> str:
    """The dataset as it stands in a key: its content, and whether an item has one label or several."""
    entry = source.dataset_entry(cell.dataset)
    return f"{entry.identity()}:{entry.task}"
