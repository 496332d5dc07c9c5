"""What the zoo's features say about drawings that the zoo never saw: three quick figures, no claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.zoo import weight_files
from mmbench.zoo.frozen import augment

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.floating]
BATCH = 256
PAIRS = 32  # eight give the loss of packing only to about 0.1 points


@dataclass(frozen=True)
class Unseen:
    """Each evaluation drawing, premultiplied RGBA ``[n, 4, 72, 72]``, and two views of it ``[2, n, 3, 64, 64]``."""

    drawings: Tensor
    views: Tensor
    names: tuple[str, ...]
    categories: tuple[str, ...]
    concepts: tuple[str, ...]


def unseen(seed: int = 1234) -> Unseen:
    """The evaluation drawings in two fixed poses each."""
    import torch

    from mmbench.datasets import openmoji
    from mmbench.zoo.frozen.corpus import PIXELS

    found, rows = openmoji.drawings(PIXELS), np.array(openmoji.unseen())
    pixels = augment.premultiplied(np.ascontiguousarray(found.pixels[rows].transpose(0, 3, 1, 2)))
    rng = torch.Generator().manual_seed(seed)
    return Unseen(
        drawings=pixels,
        views=torch.stack([augment.views(pixels, rng) for _ in range(2)]),
        names=tuple(found.names[row] for row in rows),
        categories=tuple(found.categories[row] for row in rows),
        concepts=tuple(found.concepts[row] for row in rows),
    )


def encode(tower: Callable[[Tensor], Tensor], images: Tensor) -> Array:
    """Features of a stack of views, float32 ``[n, dim]``."""
    import torch

    with torch.inference_mode():
        return np.concatenate([tower(batch).float().numpy() for batch in images.split(BATCH)])


def one_shot(first: Array, second: Array) -> float:
    """Share of second views whose most similar first view (cosine) is of the same drawing."""
    nearest = (_unit(second) @ _unit(first).T).argmax(axis=1)
    return float(np.mean(nearest == np.arange(len(first))))


def category_probe(features: Array, categories: tuple[str, ...], concepts: tuple[str, ...], folds: int = 5) -> float:
    """Accuracy of a ridge classifier of categories (without flags), cross-validated so that a concept is in one fold.

    Standardised features; the penalty is a fifth of the number of rows, the same for every model.
    """
    keep = np.array([category != "Flags" for category in categories])
    kinds, labels = np.unique(np.array(categories)[keep], return_inverse=True)
    x = np.asarray(features, dtype=np.float64)[keep]
    groups = np.unique(np.array(concepts)[keep], return_inverse=True)[1]
    fold = np.random.default_rng(0).permutation(groups.max() + 1)[groups] % folds
    hits = np.zeros(len(x), dtype=bool)
    for held_out in range(folds):
        test = fold == held_out
        mean, std = x[~test].mean(axis=0), x[~test].std(axis=0) + 1e-6
        train_x, test_x = (x[~test] - mean) / std, (x[test] - mean) / std
        targets = np.eye(len(kinds))[labels[~test]]
        penalty = 0.2 * len(train_x) * np.eye(x.shape[1])
        weights = np.linalg.solve(train_x.T @ train_x + penalty, train_x.T @ (targets - targets.mean(axis=0)))
        hits[test] = (test_x @ weights + targets.mean(axis=0)).argmax(axis=1) == labels[test]
    return float(hits.mean())


def named(images: Array, texts: Array, top: int = 10) -> float:
    """Share of images whose own name is among the ``top`` most similar texts (row i names image i)."""
    similarity = _unit(images) @ _unit(texts).T
    own = similarity.diagonal()[:, None]
    return float(((similarity > own).sum(axis=1) < top).mean())


def image_models() -> list[str]:
    """Names of the image models whose weights are here."""
    return [name for name in weight_files.shipped() if weight_files.card(name).modality == "image"]


def figures(names: list[str] | None = None) -> dict[str, dict[str, float]]:
    """The figures of each shipped image model and of ``random``; ``clip`` also by name (recall at 10, and chance)."""
    data = unseen()
    found: dict[str, dict[str, float]] = {}
    for name in names or [*image_models(), weight_files.RANDOM]:
        tower = weight_files.image_tower(name)
        first, second = encode(tower, data.views[0]), encode(tower, data.views[1])
        found[name] = {
            "one_shot": one_shot(first, second),
            "categories": category_probe(first, data.categories, data.concepts),
        }
        if name == "clip":
            texts = read([f"a drawing of {each}" for each in data.names])
            found[name] |= {"named_in_10": named(first, texts), "named_in_10_chance": 10 / len(texts)}
    return found


def one_shot_seen(name: str, seed: int = 1234) -> float:
    """One-shot accuracy on as many training drawings as there are unseen ones: on what the zoo was shown."""
    import torch

    from mmbench.datasets import openmoji
    from mmbench.zoo.frozen.corpus import training_corpus

    corpus = training_corpus()
    rows = np.random.default_rng(seed).permutation(len(corpus))[: len(openmoji.unseen())]
    pixels, rng = augment.premultiplied(corpus.pixels[rows]), torch.Generator().manual_seed(seed)
    tower = weight_files.image_tower(name)
    return one_shot(*(encode(tower, augment.views(pixels, rng)) for _ in range(2)))


def names_probe(name: str) -> float:
    """Accuracy of categories predicted from the names of unseen drawings, by the features of a text tower."""
    data = unseen()
    return category_probe(read(list(data.names), name), data.categories, data.concepts)


def lost_by_packing(tower: Callable[[Tensor], Tensor], packed: Callable[[Tensor], Tensor]) -> float:
    """One-shot accuracy of ``tower`` less that of ``packed``, in points: the mean over ``PAIRS`` pairs of views."""
    import torch

    drawings, rng, lost = unseen().drawings, torch.Generator().manual_seed(4321), []
    for _ in range(PAIRS):
        views = [augment.views(drawings, rng) for _ in range(2)]
        whole, short = (one_shot(*(encode(each, view) for view in views)) for each in (tower, packed))
        lost.append(100 * (whole - short))
    return float(np.mean(lost))


def read(texts: list[str], name: str = "clip_t") -> Array:
    """Text features of a shipped text tower, float32 ``[n, dim]``."""
    import torch

    tower, tokenizer = weight_files.text_tower(name)
    with torch.inference_mode():
        return np.asarray(tower(torch.from_numpy(tokenizer.encode(texts))).numpy())


def _unit(rows: Array) -> Array:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
