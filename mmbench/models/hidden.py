"""Features of hidden layers: forward hooks record what parts of a network give while the whole network runs once."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadFeatures

if TYPE_CHECKING:
    import torch

Pool = Callable[["torch.Tensor"], "torch.Tensor"]


def pooled_positions(hidden: torch.Tensor) -> torch.Tensor:
    """The mean over positions, ``[batch, dim]``, of ``[batch, dim, h, w]`` or ``[batch, tokens, dim]``.

    A tensor ``[batch, dim]`` stays as it is. Raises BadFeatures for another shape.
    """
    return _pooled(hidden, class_token=False, channels_last=False)


def pooled_as(
    *, class_token: bool = False, prefix_tokens: int = 0, patches: int | None = None, channels_last: bool = False
) -> Pool:
    """A pooling of hidden tensors to ``[batch, dim]``, in the way in which the network pools its own last layer.

    Four axes: the mean over positions, of ``[batch, h, w, dim]`` with ``channels_last``, else of
    ``[batch, dim, h, w]``. Three axes ``[batch, tokens, dim]``: the first token with ``class_token``, else the mean
    over tokens without the first ``prefix_tokens``. Where a layer has as many tokens as there are ``patches``, it has
    no class token or other prefix yet, and the mean is over all. The pooling raises BadFeatures for another shape.
    """

    def pool(hidden: torch.Tensor) -> torch.Tensor:
        prefix = 0 if getattr(hidden, "ndim", 0) == 3 and hidden.shape[1] == patches else prefix_tokens
        return _pooled(hidden, class_token=class_token and prefix > 0, prefix=prefix, channels_last=channels_last)

    return pool


def _pooled(hidden: torch.Tensor, *, class_token: bool, channels_last: bool, prefix: int = 0) -> torch.Tensor:
    axes = getattr(hidden, "ndim", 0)  # some blocks return a tuple or a list
    if axes == 4:
        return hidden.mean(dim=(1, 2) if channels_last else (2, 3))
    if axes == 3:
        return hidden[:, 0] if class_token else hidden[:, prefix:].mean(dim=1)
    if axes == 2:
        return hidden
    given = f"a tensor of shape {list(hidden.shape)}" if axes else f"a {type(hidden).__name__}"
    raise BadFeatures(
        f"a hidden layer gave {given}; expected a tensor [batch, dim, h, w], [batch, tokens, dim] or [batch, dim]"
    )


@dataclass(frozen=True)
class Layer:
    """A hidden layer: the module whose output it is, how that output becomes ``[batch, dim]``, and ``dim`` if known."""

    module: torch.nn.Module
    pool: Pool = pooled_positions
    width: int | None = None


class HiddenLayers:
    """The hidden layers of one network, by name, in the order of the network.

    ``run`` is one forward pass of the whole network on an image of zeros. It is called once, when the widths are first
    asked for, and decides which of ``layers`` there are: one that the pass does not run, that gives no tensor which can
    be pooled, or whose width is not the stated one, is left out. Hooks are set when a layer is first recorded and stay;
    they do nothing outside ``recording``. Two threads may record at once: each records its own forward pass.
    """

    def __init__(self, layers: Mapping[str, Layer], run: Callable[[], object]) -> None:
        self._layers, self._run = dict(layers), run
        self._hooked: set[str] = set()
        self._lock = threading.Lock()
        self._here = threading.local()

    @functools.cached_property
    def widths(self) -> dict[str, int]:
        """Columns of each layer's features, by name in the order of the network."""
        import torch

        with torch.inference_mode(), self._recording(self._layers, contextlib.suppress(BadFeatures)) as found:
            self._run()
        measured = {name: int(found[name].shape[1]) for name in self._layers if name in found}
        return {name: width for name, width in measured.items() if self._layers[name].width in (None, width)}

    @contextlib.contextmanager
    def recording(self, names: Iterable[str]) -> Iterator[dict[str, torch.Tensor]]:
        """Give a dictionary that this thread's forward pass fills with ``[batch, dim]`` of each of ``names``."""
        with self._recording(names, contextlib.nullcontext()) as found:
            yield found

    @contextlib.contextmanager
    def _recording(
        self, names: Iterable[str], guard: contextlib.AbstractContextManager[object]
    ) -> Iterator[dict[str, torch.Tensor]]:
        self._set_hooks(names)
        found: dict[str, torch.Tensor] = {}
        before = getattr(self._here, "active", None)
        self._here.active = (frozenset(names), found, guard)
        try:
            yield found
        finally:
            self._here.active = before

    def _set_hooks(self, names: Iterable[str]) -> None:
        with self._lock:
            for name in names:
                if name not in self._hooked:
                    self._layers[name].module.register_forward_hook(functools.partial(self._record, name))
                    self._hooked.add(name)

    def _record(self, name: str, module: torch.nn.Module, given: object, out: Any) -> None:
        active = getattr(self._here, "active", None)
        if active is not None and name in active[0]:
            with active[2]:
                active[1][name] = self._layers[name].pool(out)
