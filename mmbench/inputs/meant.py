"""Images with targets of attacks, and how far apart in meaning each image's class and its target are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features
from mmbench.datasets.entry import Split
from mmbench.datasets.groups import Groups, grouped
from mmbench.errors import BadDataset
from mmbench.inputs import pixels
from mmbench.inputs.entry import FAMILIES, Family
from mmbench.inputs.pair import prompts_of
from mmbench.inputs.pixels import Pixels
from mmbench.protocol import Cell, Roles
from mmbench.source import Source, require_kinds

SWEEP = "attack_sweep"  # the probe whose images, reductions and kept states are used


@dataclass(frozen=True)
class Meant:
    """``attacked`` are the images with targets; ``distance`` float64 ``[n]`` is that of label and target in meaning.

    It is 1 minus the cosine of a text encoder's vectors of one prompt a class, and so the same for all images of a
    class: these are no independent examples of a correlation with it.
    """

    attacked: Pixels
    distance: NDArray[np.float64]

    @property
    def truth(self) -> NDArray[np.float64]:
        return self.distance

    @property
    def ids(self) -> tuple[str, ...]:
        return self.attacked.ids

    @property
    def made_with(self) -> dict[str, str]:
        return self.attacked.made_with

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from self.attacked.arrays()
        yield self.distance

    @property
    def groups(self) -> Groups | None:
        """Images of one class, with one target."""
        return grouped(self.attacked.labels.tolist(), "classes")

    def examples(self, test: Split) -> str:
        """Another digest than that of the attacked images: elsewhere images of one class share nothing."""
        return f"{self.attacked.examples(test)}:by class"

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no probe can work on."""
        self.attacked.check()
        if self.attacked.targets is None:
            raise BadDataset("distances in meaning are those of labels and targets, and these images have no targets")
        check_features("distances", self.distance[:, None], 1)
        if len(self.distance) != len(self.attacked.images) or np.ptp(self.distance) == 0:
            raise BadDataset(
                f"expected a distance for each of {len(self.attacked.images)} images, and not all equal; got "
                f"{len(self.distance)} between {self.distance.min():.3g} and {self.distance.max():.3g}"
            )


def _attacked(cell: Cell) -> Cell:
    """The cell of the image encoder alone, as the sweep asks for it."""
    protocol = dataclasses.replace(cell.protocol, probe=SWEEP)
    return Cell(protocol, Roles(cell.models[0]), cell.dataset)


def gather(source: Source, cell: Cell) -> Meant:
    """The sweep's targeted images, and distances from the text encoder. Raises Unmeasured for other kinds of models."""
    require_kinds(source, cell.models, ("image", "text"))
    found = pixels.gather(source, _attacked(cell))
    vectors = source.texts(source.model(cell.models[1]), prompts_of(source, cell), f"{cell.dataset}/prompts")
    unit = vectors.astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    targets = found.labels if found.targets is None else found.targets
    return Meant(found, 1.0 - (unit[found.labels] * unit[targets]).sum(axis=1))


def parts(source: Source, cell: Cell) -> list[Any]:
    """The parts of the attacked images, the text encoder's feature key and the prompts' texts."""
    text = source.feature_key(source.model(cell.models[1]))
    return [*pixels.parts(source, _attacked(cell)), text, {"prompts": prompts_of(source, cell)}]


FAMILIES.add(
    Family("meant", gather, parts, own_truth=True, about="images with targets, and the distance in meaning to these")
)
