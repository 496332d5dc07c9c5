"""Captions that a decoder of text vectors writes from image vectors, translated or not (Bielawski 2022, chapter 6)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.translated import DIRECT, TRANSLATIONS, TRUE_TEXT, Translated
from mmbench.metrics.captions import clip_scores
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings

SCORES = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "meteor", "cider")  # of Table 6.1
SHOWN = 8  # images whose captions a record keeps
FEATURE_SCORES = ("clip_score", "ref_clip_score")
FULLY_SCORED = (DIRECT, TRUE_TEXT, "latent_cyclegan", "mean_shift")  # other translations by BLEU-4 and CIDEr
IN_CODE = {DIRECT: DIRECT, "latent_cyclegan": "latent_cyclegan_code"}  # what the released code does, by its translation


@dataclass(frozen=True)
class WrittenCaptionsSettings(Settings):
    """Beam search of ``beams`` and at most ``max_tokens``, over the first ``images`` of the test split.

    ``translation`` is one of mmbench.inputs.translated.TRANSLATIONS, ``decoder`` a training. ``depicts`` stands before
    a text whose feature CLIPScore takes. Images of fewer numbers than ``blank_below`` get an empty caption, as in the
    released code (D-14f). Beams and tokens are ClipCap's; all of COCO's validation images are captioned.
    """

    translation: str = "latent_cyclegan"
    decoder: str = "caption_decoder"
    beams: int = 5
    max_tokens: int = 67
    images: int = 40_504
    depicts: str = "A photo depicts "
    blank_below: int = 1

    def as_code(self) -> WrittenCaptionsSettings:
        if self.translation not in IN_CODE:
            return self
        return dataclasses.replace(
            self, translation=IN_CODE[self.translation], decoder="caption_decoder_code", blank_below=501_000
        )

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.translation, self.decoder, self.images, self.blank_below)


def written_captions(
    inputs: Translated, settings: Sequence[WrittenCaptionsSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """A caption of each image with its CLIPScore and RefCLIPScore, ``[trials, n]`` of fields text, clip and ref.

    A trial is a seed of decoder and translation; nothing else is drawn. The two scores are NaN where the encoders have
    no common space. Raises BadSpec and BadItem as ``Generator.write``.
    """
    inputs.check()
    found = []
    for s in settings:
        texts = [_written(inputs, s, trial) for trial in range(trials)]
        longest = max((len(text) for row in texts for text in row), default=0)
        predictions = np.zeros(
            (trials, len(inputs.ids)), [("text", f"<U{max(1, longest)}"), ("clip", "f4"), ("ref", "f4")]
        )
        for row, said in zip(predictions, texts, strict=True):
            row["text"] = said
            row["clip"], row["ref"] = _feature_scores(inputs, s, said) if inputs.one_space else (np.nan, np.nan)
        found.append(predictions)
    return found


def _written(inputs: Translated, s: WrittenCaptionsSettings, trial: int) -> list[str]:
    """Each image's caption, under the settings or the lower ones of the lineup."""
    lowered = {
        name: min(getattr(s, name), inputs.reduced.get(name, getattr(s, name))) for name in ("max_tokens", "beams")
    }
    texts = inputs.write(inputs.prefixes(trial), **lowered)
    return ["" if blank else text for text, blank in zip(texts, inputs.blank, strict=True)]


def _feature_scores(inputs: Translated, s: WrittenCaptionsSettings, said: Sequence[str]) -> tuple[Any, Any]:
    """CLIPScore and RefCLIPScore of the captions of all images."""
    known = [*said, *inputs.references.ravel().tolist()]
    distinct = {text: place for place, text in enumerate(dict.fromkeys(known))}
    features = inputs.texts([s.depicts + text for text in distinct])
    features = features[[distinct[text] for text in known]]
    captions, references = features[: len(said)], features[len(said) :]
    count = (inputs.references != "").sum(axis=1)
    return clip_scores(inputs.image, captions, references.reshape(*inputs.references.shape, -1), count)


def first_captions(inputs: Translated, predictions: NDArray[Any]) -> dict[str, Any]:
    """Ids, first references and captions of the first images, as they come, by the first trial's networks."""
    return {
        "ids": list(inputs.ids[:SHOWN]),
        "references": inputs.references[:SHOWN, 0].tolist(),
        "captions": predictions["text"][0, :SHOWN].tolist(),
    }


PROBES.add(
    Probe(
        "written_captions",
        written_captions,
        WrittenCaptionsSettings,
        inputs="translated",
        takes="image_text_writer",
        unnamed=False,
        costly=True,
        floor=False,
        title="Captions written without pairs",
        about="captions that a decoder of text vectors writes from image vectors, translated or not",
        shows=first_captions,
        lowers=("beams", "max_tokens", "images", "blank_below"),
    )
)


def captions_by(translation: str, metric: str) -> Protocol:
    """The protocol that scores captions written behind a translation by one metric."""
    return _BY[translation, metric]


_BY = {
    (translation, metric): PROTOCOLS.add(
        Protocol(
            f"captions_{translation}_{metric}",
            "written_captions",
            WrittenCaptionsSettings(translation=translation),
            metric=metric,
            trials=3,
        )
    )
    for translation in TRANSLATIONS
    for metric in ((*SCORES, *FEATURE_SCORES) if translation in FULLY_SCORED else ("bleu4", "cider"))
    if translation not in IN_CODE.values() or translation == DIRECT
}
PROTOCOLS_OF_CAPTIONS = tuple(_BY.values())
