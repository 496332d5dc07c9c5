"""The class whose name a language model writes about an image that was mapped into its token vectors.

After LiMBer (Merullo et al. 2022), which judges whole captions; that only the class name is looked for is ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.captions import Captions
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings

NO_NAME = -1  # predicted where the text names no class: never the label


@dataclass(frozen=True)
class CaptioningSettings(Settings):
    """``prompt`` follows the image's vector; at most ``max_tokens`` are written, greedily or with several ``beams``.

    ``images`` test images are captioned, or all where there are fewer. The prompt is that of Merullo et al. 2022
    (section 3) in small letters; the other values are ours, so that a cell takes seconds on a CPU.
    """

    prompt: str = "a picture of"
    max_tokens: int = 8
    beams: int = 1
    images: int = 200

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.prompt, self.images)


def captioning(
    inputs: Captions, settings: Sequence[CaptioningSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """The class named first in the text about each image, int64 ``[trials, n]``, -1 for none.

    A trial is a seed of the map; nothing else is drawn. Raises BadSpec and BadItem as ``Generator.write``.
    """
    inputs.check()
    found = [np.empty((trials, len(inputs.labels)), dtype=np.int64) for _ in settings]
    for trial in range(trials):
        prefixes = inputs.prefixes(trial)
        for s, predictions in zip(settings, found, strict=True):
            texts = inputs.write(prefixes, max_tokens=s.max_tokens, beams=s.beams)
            predictions[trial] = named_classes(texts, inputs.class_names)
    return found


def named_classes(texts: Sequence[str], class_names: Sequence[str]) -> NDArray[np.int64]:
    """The class whose name stands first in each text, int64 ``[n]``; -1 where none does.

    Names are whole words in any case and spacing. Of two that begin at the same place the longer counts.
    """
    number = {_plain(name): i for i, name in reversed(list(enumerate(class_names))) if name.strip()}
    longest_first = sorted(number, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
    matches = [pattern.search(_plain(text)) for text in texts]
    return np.array([number[match[0]] if match else NO_NAME for match in matches], dtype=np.int64)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


PROBES.add(
    Probe(
        "captioning",
        captioning,
        CaptioningSettings,
        inputs="captions",
        takes="image_and_text",
        unnamed=False,
        costly=True,
        title="Class names in captions, written from image features through a linear map",
        about="the class that a language model names, given an image as a vector among its token vectors",
    )
)
# The zoo's gpt2 was trained on captions such as "a drawing of animals & nature": a category follows these words.
CAPTIONED_NAMES = PROTOCOLS.add(
    Protocol("captioned_names", "captioning", CaptioningSettings(prompt="a drawing of"), trials=2)
)
