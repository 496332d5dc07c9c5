"""How two models represent the classes of one dataset: what a comparison of two spaces needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features, check_labels
from mmbench.datasets.entry import Dataset, Split
from mmbench.datasets.marked import Marked
from mmbench.datasets.prompts import marked_prompts, prompt_texts
from mmbench.errors import BadDataset, BadSpec, Unmeasured
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.models.entry import OUTPUT, ModelEntry
from mmbench.models.spans import SPAN_FIRST, SPAN_MEAN
from mmbench.protocol import Cell
from mmbench.source import Source

Label = Literal["mean", "first", "text"]
LABEL_LAYERS: dict[Label, str] = {"mean": SPAN_MEAN, "first": SPAN_FIRST, "text": OUTPUT}
FEWEST = 4  # classes: when one is left out, three pairs of classes remain


@dataclass(frozen=True)
class Side:
    """One model's features ``x``, float32 ``[n, d]``.

    Of the test images, with ``labels`` int64 ``[n]``; or, where ``labels`` is None, of one prompt for each class (of
    its label or of the whole text), in the order of the classes.
    """

    role: str
    x: NDArray[np.float32]
    labels: NDArray[Any] | None = None


@dataclass(frozen=True)
class Pair:
    """The same classes under two models, in the order of the cell's roles. The widths of the two may differ."""

    sides: tuple[Side, Side]
    class_names: tuple[str, ...]

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def truth(self) -> NDArray[np.int64]:
        """The classes by number: they are the examples."""
        return np.arange(self.classes)

    def examples(self, test: Split) -> str:
        return hashlib.sha256("\0".join(("classes", *self.class_names)).encode()).hexdigest()

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (side.x for side in self.sides)

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no probe can work on."""
        check_enough_classes("the dataset", self.class_names)
        for side in self.sides:
            check_features(f"{side.role} features", side.x, side.x.shape[-1])
            if side.labels is None:
                if len(side.x) != self.classes:
                    raise BadDataset(
                        f"{side.role} needs one row a class, {self.classes} in all, got {len(side.x)}; "
                        "images need a label for each row"
                    )
                continue
            check_labels("test", side.labels, len(side.x), self.class_names, multilabel=False)
            counts = np.bincount(side.labels, minlength=self.classes)
            if counts.min() < 2:
                few = int(counts.argmin())
                raise BadDataset(
                    f"class {self.class_names[few]!r} has {counts[few]} test images; its spread needs at least 2"
                )


def check_enough_classes(what: str, names: tuple[str, ...]) -> None:
    """Raise BadDataset for fewer classes than a correlation of dissimilarities, jackknifed, can be computed from."""
    if len(names) < FEWEST:
        raise BadDataset(
            f"{what} has {len(names)} classes, {list(names)}; a correlation of dissimilarity matrices needs at least "
            f"{FEWEST}; bind another dataset"
        )


def prompts_of(source: Source, cell: Cell) -> tuple[Marked, ...]:
    """One text a class, its name marked, from the protocol's template, or from the dataset's first without one.

    Raises BadDataset for a class without a name, BadSpec for a template without exactly one ``{}``.
    """
    template = getattr(cell.protocol.settings, "template", None)
    own = (template,) if template else source.dataset_entry(cell.dataset).templates[:1]
    if not own:
        prompt_texts(source.dataset(cell.dataset), own)  # says what a dataset without templates lacks
    return marked_prompts(source.dataset(cell.dataset), own[0])


def prompt_layer(model: ModelEntry, cell: Cell) -> str:
    """What is taken of a prompt: its label's tokens where the encoder gives them, else the whole text's vector."""
    label: Label = getattr(cell.protocol.settings, "label", "text")
    return LABEL_LAYERS[label] if model.spans else OUTPUT


def gather(source: Source, cell: Cell) -> Pair:
    """Test features of each image encoder at the protocol's layer, prompt features of each text encoder.

    Raises BadDataset for fewer than 4 classes, BadSpec for items of several labels, Unmeasured where prompts are asked
    for at a hidden layer.
    """
    dataset = source.dataset(cell.dataset)
    check_enough_classes(cell.dataset, dataset.classes)
    if dataset.task != "single":
        raise BadSpec(f"{cell} compares classes, and items of {cell.dataset} have several; bind another dataset")
    first, second = (_side(source, cell, role, dataset) for role in cell.models)
    return Pair((first, second), dataset.classes)


def _side(source: Source, cell: Cell, role: str, dataset: Dataset) -> Side:
    model = source.model(role)
    if model.modality == "text":
        if cell.protocol.layer != OUTPUT:
            raise Unmeasured(
                f"{cell} asks for the layer {cell.protocol.layer!r}, and prompts are encoded at {OUTPUT!r}"
            )
        prompts, layer = prompts_of(source, cell), prompt_layer(model, cell)
        return Side(role, source.texts(model, prompts, f"{cell.dataset}/prompts", layer))
    test = dataset.split("test")
    return Side(role, source.features(model, test, f"{cell.dataset}/test", cell.protocol.layer), test.labels)


def parts(source: Source, cell: Cell) -> list[Any]:
    """Feature keys in the order of the roles, the dataset and, where a role is a text encoder, the prompts' texts."""
    kinds = [source.model(role).modality for role in cell.models]
    keys = [_key(source, cell, role) for role in cell.models]
    texts = []
    if "text" in kinds:
        texts = [{"prompts": [(str(text), text.start, text.end) for text in prompts_of(source, cell)]}]
    return [*keys, dataset_part(source, cell), *texts]


def _key(source: Source, cell: Cell, role: str) -> str | None:
    model = source.model(role)
    return source.feature_key(model, prompt_layer(model, cell) if model.modality == "text" else cell.protocol.layer)


FAMILIES.add(Family("pair", gather, parts, about="the classes of a dataset under two models"))
