"""From a loaded module to an ``Encoder``: the one image transform, text batches, pooling, frozen eval mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadItem, BadSpec
from mmbench.models.entry import Encoder, Preprocess
from mmbench.models.hidden import HiddenLayers, Layer
from mmbench.models.spans import SpanLayers

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MAX_PIXELS = 64_000_000
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ImageTransform:
    """One image to one float tensor ``[3, size, size]``, as torchvision does it on PIL images, to the bit.

    PIL's resize is antialiased. An image that is not RGB is converted. The object is picklable, so that any worker
    can carry it.
    """

    preprocess: Preprocess

    def __call__(self, image: Image) -> torch.Tensor:
        import numpy as np
        import torch

        # in numpy: torch would share one small image among threads, which costs more than it saves; colour by colour,
        # since numpy is slow where the last axis is short
        mean, std = (np.array(row, np.float32).reshape(3, 1, 1) for row in (self.preprocess.mean, self.preprocess.std))
        pixels = np.asarray(self.fit(image)).transpose(2, 0, 1).astype(np.float32, order="C")
        pixels /= np.float32(255)
        pixels -= mean
        pixels /= std
        return torch.from_numpy(pixels)

    def fit(self, image: Image) -> Image:
        """The image at ``size`` x ``size``, still of bytes."""
        from PIL import Image as pil
        from PIL.Image import Resampling

        want = self.preprocess
        how = {"bicubic": Resampling.BICUBIC, "bilinear": Resampling.BILINEAR}[want.interpolation]
        image = image if image.mode == "RGB" else image.convert("RGB")
        width, height = self._resized(image.size)
        if width * height > MAX_PIXELS:
            raise BadItem(
                f"an image of {image.size[0]} x {image.size[1]} is too elongated: its short side at {want.resize} "
                f"would make {width} x {height} pixels; crop it or use fit=squash"
            )
        if image.size != (width, height):
            image = image.resize((width, height), how)
        left, top = (self._begin(side) for side in image.size)
        if min(image.size) < want.size:  # border: the image is laid on a canvas of one colour
            canvas = pil.new("RGB", (want.size, want.size), want.fill)
            canvas.paste(image, (-left, -top))
            return canvas
        return image.crop((left, top, left + want.size, top + want.size))

    def _begin(self, side: int) -> int:
        """Where the crop begins along a side; below 0 where the image is smaller: then the border begins there."""
        rest = side - self.preprocess.size
        if rest < 0:
            return -(-rest // 2)
        return rest // 2 if self.preprocess.rounding == "down" else round(rest / 2)

    def _resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height to which an image of ``size`` is resized before the crop."""
        want = self.preprocess
        if want.fit == "squash":
            return want.resize, want.resize
        if want.fit == "border":
            ratio = max(size) / want.resize
            return max(1, round(size[0] / ratio)), max(1, round(size[1] / ratio))
        short = min(size)
        return want.resize * size[0] // short, want.resize * size[1] // short


def image_transform(preprocess: Preprocess) -> ImageTransform:
    """The transform that ``preprocess`` describes; every image encoder of mmbench uses this one."""
    return ImageTransform(preprocess)


def unnormalised(preprocess: Preprocess) -> Preprocess:
    """The same fit with pixels left in [0, 1] (reading D-10: RN50 in the thesis's chapter 5)."""
    return replace(preprocess, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def frozen(module: torch.nn.Module) -> torch.nn.Module:
    """``module`` in eval mode and float32, with no gradients."""
    return module.eval().float().requires_grad_(False)


def folded(module: torch.nn.Module) -> torch.nn.Module:
    """``module``, in eval mode, with each batch normalisation behind a convolution in a Sequential made part of that.

    The features are the same up to rounding, and take a sixth less time on a CPU. The module given is changed.
    """
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for name, child in module.named_children():
        setattr(module, name, folded(child))
    if type(module) is not nn.Sequential:
        return module
    layers: list[nn.Module] = []
    for layer in module:
        if layers and isinstance(layers[-1], nn.Conv2d) and isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval()


def image_encoder(
    module: torch.nn.Module,
    preprocess: Preprocess,
    dim: int,
    features: Callable[[torch.Tensor], torch.Tensor] | None = None,
    *,
    layers: Mapping[str, Layer] | None = None,
) -> Encoder:
    """An image encoder; ``features`` maps a batch to ``[batch, dim]`` and is the module itself by default.

    ``layers`` are hidden layers by name, each a part of ``module``. Weights and batches are kept channels-last, which
    makes convolutions on CPUs about twice as fast.
    """
    import torch

    module = frozen(module).to(memory_format=torch.channels_last)
    encode = features or module

    def forward(batch: torch.Tensor) -> torch.Tensor:
        return encode(batch.to(device_of(module), memory_format=torch.channels_last))

    def run() -> torch.Tensor:
        weights = next(module.parameters(), None)
        return forward(
            torch.zeros(1, 3, preprocess.size, preprocess.size, dtype=weights.dtype if weights is not None else None)
        )

    return Encoder(
        "image",
        dim,
        module,
        forward,
        image_transform(preprocess),
        hidden=HiddenLayers(layers, run) if layers else None,
        pixels=image_transform(unnormalised(preprocess)),
        differentiable=differentiable(forward, preprocess),
    )


def differentiable(
    forward: Callable[[torch.Tensor], torch.Tensor], preprocess: Preprocess
) -> Callable[[torch.Tensor], torch.Tensor]:
    """From pixels in [0, 1], float ``[batch, 3, size, size]``, to features ``[batch, dim]`` with gradients.

    ``forward`` takes normalised images. The function raises BadSpec for pixels of another shape, kind or range, and
    when gradients are wanted and ``forward`` gives none.
    """

    def features(pixels: torch.Tensor) -> torch.Tensor:
        import torch

        check_pixels(pixels, preprocess.size)
        mean, std = (pixels.new_tensor(row).view(3, 1, 1) for row in (preprocess.mean, preprocess.std))
        out = forward((pixels - mean) / std)
        if pixels.requires_grad and torch.is_grad_enabled() and not out.requires_grad:
            raise BadSpec(
                "the encoder gives features without gradients to its pixels: it computes them under torch.no_grad() "
                "or outside torch; remove that, or use another encoder"
            )
        return out

    return features


def with_tried_gradients(encoder: Encoder, size: int) -> Encoder:
    """``encoder``, with ``differentiable`` None when an image of zeros shows that its features have no gradients."""
    import torch

    assert encoder.differentiable is not None
    try:
        with torch.enable_grad():
            encoder.differentiable(torch.zeros(1, 3, size, size, requires_grad=True))
    except (BadSpec, RuntimeError):  # torch raises the latter where code of others asks such a tensor for its numbers
        return replace(encoder, differentiable=None)
    return encoder


def check_pixels(pixels: torch.Tensor, size: int) -> None:
    """Raise BadSpec unless ``pixels`` is float ``[batch, 3, size, size]`` with values in [0, 1] (up to 0.001)."""
    if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, size, size) or not pixels.is_floating_point():
        raise BadSpec(
            f"expected float pixels [batch, 3, {size}, {size}] in [0, 1], got {pixels.dtype} {list(pixels.shape)}; "
            "make them with the encoder's pixels(image)"
        )
    if len(pixels) == 0:
        return
    low, high = (float(value) for value in pixels.detach().aminmax())
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise BadSpec(
            f"expected pixels in [0, 1], got values from {low:.4g} to {high:.4g}; do not normalise them, and divide "
            "bytes by 255"
        )


def text_encoder(
    module: torch.nn.Module,
    dim: int,
    features: Callable[[list[str]], torch.Tensor],
    spans: SpanLayers | None = None,
    cuts: Callable[[list[str]], list[bool]] | None = None,
) -> Encoder:
    """A text encoder; ``features`` maps a list of strings to ``[batch, dim]``, and records tokens for ``spans``.

    ``cuts`` says of each text whether ``features`` reads only its beginning.
    """
    return Encoder("text", dim, frozen(module), features, hidden=spans, cuts=cuts)


def device_of(module: torch.nn.Module) -> Any:
    """Where the module's weights are now (a caller may have moved it)."""
    import torch

    weights = next(module.parameters(), None)
    return torch.device("cpu") if weights is None else weights.device


def at_token(
    hidden: torch.Tensor, special: torch.Tensor, mask: torch.Tensor, token: int, texts: Sequence[str]
) -> torch.Tensor:
    """``[batch, tokens, dim]`` to ``[batch, dim]``: each row's ``token``-th own token, from 0.

    ``special`` ``[batch, tokens]`` is 1 at marks, of which those at the front are not counted; ``mask`` is 0 at
    padding on the right. Raises BadItem with the first of ``texts`` that is too short.
    """
    import torch

    own = (special.cumprod(dim=1).sum(dim=1) + token).to(hidden.device)  # behind the marks at the front
    inside = own < mask.shape[1]
    kept = torch.gather(mask * (1 - special), 1, own.clamp(max=mask.shape[1] - 1).unsqueeze(1)).squeeze(1)
    short = (~(inside & kept.bool())).nonzero().flatten().tolist()
    if short:
        raise BadItem(f"the text {texts[short[0]]!r} has no token {token} (from 0): it is too short for ?token={token}")
    return hidden[torch.arange(len(hidden), device=hidden.device), own]


def pooled(hidden: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    """``[batch, tokens, dim]`` to ``[batch, dim]``.

    ``how`` is ``mean`` over the tokens that ``mask`` keeps, ``cls`` for the first, ``last`` for the last kept one.
    """
    import torch

    if how == "cls":
        return hidden[:, 0]
    if how == "last":
        positions = torch.arange(mask.shape[1], device=mask.device)
        return hidden[torch.arange(len(hidden), device=mask.device), (mask * positions).argmax(dim=1)]
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)


@cache
def versions(*distributions: str) -> tuple[tuple[str, str], ...]:
    """Installed versions by distribution name, read without importing anything."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in distributions:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, "not installed"))
    return tuple(found)
