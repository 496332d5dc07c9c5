"""Claims of the paper that wait for a protocol that mmbench has not got yet."""

from __future__ import annotations

from functools import partial

from mmbench.claims._common import claim

ATTACKS = "adversarial attacks (random projected gradient descent)"
DENDROGRAM = "groups and heights of a dendrogram over RDM correlations"
WORDS = "skip-gram vectors with visual words frozen"
_attacks = partial(claim, exhibit="Fig. 6", waits_for=ATTACKS)
_grouped = partial(claim, waits_for=DENDROGRAM)
_words = partial(claim, section="5.3", exhibit="Fig. 10", waits_for=WORDS)

_attacks(
    "devillers2021-adv-multimodal-less-robust",
    "For every goal and norm, attacks succeed more often on VirTex and CLIP than on BiT-M, SIN+IN or RN50.",
    "3.4",
    leaves_open="the epsilons, the step size, and the ImageNet head that CLIP and VirTex were given",
)
_attacks(
    "devillers2021-adv-ar-robust",
    "The AR models resist attacks best, as they were trained to.",
    "3.4",
    leaves_open="which AR models are shown",
)
_attacks(
    "devillers2021-adv-bitm-on-par-rn50",
    "BiT-M is as easy to attack as RN50.",
    "3.5",
)
_grouped(
    "devillers2021-rsa-vision-compact",
    "Encoders trained on images all join below a distance of 0.2 in the dendrogram.",
    "4",
    "Fig. 9a",
    leaves_open="the linkage rule",
)
_grouped(
    "devillers2021-rsa-visual-subclusters",
    "BiT-M, RN50 and SIN form one group, AR another, and multimodal encoders follow further on.",
    "4",
    "Fig. 9b",
)
_grouped(
    "devillers2021-rsa-language-cluster-separate",
    "Text models (CLIP-T, GPT-2, BERT) form a cluster away from all image encoders, even CLIP's.",
    "4",
    "Fig. 9",
    leaves_open="how much is due to text RDMs being built on another distance",
)
claim(
    "devillers2021-rsa-ar-proximity-without-robustness",
    "Multimodal encoders lie near the AR models but do not resist attacks as those do.",
    "4",
    "Fig. 6, 9b",
    waits_for=ATTACKS,
)
_words(
    "devillers2021-skipgram-baseline-best",
    "Over the three word tests freely trained vectors beat those with frozen visual words.",
)
_words(
    "devillers2021-skipgram-semantic-gap-smallest",
    "Free vectors lead least on semantic analogies, where some image and some multimodal models reach them.",
)
_words(
    "devillers2021-skipgram-no-significant-gain-semantic",
    "Even on semantic analogies no frozen visual words are significantly above free vectors.",
    leaves_open="the test and the number of runs",
)
_words(
    "devillers2021-wordsim-no-family-difference",
    "Word similarity varies over models without setting the families apart.",
)
_words(
    "devillers2021-wordsim-contrastive-lead-multimodal",
    "Of the multimodal encoders CLIP and TSM agree best with human word similarity.",
    leaves_open="whether the loss or the amount of data does it",
)
_words(
    "devillers2021-wordsim-bitm-on-par",
    "On word similarity BiT-M leads the encoders trained on images and is level with CLIP and TSM.",
)
_words(
    "devillers2021-wordsim-top6-largest-data",
    "The six best on word similarity are the six trained on most data.",
    exhibit="Fig. 1, 10",
    leaves_open="whether augmented images count as data for the AR models",
)
_words(
    "devillers2021-analogy-best-is-visual",
    "Among visual words, those of SIN+IN win the semantic analogies, those of AR-L2 the morphological ones.",
)
_words(
    "devillers2021-analogy-no-trend",
    "Analogy scores follow no pattern over models.",
    exhibit="Fig. 1, 10",
)
_words(
    "devillers2021-language-tasks-no-multimodal-gain",
    "Multimodal visual words help the three word tests no more than others do.",
    section="5.3, 6",
)
_words(
    "devillers2021-data-size-drives-word-similarity",
    "Training size may matter more than multimodality for how well features serve.",
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
    "Adding a term within each modality, as self-supervision is, should help contrastive models on vision tasks.",
    "6",
    waits_for="a matched pair of models, trained by contrast with and without self-supervision",
    status="predicted",
)
_words(
    "devillers2021-pred-grounding-helps-semantic-more",
    "If words were grounded, multimodal ones would gain more on semantic than on morphology analogies.",
    section="5.2",
    status="predicted",
)
