"""Scores of captions: BLEU-1 to BLEU-4, ROUGE-L, CIDEr and METEOR by pycocoevalcap, CLIPScore of our own.

Predictions are texts ``[trials, n]`` and labels texts ``[n, references]`` (see ``caption_tokens``). BLEU and METEOR are
functions of sums over images, and enter as jackknife pseudo-values over images. ROUGE-L and CIDEr are means of scores
of single images. CIDEr weighs n-grams by the number of images whose references have them: these weights are those of
all references of the test set and stay fixed when an image is left out, as if they belonged to the metric. (CIDEr
enters as pseudo-values too, since 10 is no bound that intervals should be widened for.)

CLIPScore and RefCLIPScore (Hessel et al. 2021) come from features, which a probe has and a metric has not: predictions
then have fields ``clip`` and ``ref`` beside ``text`` (``clip_scores``).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import Unmeasured
from mmbench.metrics.caption_tokens import candidates_of, library, references_of
from mmbench.metrics.entry import METRICS, Metric, Outcomes
from mmbench.metrics.jackknife import Array, jackknifed, of_sums, ratio_of_sums
from mmbench.metrics.meteor import meteor, meteor_without

GRAMS = 4
WEIGHT = 2.5  # of CLIPScore
SMALL, TINY = 1e-9, 1e-15  # of pycocoevalcap: a caption of no words has a BLEU of 0 and not none


def bleu_parts(predictions: NDArray, labels: NDArray) -> Array:
    """``[trials, n, 10]``: n-grams found and written (four each), words written, words of the nearest reference."""
    scorer = library("bleu.bleu_scorer")
    cooked = [scorer.cook_refs(row, n=GRAMS) for row in references_of(labels)]
    return np.array(
        [
            [_parts(scorer.cook_test(words, one, n=GRAMS)) for words, one in zip(trial, cooked, strict=True)]
            for trial in candidates_of(predictions)
        ],
        dtype=np.float64,
    )


def _parts(cooked: dict[str, Any]) -> list[float]:
    written = cooked["testlen"]
    nearest = min((abs(length - written), length) for length in cooked["reflen"])[1]
    return [*cooked["correct"], *cooked["guess"], written, nearest]


def bleu(sums: Array, grams: int) -> Array:
    """BLEU of sums ``[..., 10]`` up to n-grams of ``grams`` words (Papineni et al. 2002), as pycocoevalcap has it."""
    found, written = sums[..., :grams], sums[..., GRAMS : GRAMS + grams]
    precision = ((found + TINY) / (written + SMALL)).prod(axis=-1) ** (1.0 / grams)
    ratio = (sums[..., 2 * GRAMS] + TINY) / (sums[..., 2 * GRAMS + 1] + SMALL)
    return precision * np.exp(np.minimum(0.0, 1.0 - 1.0 / ratio))


def rouge_l(predictions: NDArray, labels: NDArray) -> Outcomes:
    """ROUGE-L of each caption, ``[trials, n]``: the longest common subsequence of words, best over references."""
    score, references = library("rouge.rouge").Rouge().calc_score, references_of(labels)
    return np.array(
        [
            [score([words], row) for words, row in zip(trial, references, strict=True)]
            for trial in candidates_of(predictions)
        ],
        dtype=np.float32,
    )


def cider_parts(predictions: NDArray, labels: NDArray) -> Array:
    """CIDEr-D of each caption, from 0 to 10, under the weights of all references, and 1: ``[trials, n, 2]``."""
    scorer, references = library("cider.cider_scorer"), references_of(labels)
    found = []
    for trial in candidates_of(predictions):
        corpus = scorer.CiderScorer(n=GRAMS)
        for words, row in zip(trial, references, strict=True):
            corpus += (words, row)
        found.append(corpus.compute_score()[1])
    scores = np.array(found, dtype=np.float64)
    return np.stack([scores, np.ones_like(scores)], axis=-1)


def clip_scores(image: NDArray, caption: NDArray, references: NDArray, count: NDArray) -> tuple[Array, Array]:
    """CLIPScore and RefCLIPScore of captions, ``[n]`` each, from features of one space.

    ``image`` and ``caption`` ``[n, d]``, ``references`` ``[n, most, d]``, of which the first ``count`` ``[n]`` are
    real. CLIPScore is 2.5 times the cosine, 0 where that is negative. RefCLIPScore is its harmonic mean with the
    greatest cosine of caption and reference, 0 where that is negative: the released code leaves such a cosine as it is
    (D-19), and then the harmonic mean is none.
    """
    unit = [part / np.maximum(np.linalg.norm(part, axis=-1, keepdims=True), 1e-12) for part in (image, caption)]
    known = references / np.maximum(np.linalg.norm(references, axis=-1, keepdims=True), 1e-12)
    clip = WEIGHT * np.maximum((unit[0] * unit[1]).sum(axis=-1), 0.0)
    cosines = np.einsum("nd,nrd->nr", unit[1], known)
    real = np.arange(references.shape[1]) < count[:, None]
    nearest = np.maximum(np.where(real, cosines, -np.inf).max(axis=1), 0.0)
    both = clip + nearest
    return clip, np.divide(2 * clip * nearest, both, out=np.zeros_like(both), where=both > 0)


def clip_score(predictions: NDArray, labels: NDArray) -> Outcomes:
    """CLIPScore of each caption, ``[trials, n]``, from 0 to 2.5."""
    return _from_features(predictions, "clip")


def ref_clip_score(predictions: NDArray, labels: NDArray) -> Outcomes:
    """RefCLIPScore of each caption, ``[trials, n]``."""
    return _from_features(predictions, "ref")


def _from_features(predictions: NDArray, name: str) -> Outcomes:
    found: Outcomes = predictions[name].astype(np.float32)
    if np.isnan(found).any():
        raise Unmeasured("CLIPScore needs an image encoder and a text encoder of one space, and these are of two")
    return found


def _register() -> None:
    for grams in range(1, GRAMS + 1):
        about = "words" if grams == 1 else f"runs of up to {grams} words"
        METRICS.add(
            Metric(
                f"bleu{grams}",
                of_sums(bleu_parts, functools.partial(bleu, grams=grams)),
                "",
                1.0,
                about=f"BLEU-{grams}: share of {about} of the captions that stand in references",
            )
        )
    METRICS.add(Metric("rouge_l", rouge_l, "", 1.0, about="ROUGE-L: longest common subsequence with a reference"))
    METRICS.add(
        Metric(
            "cider",
            ratio_of_sums(cider_parts),
            "",
            1.0,
            high=10.0,
            about="CIDEr-D: weighted n-grams shared with references",
        )
    )
    METRICS.add(
        Metric("meteor", jackknifed(meteor, meteor_without), "", 1.0, about="METEOR: aligned words, stems and synonyms")
    )
    METRICS.add(Metric("clip_score", clip_score, "", 1.0, high=WEIGHT, about="CLIPScore: cosine of image and caption"))
    METRICS.add(
        Metric(
            "ref_clip_score",
            ref_clip_score,
            "",
            1.0,
            high=2 * WEIGHT / (WEIGHT + 1),
            about="RefCLIPScore: cosines of the caption with the image and with references",
        )
    )


_register()
