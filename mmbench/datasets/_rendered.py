"""Shared by the generated datasets: seeded random numbers, pixels rendered once and cached, digests of code."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench import files
from mmbench.assets import cache_dir
from mmbench.errors import MissingAsset
from mmbench.program import canonical, source_of

if TYPE_CHECKING:
    from PIL.Image import Image


class Dice:
    """Random numbers with words as their seed.

    Built on the raw bits of PCG64, which numpy keeps stable, and not on Generator's distributions, which it
    may change: every machine gets the same item.
    """

    def __init__(self, *words: object) -> None:
        seed = hashlib.sha256("\0".join(map(str, words)).encode()).digest()
        self._bits = np.random.PCG64(int.from_bytes(seed[:16], "big"))

    def uniform(self, low: float = 0.0, high: float = 1.0, size: int | tuple[int, ...] | None = None) -> Any:
        count = 1 if size is None else int(np.prod(size))
        unit = (self._bits.random_raw(count) >> np.uint64(11)) * 2.0**-53
        values = low + (high - low) * unit
        return float(values[0]) if size is None else values.reshape(size)

    def integer(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def pick(self, options: Sequence[Any]) -> Any:
        return options[self.integer(0, len(options) - 1)]

    def order(self, count: int) -> NDArray[np.int64]:
        """A permutation of ``range(count)``."""
        return np.argsort(self.uniform(size=count), kind="stable")

    def sample(self, options: Sequence[Any], count: int) -> list[Any]:
        """``count`` different options."""
        return [options[i] for i in self.order(len(options))[:count]]


class RenderedImages:
    """Images of one split, rendered when the first is asked for, then read from the cache.

    ``render`` gives uint8 pixels ``[count, height, width, 3]``; ``key`` names them (see ``identity_of``).
    """

    def __init__(self, name: str, key: str, count: int, render: Callable[[], NDArray[np.uint8]]) -> None:
        self._name, self._key, self._count, self._render = name, key, count, render

    def __len__(self) -> int:
        return self._count

    def image(self, index: int) -> Image:
        from PIL import Image

        return Image.fromarray(self.pixels[index])

    def digest(self, index: int) -> str:
        """Hex SHA-256 of shape and pixels."""
        return self._digests[index]

    def digests(self) -> list[str]:
        """All digests at once; computed once for all encoders."""
        return self._digests

    @functools.cached_property
    def _digests(self) -> list[str]:
        shape = str(self.pixels.shape[1:]).encode()
        return [hashlib.sha256(shape + pixels.tobytes()).hexdigest() for pixels in self.pixels]

    @functools.cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """Read-only uint8 ``[count, height, width, 3]``, memory-mapped."""
        return kept_array(self._name, self._key, self._count, self._render)


def kept_array(name: str, key: str, rows: int, make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The array of ``rows`` rows that ``make`` gives, made once; a cache file that cannot be read is made again."""
    path = cache_dir() / "datasets" / f"{name}-{key[:16]}.npy"
    kept = _read(path, rows)
    if kept is None:
        made = make()
        assert made.dtype == np.uint8, made.dtype
        assert len(made) == rows, f"{name}: {len(made)} rows made, {rows} promised"
        save_array(path, made)
        kept = _read(path, rows)
        assert kept is not None
    return kept


def _read(path: Path, rows: int) -> NDArray[np.uint8] | None:
    try:
        kept = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return kept if len(kept) == rows else None


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write ``array`` in one step: of two processes that render the same bytes, the last rename wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic(path) as temporary:
        np.save(temporary, array, allow_pickle=False)


def identity_of(*parts: object, modules: Sequence[str] = ()) -> str:
    """Hex SHA-256 of the parts and of what the named modules do: it changes when an item could; nothing is rendered.

    Comments, docstrings and formatting do not count (``mmbench.program``). Raises MissingAsset for a module without
    source.
    """
    hasher = hashlib.sha256("\0".join(map(str, parts)).encode())
    for module in modules:
        hasher.update(_program(module).encode())
    return hasher.hexdigest()


@functools.cache
def _program(module: str) -> str:
    found = source_of(module)
    if found is None:
        raise MissingAsset(f"module {module} has no source file, which the identity of its datasets needs")
    return canonical(found.text)


def to_bytes(canvas: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Pixels from floats in [0, 1]."""
    return np.rint(np.clip(canvas, 0.0, 1.0) * 255.0).astype(np.uint8)
