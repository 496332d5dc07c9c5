"""What an image processor of transformers does, as a Preprocess; refused where the library itself does something else.

The settings are the library's own reading of ``preprocessor_config.json`` or ``processor_config.json`` (a class brings
defaults that a file leaves out). What a class does beyond them is not in any setting, so the Preprocess is tried: it
must give what the library gives for a few small images. It equals the library's PIL backend; the torchvision backend
resizes by another implementation, which differs by less than half a level of 255 on average.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset
from mmbench.models import encoders
from mmbench.models.configs import read_config
from mmbench.models.entry import Preprocess
from mmbench.models.reading import quiet_reading

_BYTE = 1 / 255
_PROBES = ((61, 40), (40, 83), (50, 50))  # width and height; wide, tall and square, with odd rests
_LEVELS = 1.0  # of 255, on average: how far the two may differ, by what their resizes round


def preprocess_of(folder: Path, owner: str) -> Preprocess:
    """The preprocessing that the folder's image processor states.

    Raises MissingAsset when there is none, BadSpec when it cannot be followed (it is no crop or squash to a square, or
    the library's class does more than its settings say), CorruptAsset when the file cannot be read or states no mean
    and std.
    """
    path, stated = _stated(folder, owner)
    _check_whole(stated, path, owner)
    with quiet_reading(folder, owner):
        from transformers import AutoImageProcessor

        # pixels are prepared with PIL here; the library's other way, torchvision's resize of tensors, rounds otherwise
        processor: Any = AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, backend="pil"
        )
    config = {**processor.to_dict(), **stated}
    for key in ("size", "crop_size"):  # as the library reads them: a number means another thing for each class
        value = getattr(processor, key, None)
        config[key] = value if value is None or isinstance(value, int) else dict(value)
    how = {2: "bilinear", 3: "bicubic"}.get(config.get("resample", 2))
    if not config.get("do_resize", True):
        raise BadSpec(
            f"{owner}: {path} resizes no image (do_resize is false), and images here are of any size; state do_resize "
            "and size in a copy of the folder, or wrap the model with its own preprocessing (python:MODULE:NAME)"
        )
    if how is None:
        raise BadSpec(f"{owner}: {path} resizes with resample={config.get('resample')}; only 2 and 3 are read")
    size, resize, fit = _followed(_name(processor), config) or _fit(config, path, owner)
    mean, std = _normalisation(config, path, owner)
    try:
        found = Preprocess(size, resize, mean, std, how, fit, "down")  # type: ignore[arg-type]
    except BadSpec as error:
        raise BadSpec(f"{owner}: {path} cannot be followed: {error}") from error
    _check_against(processor, found, path, owner)
    return found


def _stated(folder: Path, owner: str) -> tuple[Path, dict[str, Any]]:
    """The file that states the image processor, and its settings; newer folders keep them with the whole processor."""
    own, whole = folder / "preprocessor_config.json", folder / "processor_config.json"
    if whole.is_file():  # transformers looks there first
        part = read_config(whole, owner).get("image_processor")
        if isinstance(part, dict):
            return whole, part
    if not own.is_file():
        raise MissingAsset(
            f"{owner} needs {own}, or {whole.name} with an image_processor: neither is there; fetch it with the weights"
        )
    return own, read_config(own, owner)


def _check_whole(stated: Mapping[str, Any], path: Path, owner: str) -> None:
    """What the library would replace by a default of its own, or fail at, is refused in our words."""
    if stated.get("do_normalize", True):
        rows = {key: stated[key] for key in ("image_mean", "image_std") if key in stated}
        if not all(isinstance(row, list) for row in rows.values()):
            shown = ", ".join(f"{key}={stated.get(key)}" for key in ("image_mean", "image_std"))
            raise CorruptAsset(
                f"{owner}: {path} normalises, with {shown}; give three numbers each, as the weights were trained"
            )


def _name(processor: Any) -> str:
    return type(processor).__name__.removesuffix("Fast").removesuffix("Pil")


def _convnext(config: Mapping[str, Any]) -> tuple[int, int, str]:
    side = config["size"]["shortest_edge"]
    return (side, int(side / config["crop_pct"]), "crop") if side < 384 else (side, side, "squash")


def _levit(config: Mapping[str, Any]) -> tuple[int, int, str]:
    return config["crop_size"]["height"], int(256 / 224 * config["size"]["shortest_edge"]), "crop"


# Classes whose resize is not what their settings say alone: size, resize and fit.
_OWN_RESIZE: dict[str, Callable[[Mapping[str, Any]], tuple[int, int, str]]] = {
    "ConvNextImageProcessor": _convnext,
    "LevitImageProcessor": _levit,
}


def _followed(name: str, config: Mapping[str, Any]) -> tuple[int, int, str] | None:
    sides = config.get("size")
    if name not in _OWN_RESIZE or not isinstance(sides, dict) or not sides.get("shortest_edge"):
        return None
    return _OWN_RESIZE[name](config)


def _fit(config: Mapping[str, Any], path: Path, owner: str) -> tuple[int, int, str]:
    """Size, resize and fit; a ``size`` of height and width is a squash, and must be square as features are."""
    size, crop, cuts = config.get("size"), config.get("crop_size"), bool(config.get("do_center_crop"))
    sides = {key: value for key, value in size.items() if value} if isinstance(size, dict) else {}
    cut = crop if isinstance(crop, dict) else {}
    square = cut.get("height") if cut.get("height") == cut.get("width") else None
    if set(sides) == {"shortest_edge"} and cuts and square:
        return square, sides["shortest_edge"], "crop"
    if set(sides) == {"height", "width"} and sides["height"] == sides["width"] and (square or not cuts):
        return (square if cuts and square else sides["height"]), sides["height"], "squash"
    raise BadSpec(
        f"{owner}: {path} has size={sides or size} and crop_size={crop}, do_center_crop={cuts}: neither a centre crop "
        "nor a squash to a square"
    )


def _normalisation(config: Mapping[str, Any], path: Path, owner: str) -> tuple[Any, Any]:
    """Mean and std of pixels in [0, 1], to which they are scaled first."""
    factor = config.get("rescale_factor", _BYTE) if config.get("do_rescale", True) else 1
    if not isinstance(factor, int | float) or abs(factor / _BYTE - 1) > 1e-3:
        raise BadSpec(f"{owner}: {path} scales bytes by {factor}; only 1/255, to pixels in [0, 1], is read")
    if not config.get("do_normalize", True):
        return (0.0,) * 3, (1.0,) * 3
    return tuple(config["image_mean"]), tuple(config["image_std"])


def _check_against(processor: Any, preprocess: Preprocess, path: Path, owner: str) -> None:
    """Raise BadSpec unless the library prepares a few images of noise as ``preprocess`` does."""
    import numpy as np
    import torch
    from PIL import Image

    rng = np.random.default_rng(0)
    ours = encoders.image_transform(preprocess)
    std = torch.tensor(preprocess.std).view(3, 1, 1)
    what = f"{owner}: {path} is of {type(processor).__name__}, which"
    for width, height in _PROBES:
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        with quiet_reading(path, owner):
            theirs = torch.as_tensor(processor(images=image, return_tensors="pt")["pixel_values"])
        mine = ours(image)
        if theirs.numel() != mine.numel() or theirs.shape[-3:] != mine.shape:
            raise BadSpec(f"{what} gives {list(theirs.shape[-3:])} where its settings say {list(mine.shape)}")
        levels = float(((theirs.reshape(mine.shape) - mine) * std).abs().mean()) * 255
        if not levels <= _LEVELS:
            raise BadSpec(
                f"{what} does more than its settings say: pixels differ by {levels:.1f} of 255 on average; wrap the "
                "model with its own preprocessing (python:MODULE:NAME)"
            )
