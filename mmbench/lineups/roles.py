"""The roles: names by which claims call models and datasets, with what each stands for in the papers."""

from __future__ import annotations

UNTRAINED = "random"  # the role of the floor

# In no paper: the zoo's own study, references and floors.
OURS = {
    "simclr": "contrast of two views, without labels; of our own study",
    "dino": "self-distillation, without labels; of our own study",
    "slip": "captions and two views together; of our own study",
    "vit": "a transformer trained on fine labels; of our own study",
    "beit": "a transformer trained to foretell masked patches; of our own study",
    **{
        f"{name}_seed{seed}": f"{name}, trained again with seed {seed}"
        for name in ("bit_m", "rn50", "clip")
        for seed in (1, 2)
    },
    "smollm2": "a further language model with real pretraining; in no paper, a reference of ours",
    "efficientnet": "a further network with real ImageNet training; in no paper, a reference of ours",
    "random": "an untrained network; in no paper, the floor of ours",
}

MODEL_ROLES = {
    "rn50": "ResNet-50 trained on the 1,000 labels of ImageNet",
    "bit_m": "BiT-M ResNet-50x1 trained on the labels of ImageNet-21k",
    "sin": "ResNet-50 trained on Stylised ImageNet",
    "sin_in": "ResNet-50 trained on Stylised ImageNet and ImageNet together",
    "sin_in_fin": "the same, then fine-tuned on ImageNet",
    "ar_l2": "adversarially robust ResNet-50, L2, epsilon 3",
    "ar_li4": "adversarially robust ResNet-50, L-infinity, epsilon 4/255",
    "ar_li8": "adversarially robust ResNet-50, L-infinity, epsilon 8/255",
    "clip": "image tower of CLIP RN50, contrast with captions",
    "tsm": "TSM ResNet-50 of MMV, contrast with sound and speech transcripts of videos",
    "virtex": "ResNet-50 trained by writing captions",
    "icmlm": "ResNet-50 trained by filling masked words of captions",
    "clip_t": "text tower of CLIP RN50",
    "bert_base": "BERT-base tuned on sentence inference (the thesis also calls it Bert-small)",
    "bert_large": "BERT-large tuned on sentence inference",
    "bert": "bert-base-uncased",
    "gpt2": "GPT-2, 12 layers",
    "clip_vitb32": "image tower of CLIP ViT-B/32",
    "vit_unimodal": "ViT-B/16 trained on the labels of ImageNet-21k",
    "dino_vitb16": "ViT-B/16 of DINO, self-distilled without labels",
    "limber_beit": "BEiT-large as LiMBer feeds it to a language model, trained on masked patches",
    "limber_beit_ft": "the same, then tuned on the labels of ImageNet-22k",
    "limber_nfrn50": "NF-ResNet-50 as LiMBer feeds it to a language model, trained on the labels of ImageNet-1k",
    **OURS,
}

DATASET_ROLES = {
    "mnist": "handwritten digits",
    "cifar10": "ten classes of small photographs",
    "cifar100": "a hundred classes of small photographs",
    "fashion_mnist": "clothing in grey",
    "cub": "200 species of birds",
    "svhn": "house numbers in street photographs",
    "imagenet": "the validation images of ImageNet, 1,000 classes of photographs",
    "mvsa": "tweets with image and text, three sentiments",
    "book_covers": "covers and titles of books by genre",
    "book_covers_masked": "the same covers with their text removed",
    "plotster": "film posters with several genres each",
    "plotster_masked": "the same posters with their text removed",
    "plotster_title": "posters with the film's title",
    "plotster_title_masked": "masked posters with the film's title",
    "plotster_plot": "posters with the film's plot",
    "plotster_plot_masked": "masked posters with the film's plot",
    "plotster_recent": "posters of films released after CLIP",
    "plotster_recent_title": "posters and titles of films released after CLIP",
    "mangolin_tmdb": "the films of Mangolin et al. 2020",
}
