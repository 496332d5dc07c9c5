"""Claims of the paper that wait for a protocol that mmbench does not have yet."""

from __future__ import annotations

from functools import partial

from mmbench.claims._common import claim

WORDS = "skip-gram vectors with visual words frozen"
_words = partial(claim, section="5.3", exhibit="Fig. 10", waits_for=WORDS)

_words(
    "devillers2021-skipgram-baseline-best",
    "Over the three word tests, freely trained vectors are better than those with frozen visual words.",
)
_words(
    "devillers2021-skipgram-semantic-gap-smallest",
    "The lead of freely trained vectors is smallest on semantic analogies, where some image and some multimodal "
    "models equal them.",
)
_words(
    "devillers2021-skipgram-no-significant-gain-semantic",
    "Even on semantic analogies, no vectors with frozen visual words are significantly above freely trained ones.",
    leaves_open="the test and the number of runs",
)
_words(
    "devillers2021-wordsim-no-family-difference",
    "Scores on word similarity differ between models, but not between families of models.",
)
_words(
    "devillers2021-wordsim-contrastive-lead-multimodal",
    "CLIP and TSM agree best with human word similarity among the multimodal encoders.",
    leaves_open="whether this is due to the loss or to the amount of data",
)
_words(
    "devillers2021-wordsim-bitm-on-par",
    "On word similarity BiT-M is the best of the encoders trained on images, and on par with CLIP and TSM.",
)
_words(
    "devillers2021-wordsim-top6-largest-data",
    "The six best models on word similarity are the six that were trained on the most data.",
    exhibit="Fig. 1, 10",
    leaves_open="whether augmented images count as data for the AR models",
)
_words(
    "devillers2021-analogy-best-is-visual",
    "The visual words of SIN+IN are best on semantic analogies, those of AR-L2 on morphology analogies.",
)
_words(
    "devillers2021-analogy-no-trend",
    "Scores on analogies show no trend across models.",
    exhibit="Fig. 1, 10",
)
_words(
    "devillers2021-language-tasks-no-multimodal-gain",
    "Visual words of multimodal models help on the three word tests no more than those of other models.",
    section="5.3, 6",
)
_words(
    "devillers2021-data-size-drives-word-similarity",
    "The amount of training data may matter more than multimodality for how useful features are.",
    exhibit="Fig. 1, 10",
    leaves_open="which tasks are meant; the evidence is word similarity",
)
_words(
    "devillers2021-visual-words-above-chance",
    "Class means in 300 dimensions classify 824 merged ImageNet classes far above chance for every model (p < 0.01).",
    section="5.4",
    exhibit="",
    leaves_open="the accuracies, and whether prototypes and test images are the same",
)
claim(
    "devillers2021-pred-domain-terms-help",
    "Adding a loss term within each modality, such as self-supervision, should help contrastive models on vision "
    "tasks.",
    "6",
    waits_for="a matched pair of models, trained by contrast with and without self-supervision",
    status="predicted",
)
_words(
    "devillers2021-pred-grounding-helps-semantic-more",
    "If words were grounded, multimodal visual words would help more on semantic than on morphology analogies.",
    section="5.2",
    status="predicted",
)
