"""Small encoders and splits for the tests of features; the encoders count what they were asked."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmbench.datasets.entry import Split
from mmbench.errors import BadItem
from mmbench.features import extract as extracting
from mmbench.features.store import Store
from mmbench.models.entry import Encoder, Identity, Preprocess
from mmbench.models.hidden import HiddenLayers, Layer

PREPROCESS = Preprocess(size=8, resize=8, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
VERSIONS = {"torch": "2.0", "pillow": "10.0"}
IDENTITY = Identity(weights="a" * 64, architecture="tiny", layer="pool", preprocess=PREPROCESS, versions=VERSIONS)


@dataclass
class Pictures:
    """Encoded PNG images; ``broken`` rows hold half a file."""

    files: list[bytes]
    decoded: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.files)

    def image(self, index: int) -> Any:
        from PIL import Image

        self.decoded.append(index)
        try:
            return Image.open(io.BytesIO(self.files[index])).convert("RGB")
        except OSError as error:
            raise BadItem(f"picture_{index}.png: {error}") from error

    def digest(self, index: int) -> str:
        return hashlib.sha256(self.files[index]).hexdigest()


def png(seed: int, size: int = 8) -> bytes:
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def pictures(seeds: range | list[int], broken: tuple[int, ...] = ()) -> Split:
    """A split of random pictures, one a seed; equal seeds are equal items."""
    files = [png(seed) for seed in seeds]
    for row in broken:
        files[row] = files[row][: len(files[row]) // 2]
    return Split(tuple(f"p{row}" for row in range(len(files))), np.zeros(len(files), np.int64), Pictures(files))


def sentences(count: int) -> Split:
    texts = tuple(f"sentence number {i} is {'long ' * (i % 5)}" for i in range(count))
    return Split(tuple(f"s{i}" for i in range(count)), np.zeros(count, np.int64), texts=texts)


def prepare(image: Any) -> Any:
    import torch

    pixels = torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1)
    return (pixels / 255 - 0.5) / 0.25


def image_encoder(module: Any = None, dim: int = 16, prepare: Callable[[Any], Any] = prepare) -> Encoder:
    """A small convolutional tower in eval mode, its weights seeded; or ``module`` in its place."""
    import torch

    if module is None:
        torch.manual_seed(0)
        module = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, padding=1),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, dim, 3, stride=2),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
        ).eval()
    return Encoder("image", dim, module, module, prepare)


def layered_encoder() -> Encoder:
    """The small tower with two hidden layers: ``first`` (8 wide, after its ReLU) and ``last`` (16 wide, unpooled)."""
    import torch

    encoder = image_encoder()
    layers = {"first": Layer(encoder.module[2]), "last": Layer(encoder.module[3])}
    hidden = HiddenLayers(layers, lambda: encoder.module(torch.zeros(1, 3, 8, 8)))
    return dataclasses.replace(encoder, hidden=hidden)


def text_encoder(dim: int = 8) -> Encoder:
    """The mean of seeded letter embeddings."""
    import torch

    torch.manual_seed(0)
    table = torch.nn.Embedding(256, dim).eval()

    def forward(texts: list[str]) -> Any:
        return torch.stack([table(torch.tensor(list(text.encode()))).mean(0) for text in texts])

    return Encoder("text", dim, table, forward)


def counted(encoder: Encoder) -> tuple[Encoder, list[int]]:
    """The encoder with a list that grows by the size of every batch it is given."""
    batches: list[int] = []
    inner = encoder.forward

    def forward(batch: Any) -> Any:
        batches.append(len(batch))
        return inner(batch)

    return dataclasses.replace(encoder, forward=forward), batches


def stored_twice(store: Store) -> list[tuple[str, str]]:
    """(key, item) pairs that are stored more than once, because two runs, in any processes, both encoded them."""
    twice = []
    for folder in sorted((store.root / "features").glob("??/*/")):
        shelf = store.shelf(folder.name)
        shelf.refresh()
        counts = Counter(bytes(item).hex() for shard in shelf.shards for item in shard.items)
        twice += [(folder.name, item) for item, n in counts.items() if n > 1]
    return twice


def extract(*given: Any, layers: Any = None, **options: Any) -> Any:
    """``mmbench.features.extract.extract``; without ``layers``, the features of the output alone."""
    if layers is None:
        return extracting.extract(*given, **options)["output"]
    return extracting.extract(*given, layers=layers, **options)
