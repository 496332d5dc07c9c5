"""Captions of the training drawings: names, other names and categories in varied sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmbench.zoo.frozen.corpus import Corpus

PLAIN = (
    "{noun}",
    "a drawing of {noun}",
    "a picture of {noun}",
    "a photo of a {noun}.",
    "an icon: {noun}",
    "the {noun}",
)
SORTED = (
    "{noun}, {kind}",
    "a drawing of {noun}, {kind}",
    "{kind}: {noun}",
    "a {kind} drawing that shows {noun}",
    "a drawing of {kind}",
)


def caption(corpus: Corpus, row: int, rng: np.random.Generator) -> str:
    """A caption of one drawing; six in ten name it only, the rest also say its category or subcategory."""
    names = (corpus.names[row], *corpus.keywords[row])
    noun = names[0] if rng.random() < 0.5 else names[int(rng.integers(len(names)))]
    kind = (corpus.categories if rng.random() < 0.5 else corpus.subcategories)[row]
    sentences: Sequence[str] = PLAIN if rng.random() < 0.6 else SORTED
    return sentences[int(rng.integers(len(sentences)))].format(noun=noun, kind=kind.replace("-", " "))


def every_word(corpus: Corpus) -> list[str]:
    """All that a caption of the corpus can say: the texts whose words make the vocabulary."""
    texts = [sentence.format(noun="", kind="") for sentence in (*PLAIN, *SORTED)]
    for row in range(len(corpus)):
        texts += [corpus.names[row], *corpus.keywords[row]]
    texts += [kind.replace("-", " ") for kind in (*corpus.categories, *corpus.subcategories)]
    return texts
