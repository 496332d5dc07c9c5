"""Features of a marked part of each text (``mmbench.datasets.marked``): the states of the tokens within its offsets.

Two layers of a text encoder, both filled by one pass: ``span_mean`` is the mean over the part's tokens (the
contextualised label of Devillers et al. 2021, section 4), ``span_first`` the first of them (what the authors' code
takes, D-08b). A token belongs to the part when it shares a character with it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mmbench.datasets.marked import Marked
from mmbench.errors import BadItem, BadSpec

if TYPE_CHECKING:
    import torch

SPAN_MEAN, SPAN_FIRST = "span_mean", "span_first"
SPANS = (SPAN_MEAN, SPAN_FIRST)

Offsets = Sequence[Sequence[tuple[int, int]]]


class SpanLayers:
    """The two layers of an encoder whose token states are ``width`` wide; it goes where ``HiddenLayers`` goes."""

    def __init__(self, width: int) -> None:
        self.widths = dict.fromkeys(SPANS, width)
        self._here = threading.local()

    @contextlib.contextmanager
    def recording(self, names: Iterable[str]) -> Iterator[dict[str, torch.Tensor]]:
        """Give a dictionary that this thread's pass fills with ``[batch, width]`` of each of ``names``."""
        found: dict[str, torch.Tensor] = {}
        before = getattr(self._here, "active", None)
        self._here.active = (tuple(names), found)
        try:
            yield found
        finally:
            self._here.active = before

    @property
    def wanted(self) -> bool:
        """Whether this thread's pass is recorded, so that token states are needed."""
        return getattr(self._here, "active", None) is not None

    def record(self, states: torch.Tensor, offsets: Offsets, texts: Sequence[str]) -> None:
        """Take a pass's token states ``[batch, tokens, width]`` and the character offsets of each text's tokens.

        Marks and padding have the offsets (0, 0). Raises BadSpec for a text without a marked part, and BadItem with
        the first text that has no token within its part (it was cut off).
        """
        if not self.wanted:
            return
        names, found = self._here.active
        within = _within(offsets, texts, states)
        first = within.int().argmax(dim=1)
        weights = within.to(states.dtype).unsqueeze(2)
        rows = {
            SPAN_MEAN: (states * weights).sum(dim=1) / weights.sum(dim=1),
            SPAN_FIRST: states.gather(1, first[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1),
        }
        found.update({name: rows[name] for name in names})


def _within(offsets: Offsets, texts: Sequence[str], states: torch.Tensor) -> torch.Tensor:
    """Bool ``[batch, tokens]``: the tokens of each text's marked part."""
    import torch

    within = torch.zeros(states.shape[:2], dtype=torch.bool)
    for row, (text, tokens) in enumerate(zip(texts, offsets, strict=True)):
        if not isinstance(text, Marked):
            raise BadSpec(f"the text {str(text)!r} has no marked part; the layers {', '.join(SPANS)} need one")
        for place, (start, end) in enumerate(tokens[: states.shape[1]]):
            within[row, place] = max(start, text.start) < min(end, text.end)
        if not within[row].any():
            raise BadItem(
                f"the text {str(text)!r}: expected a token within its part {text.part!r}, found none among the "
                f"{sum(end > start for start, end in tokens)} that the encoder reads; shorten the text before it"
            )
    return within.to(states.device)
