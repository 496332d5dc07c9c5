"""How many floating-point operations it takes to encode an image, and to translate its vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.entry import Split
from mmbench.errors import Unmeasured
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.protocol import Cell
from mmbench.source import Source, require_kinds
from mmbench.training.latent_cyclegan import LatentCycleGANSettings, translate, untrained


@dataclass(frozen=True)
class Operations:
    """``encode`` and ``translate`` int64 ``[n]``: operations of matrix products and convolutions for each image."""

    encode: NDArray[np.int64]
    translate: NDArray[np.int64]
    ids: tuple[str, ...]

    @property
    def truth(self) -> NDArray[np.int64]:
        return self.encode

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (self.encode, self.translate)

    def examples(self, test: Split) -> str:
        return Split(self.ids, np.zeros(len(self.ids), dtype=np.int64)).digest()


def counted(work: Callable[[], object]) -> int:
    """Operations of the matrix products and convolutions of ``work``, a product and a sum counted as two."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def gather(source: Source, cell: Cell) -> Operations:
    """Count on the first test image: each takes as many operations.

    Raises Unmeasured for an encoder whose operations torch does not see.
    """
    import torch

    require_kinds(source, cell.models, ("image", "text"))
    test = source.dataset(cell.dataset).split("test")
    encoder = source.encoder(source.model(cell.models[0]))
    if encoder.prepare is None or test.images is None:
        raise Unmeasured(f"{cell}: operations are counted on images, and there are none")
    weights = untrained(encoder.dim, LatentCycleGANSettings(networks=1), 0)
    where = next(encoder.module.parameters()).device
    image = encoder.prepare(test.images.image(0))[None].to(where)
    with torch.inference_mode():
        encode = counted(lambda: encoder.forward(image))
    translate_one = counted(lambda: translate(weights, np.zeros((1, encoder.dim), dtype=np.float32), 0))
    if min(encode, translate_one) == 0:
        raise Unmeasured(f"{cell}: torch counts no operation of {cell.models[0]}; it computes its features elsewhere")
    ones = np.ones(len(test), dtype=np.int64)
    return Operations(ones * encode, ones * translate_one, test.ids)


def parts(source: Source, cell: Cell) -> list[Any]:
    """The image encoder's feature key and the dataset."""
    return [source.feature_key(source.model(cell.models[0])), dataset_part(source, cell)]


FAMILIES.add(
    Family(
        "operations", gather, parts, own_truth=True, about="operations to encode an image and to translate its vector"
    )
)
