"""The digest of every item of a split: the name under which its features are stored."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, BadItem, BadSpec
from mmbench.features.shards import DIGEST_BYTES
from mmbench.models.entry import Modality


def item_digests(split: Split, modality: Modality) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Digests uint8 ``[n, 32]`` of a split's items, and the reason for each that has none.

    An image source may have ``digests()``, which returns all hex digests at once; else ``digest(i)`` is called for
    each. Raises BadSpec when the split has no items of that modality, BadDataset for a digest that is not a SHA-256.
    """
    bad: dict[int, str] = {}
    if modality == "text":
        if split.texts is None:
            raise BadSpec("this split has no texts, so a text encoder has nothing to encode; bind an image encoder")
        found = [split.text_digest(row) for row in range(len(split))]
    else:
        if split.images is None:
            raise BadSpec("this split has no images, so an image encoder has nothing to encode; bind a text encoder")
        found = _image_digests(split, bad)
    try:
        flat = np.frombuffer(bytes.fromhex("".join(found)), np.uint8)
        return flat.reshape(len(split), DIGEST_BYTES), bad
    except ValueError as error:
        raise BadDataset(f"an item's digest is not a hex SHA-256 of {2 * DIGEST_BYTES} characters: {error}") from error


def _image_digests(split: Split, bad: dict[int, str]) -> list[str]:
    images: Any = split.images
    if hasattr(images, "digests"):
        with contextlib.suppress(BadItem, OSError):  # then one by one below, to find which item it is
            return list(images.digests())
    found = []
    for row in range(len(split)):
        try:
            found.append(images.digest(row))
        except (BadItem, OSError) as error:
            bad[row] = str(error)
            found.append("0" * 2 * DIGEST_BYTES)
    return found
