"""The roles: names by which claims call models and datasets, with what each stands for in the papers.

A study, or a user's own module of claims, adds one with ``MODEL_ROLES.add(Role(...))`` or
``DATASET_ROLES.add(Role(...))``: all studies are imported before a role is looked up. What a report must know about a
role is a field here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mmbench.errors import BadSpec
from mmbench.protocol import Roles
from mmbench.registry import Registry

Kind = Literal["labels", "language", "images", "unstated", "text", "joined", "baseline", "untrained"]

# How a model was trained, as figures group models, in their order.
KINDS: dict[Kind, str] = {
    "labels": "trained on labels",
    "language": "trained with language",
    "images": "trained on images alone",
    "unstated": "image encoder, training not stated",
    "text": "text encoder",
    "joined": "image and text encoder",
    "baseline": "no encoder: the baseline",
    "untrained": "untrained",
}


@dataclass(frozen=True)
class Role:
    """A name that claims use. ``kind`` says how a model was trained, and stays "unstated" for datasets.

    ``own`` marks a role that is in no paper: a model of the zoo's own study, a reference, or the untrained network.
    Raises BadSpec for another kind than those of ``KINDS``.
    """

    name: str
    about: str
    kind: Kind = "unstated"
    own: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadSpec(f"role {self.name!r} has the kind {self.kind!r}, expected one of {', '.join(KINDS)}")


MODEL_ROLES: Registry[Role] = Registry(
    "model role", package="mmbench.claims", group="mmbench.model_roles", modules="mmbench.claims"
)
DATASET_ROLES: Registry[Role] = Registry(
    "dataset role", package="mmbench.claims", group="mmbench.dataset_roles", modules="mmbench.claims"
)


def kind_of(models: Roles, stated: Mapping[str, Kind] | None = None) -> Kind:
    """The kind of a cell's model: as ``stated`` by role, or as registered; "joined" for several models."""
    if len(models) > 1:
        return "joined"
    model = models[0]
    if stated and model in stated:
        return stated[model]
    return MODEL_ROLES.get(model).kind if model in MODEL_ROLES else "unstated"


def untrained_models() -> frozenset[str]:
    """The registered roles of untrained networks: the lowest score to expect on a dataset."""
    return frozenset(role.name for role in MODEL_ROLES if role.kind == "untrained")


for _role in (
    Role("rn50", "ResNet-50 trained on the 1,000 labels of ImageNet", "labels"),
    Role("bit_m", "BiT-M ResNet-50x1 trained on the labels of ImageNet-21k", "labels"),
    Role(
        "bit_s", "BiT-S ResNet-50x1 trained on the 1,000 labels of ImageNet: as rn50, implemented otherwise", "labels"
    ),
    Role("sin", "ResNet-50 trained on Stylised ImageNet", "labels"),
    Role("sin_in", "ResNet-50 trained on Stylised ImageNet and ImageNet together", "labels"),
    Role("sin_in_fin", "the same, then fine-tuned on ImageNet", "labels"),
    Role("ar_l2", "adversarially robust ResNet-50, L2, epsilon 3", "labels"),
    Role("ar_li4", "adversarially robust ResNet-50, L-infinity, epsilon 4/255", "labels"),
    Role("ar_li8", "adversarially robust ResNet-50, L-infinity, epsilon 8/255", "labels"),
    Role("clip", "image tower of CLIP RN50, contrast with captions", "language"),
    Role("tsm", "TSM ResNet-50 of MMV, contrast with sound and speech transcripts of videos", "language"),
    Role("virtex", "ResNet-50 trained by writing captions", "language"),
    Role("icmlm", "ResNet-50 trained by filling masked words of captions", "language"),
    Role("clip_t", "text tower of CLIP RN50", "text"),
    Role("bert_base", "BERT-base tuned on sentence inference (the thesis also calls it Bert-small)", "text"),
    Role("bert_large", "BERT-large tuned on sentence inference", "text"),
    Role("bert", "bert-base-uncased", "text"),
    Role("gpt2", "GPT-2, 12 layers", "text"),
    Role("visualbert", "VisualBERT, an early-fusion transformer, given text alone", "text"),
    Role("clip_vitb32", "image tower of CLIP ViT-B/32", "language"),
    Role("captioned_clip", "image tower of CLIP ViT-B/32, whose vectors are captioned", "language"),
    Role("captioned_clip_t", "text tower of CLIP ViT-B/32, to whose vectors a caption decoder is fitted", "text"),
    Role("aligned_clip", "image tower of a later, better aligned model: CLIP ViT-L/14", "language"),
    Role("aligned_clip_t", "text tower of the same", "text"),
    Role("writer", "GPT-2, 12 layers, which writes captions", "text"),
    Role("vit_unimodal", "ViT-B/16 trained on the labels of ImageNet-21k", "labels"),
    Role("dino_vitb16", "ViT-B/16 of DINO, self-distilled without labels", "images"),
    Role("limber_beit", "BEiT-large as LiMBer feeds it to a language model, trained on masked patches", "images"),
    Role("limber_beit_ft", "the same, then tuned on the labels of ImageNet-22k", "labels"),
    Role(
        "limber_nfrn50",
        "NF-ResNet-50 as LiMBer feeds it to a language model, trained on the labels of ImageNet-1k",
        "labels",
    ),
    Role("simclr", "contrast of two views, without labels; of our own study", "images", own=True),
    Role("dino", "self-distillation, without labels; of our own study", "images", own=True),
    Role("slip", "captions and two views together; of our own study", "language", own=True),
    Role("vit", "a transformer trained on fine labels; of our own study", "labels", own=True),
    Role("beit", "a transformer trained to predict masked patches; of our own study", "images", own=True),
    Role(
        "smollm2", "a further language model with real pretraining; in no paper, a reference of ours", "text", own=True
    ),
    Role(
        "efficientnet",
        "a further network with real ImageNet training; in no paper, a reference of ours",
        "labels",
        own=True,
    ),
    Role("free_words", "no encoder: word vectors that are trained freely, the baseline of Fig. 10", "baseline"),
    Role("random", "an untrained network; in no paper, our lowest score to expect", "untrained", own=True),
):
    MODEL_ROLES.add(_role)
_TRAINED_AGAIN: dict[str, tuple[Kind, int]] = {
    "bit_m": ("labels", 2),
    "rn50": ("labels", 2),
    "clip": ("language", 2),
    "sin": ("labels", 2),
    "slip": ("language", 1),
}
for _name, (_kind, _times) in _TRAINED_AGAIN.items():
    for _seed in range(1, _times + 1):
        MODEL_ROLES.add(Role(f"{_name}_seed{_seed}", f"{_name}, trained again with seed {_seed}", _kind, own=True))

for _role in (
    Role("mnist", "handwritten digits"),
    Role("cifar10", "ten classes of small photographs"),
    Role("cifar100", "a hundred classes of small photographs"),
    Role("fashion_mnist", "clothing in grey"),
    Role("cub", "200 species of birds"),
    Role("svhn", "house numbers in street photographs"),
    Role("imagenet", "the validation images of ImageNet, 1,000 classes of photographs"),
    Role("coco_captions", "COCO 2014: images with five captions each, for training and validation"),
    Role("conceptual_then_coco", "Conceptual Captions for training, COCO's validation images for the test"),
    Role("mvsa", "tweets with image and text, three sentiments"),
    Role("book_covers", "covers and titles of books by genre"),
    Role("book_covers_masked", "the same covers with their text removed"),
    Role("plotster", "film posters with several genres each"),
    Role("plotster_masked", "the same posters with their text removed"),
    Role("plotster_title", "posters with the film's title"),
    Role("plotster_title_masked", "masked posters with the film's title"),
    Role("plotster_plot", "posters with the film's plot"),
    Role("plotster_plot_masked", "masked posters with the film's plot"),
    Role("plotster_recent", "posters of films released after CLIP"),
    Role("plotster_recent_title", "posters and titles of films released after CLIP"),
    Role("mangolin_tmdb", "the films of Mangolin et al. 2020"),
    Role("concept_forms", "concepts shown in several forms: pictures of other kinds, and their written names"),
    Role("rendered_words", "images of printed words, to be named in typefaces that training does not show"),
    Role("boolq", "yes-or-no questions about a passage: BoolQ of SuperGLUE"),
    Role("wic", "whether a word has one meaning in two sentences: WiC of SuperGLUE"),
    Role("senteval_bshift", "whether two words of a sentence were exchanged: bigram shift of SentEval"),
    Role("senteval_treedepth", "the depth of a sentence's parse tree: SentEval"),
    Role("senteval_topconst", "the top constituents of a sentence: SentEval"),
    Role("wikipedia", "the text on which word vectors are trained"),
    Role("visual_words", "the validation images of ImageNet in 824 classes of one word: the visual words"),
    Role("analogies_semantic", "the semantic word analogies of Mikolov et al. 2013"),
    Role("analogies_morphology", "the word analogies on morphology of Mikolov et al. 2013"),
    Role("wordsim353", "pairs of words and people's ratings of their similarity: WordSim-353"),
    Role("simlex999", "pairs of words and people's ratings of their similarity: SimLex-999, of our own study"),
):
    DATASET_ROLES.add(_role)
