"""The same test images as pixels of two models: adversarial images of the first are shown to the second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset
from mmbench.inputs import pixels
from mmbench.inputs.entry import FAMILIES, Family
from mmbench.inputs.pixels import Pixels
from mmbench.protocol import Cell, Roles
from mmbench.source import Source


@dataclass(frozen=True)
class Transferred:
    """``attacked`` are images and classifier of the first model, ``shown`` those of the second; of the same items."""

    attacked: Pixels
    shown: Pixels

    @property
    def truth(self) -> NDArray[np.int64]:
        return self.shown.labels

    @property
    def ids(self) -> tuple[str, ...]:
        return self.shown.ids

    @property
    def made_with(self) -> dict[str, str]:
        return self.shown.made_with

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from self.attacked.arrays()
        yield from self.shown.arrays()

    def examples(self, test: Split) -> str:
        return self.shown.examples(test)

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no probe can work on."""
        self.attacked.check()
        self.shown.check()
        if self.attacked.ids != self.shown.ids:
            raise BadDataset("adversarial images are shown to another model as they are: both need the same images")


def _of(cell: Cell, role: str) -> Cell:
    return Cell(cell.protocol, Roles(role), cell.dataset)


def gather(source: Source, cell: Cell) -> Transferred:
    """The same images for both models; raises what ``pixels.gather`` raises."""
    first, second = (pixels.gather(source, _of(cell, role)) for role in cell.models)
    return Transferred(first, second)


def parts(source: Source, cell: Cell) -> list[Any]:
    """The parts of both models' pixels."""
    return [part for role in cell.models for part in pixels.parts(source, _of(cell, role))]


FAMILIES.add(Family("transferred", gather, parts, about="the same images as pixels of two models"))
