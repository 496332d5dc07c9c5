"""Images from files, bytes and arrays: decoded one at a time, with a clear error for each kind of damage."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench import files
from mmbench.errors import BadItem

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})
MAX_PIXELS = 64_000_000


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> Image:
    """An image file as RGB; as ``decode_image``, and BadItem when the file does not exist."""
    if not path.is_file():
        raise BadItem(f"{path} does not exist")
    return decode_image(path, str(path), max_pixels=max_pixels)


def decode_image(source: Path | bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> Image:
    """An encoded image as RGB: the first frame of an animation, 16-bit scaled to 8, transparency laid on white.

    Raises BadItem with ``name`` when it is empty, truncated, no image, or has more than ``max_pixels``; the size is
    read from the header, before anything is decoded.
    """
    from PIL import Image, UnidentifiedImageError

    if (len(source) if isinstance(source, bytes) else source.stat().st_size) == 0:
        raise BadItem(f"{name} is empty (0 bytes); copy it again or remove it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked below
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise BadItem(f"{name} has {width} x {height} pixels, more than the limit of {max_pixels:,}")
                image.seek(0)
                image.load()
                return _to_rgb(image)
    except UnidentifiedImageError:
        raise BadItem(f"{name} is not a readable image; remove it or convert it to PNG") from None
    except Image.DecompressionBombError:
        raise BadItem(f"{name} has more pixels than the limit of {max_pixels:,}") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise BadItem(f"{name} cannot be decoded ({error}); copy it again or remove it") from error


def _to_rgb(image: Image) -> Image:
    from PIL import Image as Images

    if image.mode.startswith("I") or image.mode == "F":  # PIL's own conversion would clip 16 bits at 255
        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if image.mode.startswith("I") else max(float(values.max(initial=0.0)), 1e-12)
        return Images.fromarray(np.rint(np.clip(values / top, 0, 1) * 255).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Images.new("RGBA", clear.size, (255, 255, 255, 255))
        return Images.alpha_composite(white, clear).convert("RGB")
    return image.convert("RGB")


class FileImages:
    """Image files, decoded one at a time."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def image(self, index: int) -> Image:
        return read_image(self.paths[index])

    def digest(self, index: int) -> str:
        """Hex SHA-256 of the file. Raises BadItem when it cannot be read."""
        return file_digest(self.paths[index])


class ArrayImages:
    """Images held as uint8 ``[n, height, width]`` or ``[n, height, width, 3]``."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def image(self, index: int) -> Image:
        from PIL import Image

        return Image.fromarray(np.ascontiguousarray(self.pixels[index])).convert("RGB")

    def digest(self, index: int) -> str:
        """Hex SHA-256 of shape and pixels."""
        pixels = np.ascontiguousarray(self.pixels[index])
        return hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file, read once as long as it stays the same. Raises BadItem."""
    try:
        return files.sha256_of(path)
    except OSError as error:
        raise BadItem(f"{path} cannot be read ({error.strerror})") from error
