"""Images from files, bytes and arrays: decoded one at a time, with a clear error for each kind of damage.

How a file becomes RGB of 8 bits, by a ``Rule``:

    white      what a user binds (folders, tables, shards, Hugging Face datasets). Turned upright as EXIF says, as a
               viewer shows it; transparency laid on white; 16 bits scaled to 8 over their whole range. Refused are
               16-bit images whose values use 12 bits or fewer, 32-bit whole numbers and floats: nothing says which
               value is white
    drop       the same, but transparency is dropped and the colours below it stay (``alpha=drop``)
    reference  the datasets of the papers: what their readers do, ``PIL.Image.open(file).convert("RGB")``; not turned,
               transparency dropped, 16 bits as Pillow converts them

Only the formats of ``FORMATS`` are decoded, by what a file holds and not by its name: for others (PostScript) Pillow
starts programs.
"""

from __future__ import annotations

import functools
import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench import files
from mmbench.datasets.text_files import readable, require_plain
from mmbench.errors import BadDataset, BadItem
from mmbench.spec import choice

if TYPE_CHECKING:
    from PIL.Image import Image

Rule = Literal["white", "drop", "reference"]
WHITE: Rule = "white"
DROPPED: Rule = "drop"
REFERENCE: Rule = "reference"
ALPHA = choice("white", "drop")  # of a specification

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM")
SUFFIXES = frozenset(
    f".{suffix}" for suffix in "png apng jpg jpeg jpe jfif webp gif tif tiff bmp dib avif ppm pgm pbm pnm".split()
)
MAX_PIXELS = 64_000_000
MOST_BYTES = 1 << 28  # of one encoded image
LARGEST = 1 << 42  # of a file that is hashed: shards may be large
_FEW_BITS = 1 << 12  # an image of 12 bits in 16 has values below it, and would come out black
_ORIENTATION = 0x0112
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # a tag of TIFF, and its value for a negative
_REPLACED = "was replaced after this run read it; start the run again"


def read_image(path: Path, *, rule: Rule = WHITE, max_pixels: int = MAX_PIXELS) -> Image:
    """An image file as RGB; as ``decode_image``, and BadItem when the file does not exist."""
    return decode_image(read_file(path), readable(path), rule=rule, max_pixels=max_pixels)


def read_file(path: Path) -> bytes:
    """The bytes of an image file. Raises BadItem."""
    if not path.is_file():
        raise BadItem(f"{readable(path)} does not exist")
    try:
        with path.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadItem(f"{readable(path)} cannot be read ({error.strerror})") from error
    if len(raw) > MOST_BYTES:
        raise BadItem(f"{readable(path)} has more than {MOST_BYTES:,} bytes, which is the limit")
    return raw


def decode_image(source: bytes, name: str, *, rule: Rule = WHITE, max_pixels: int = MAX_PIXELS) -> Image:
    """An encoded image as RGB by ``rule``; of an animation the first frame.

    Raises BadItem with ``name`` when it is empty, truncated, of no format in ``FORMATS``, of a depth that the rule
    refuses, or has more than ``max_pixels``; the size is read from the header, before anything is decoded.
    """
    from PIL import Image, UnidentifiedImageError

    if not source:
        raise BadItem(f"{name} is empty (0 bytes); copy it again or remove it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked below
            warnings.filterwarnings("ignore", module=r"PIL\.")  # on damaged metadata and transparent palettes
            with Image.open(io.BytesIO(source), formats=_formats()) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise BadItem(f"{name} has {width} x {height} pixels, more than the limit of {max_pixels:,}")
                image.seek(0)
                of_16_bits = ";16" in str(image.tile)  # colours, of which Pillow takes the upper 8 bits
                image.load()
                if rule == REFERENCE:
                    return image.convert("RGB")
                if of_16_bits and not image.mode.startswith("I"):
                    _require_white(256 * int(np.asarray(image.convert("RGB")).max(initial=0)) + 255, name)
                return _upright(_to_rgb(image, name, rule), image)
    except UnidentifiedImageError:
        raise BadItem(
            f"{name} is not a readable image ({', '.join(_formats())}); remove it or convert it to PNG"
        ) from None
    except Image.DecompressionBombError:
        raise BadItem(f"{name} has more pixels than the limit of {max_pixels:,}") from None
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError) as error:
        raise BadItem(f"{name} cannot be decoded ({error}); copy it again or remove it") from error


@functools.cache
def _formats() -> tuple[str, ...]:
    """The formats that this build of Pillow decodes."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _to_rgb(image: Image, name: str, rule: Rule) -> Image:
    from PIL import Image as Images

    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):  # theirs are of 16 bits
        kind = "floating-point values" if image.mode == "F" else "32-bit whole numbers"
        raise BadItem(f"{name} holds {kind}, and nothing says which of them is white; convert it to 8 or 16 bits")
    if image.mode.startswith("I"):  # PIL's own conversion would clip 16 bits at 255
        values = np.asarray(image, dtype=np.float64)
        _require_white(int(values.max(initial=0)), name)
        if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            values = 65535 - values  # Pillow itself does so for up to 8 bits
        return Images.fromarray(np.rint(np.clip(values / 65535, 0, 1) * 255).astype(np.uint8)).convert("RGB")
    if rule == WHITE and (image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info):
        clear = image.convert("RGBA")
        white = Images.new("RGBA", clear.size, (255, 255, 255, 255))
        return Images.alpha_composite(white, clear).convert("RGB")
    return image.convert("RGB")


def _require_white(brightest: int, name: str) -> None:
    if 0 < brightest < _FEW_BITS:
        raise BadItem(
            f"{name} has 16 bits, and its brightest value is at most {brightest:,} of 65,535: it would come out black; "
            "scale it to 16 bits, or convert it to 8"
        )


def _upright(rgb: Image, image: Image) -> Image:
    """``rgb`` turned and mirrored as the EXIF orientation of ``image`` says."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # Pillow raises anything on damaged metadata; the pixels are whole
        return rgb
    turn = turns.get(orientation) if isinstance(orientation, int) else None
    return rgb if turn is None else rgb.transpose(turn)


class EncodedImages:
    """Encoded images by row, decoded one at a time by one rule. A subclass gives ``encoded`` and ``where``."""

    def __init__(self, rule: Rule = WHITE) -> None:
        self.rule: Rule = rule
        self._seen: dict[int, str] = {}

    def __len__(self) -> int:
        raise NotImplementedError

    def encoded(self, index: int) -> bytes:
        """The bytes of the image file. Raises BadItem."""
        raise NotImplementedError

    def where(self, index: int) -> str:
        """How messages call the image."""
        raise NotImplementedError

    def sha256(self, index: int) -> str:
        """Hex SHA-256 of the image file. Raises BadItem."""
        return hashlib.sha256(self.encoded(index)).hexdigest()

    def image(self, index: int) -> Image:
        """The image as RGB. Raises BadItem, also for bytes that are no longer those of which ``digest`` was asked."""
        raw = self.encoded(index)
        if index in self._seen and hashlib.sha256(raw).hexdigest() != self._seen[index]:
            raise BadItem(f"{self.where(index)} {_REPLACED}")
        return decode_image(raw, self.where(index), rule=self.rule)

    def digest(self, index: int) -> str:
        """Hex SHA-256 of the encoded bytes and the rule. Raises BadItem, also for other bytes than the first time."""
        found = self.sha256(index)
        if self._seen.setdefault(index, found) != found:
            raise BadItem(f"{self.where(index)} {_REPLACED}")
        return hashlib.sha256(f"{found} {self.rule}".encode()).hexdigest()


class FileImages(EncodedImages):
    """Image files, decoded one at a time."""

    def __init__(self, paths: Sequence[Path], rule: Rule = WHITE) -> None:
        super().__init__(rule)
        self.paths = tuple(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def encoded(self, index: int) -> bytes:
        return read_file(self.paths[index])

    def where(self, index: int) -> str:
        return readable(self.paths[index])

    def sha256(self, index: int) -> str:
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
    """Hex SHA-256 of a plain file, read once as long as it stays the same. Raises BadItem."""
    try:
        return files.sha256_of(require_plain(path, LARGEST))
    except BadDataset as error:
        raise BadItem(str(error)) from error
    except OSError as error:
        raise BadItem(f"{readable(path)} cannot be read ({error.strerror})") from error
