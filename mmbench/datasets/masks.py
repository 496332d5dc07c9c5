"""Masks: functions over the images or the texts of a dataset, with an identity of their own."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmbench.errors import BadSpec
from mmbench.imports import require_as_imported
from mmbench.program import canonical, file_digest
from mmbench.registry import Registry

if TYPE_CHECKING:
    from PIL.Image import Image

Modality = Literal["image", "text"]


@dataclass(frozen=True)
class Mask:
    """A change of every item. ``apply(item, id)`` takes an RGB ``PIL.Image`` of its own, or a text, and gives the
    changed one: an RGB image of the same size, or a text that is not empty. ``id`` is the item's in the split.

    ``identity()`` is a digest that must change whenever a result of ``apply`` could; it decodes nothing.
    """

    name: str
    modality: Modality
    apply: Callable[[Any, str], Any]
    identity: Callable[[], str]
    about: str = ""


MASKS: Registry[Mask] = Registry("mask", group="mmbench.masks")


def mask_of(function: Callable[[Any], Any], modality: Modality, *, name: str = "", about: str = "") -> Mask:
    """A mask of a function of one item. Its identity is a digest of what the function's file does (its syntax tree).

    For a user's file, the files of the user that it imports count too. Values that the function keeps from an enclosing
    function, where that stands in another file, do not: put them into ``name``. Raises BadSpec for a function that
    stands in no file (a built-in one, or one typed into a shell): write a Mask. Raises UnknownCode where one of the
    files was changed after it was imported.
    """
    name = name or f"{function.__module__}.{function.__qualname__}"
    try:
        file = inspect.getsourcefile(function)
    except TypeError:
        file = None
    if file is None or not Path(file).is_file():
        raise BadSpec(f"mask {name!r} is a function without a source file, so it has no digest; make a Mask of it")
    text = Path(file).read_text(encoding="utf-8")
    if function.__module__ in sys.modules:
        require_as_imported(function.__module__, Path(file))
    ours = function.__module__.startswith("mmbench.")
    program = canonical(text) if ours else f"{function.__qualname__}\0{file_digest(function.__module__, text)}"
    digest = hashlib.sha256(f"{name}\0{program}".encode()).hexdigest()
    return Mask(name, modality, functools.partial(_ignoring_id, function), lambda: digest, about)


def _ignoring_id(function: Callable[[Any], Any], item: Any, _: str) -> Any:
    return function(item)


def grey(image: Image) -> Image:
    """Luminance alone (ITU-R 601-2), as RGB."""
    return image.convert("L").convert("RGB")


def small_letters(text: str) -> str:
    """The text in lower case."""
    return text.lower()


MASKS.add(mask_of(grey, "image", name="grey", about="The images without their colours."))
MASKS.add(mask_of(small_letters, "text", name="small_letters", about="The texts in lower case."))
