"""BLEU and CIDEr of captions, over real captions of drawings of which words were lost."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from mmbench.calibration.design import DESIGNS, Design, Row
from mmbench.calibration.resampling import asked
from mmbench.metrics import METRICS
from mmbench.scores import Scores

KEPT = {"careful": 0.85, "careless": 0.7}  # share of words that each captioner writes down
REFERENCES = 4  # of five captions; the fifth is what is said


def of_captions(metric: str, trials: int, images: int, runs: int, seed: int) -> list[Row]:
    """Two captioners say the same caption and lose words; the truth is the mean over other sets of this many images."""
    return asked(lambda rng: said(metric, trials, images, rng), None, runs, seed)


def said(metric: str, trials: int, images: int, rng: np.random.Generator) -> dict[str, Scores]:
    """Scores of both captioners on images drawn anew."""
    found = METRICS.get(metric)
    known = _captions()
    rows = rng.integers(len(known), size=images)
    references, texts = known[rows][:, :REFERENCES], known[rows][:, REFERENCES]
    scores = {}
    for name, kept in KEPT.items():
        written = np.array([[_lossy(text, kept, rng) for text in texts] for _ in range(trials)])
        outcomes = found.outcome(written, references)
        scores[name] = Scores(outcomes, metric, examples=str(sorted(rows.tolist())), chance=0.0)
    return scores


@functools.cache
def _captions() -> NDArray[np.str_]:
    """Five captions of each drawing of the training split, ``[drawings, 5]``."""
    from mmbench.datasets import openmoji
    from mmbench.datasets.drawn_captions import captions, shown

    listing = openmoji.catalogue()
    return np.array([captions(listing[row], nouns, REFERENCES + 1) for row, nouns in shown()["train"].items()])


def _lossy(text: str, kept: float, rng: np.random.Generator) -> str:
    words = text.split()
    return " ".join(word for word in words if rng.random() < kept) or words[0]


for _metric in ("bleu4", "cider"):
    for _trials, _images in ((1, 100), (3, 150)):
        DESIGNS.add(
            Design(
                f"{_metric}, {_images} images, {_trials} {'trial' if _trials == 1 else 'trials'}",
                "real",
                functools.partial(of_captions, _metric, _trials, _images),
                150,
                about="captions of drawings that lost words, against four others of the same drawing",
            )
        )
