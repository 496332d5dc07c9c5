"""Roles of this study, its suites of datasets, and its two scores: zero-shot, and a linear probe on features."""

from __future__ import annotations

from collections.abc import Iterable

from mmbench.conditions import Linear, Term, cell, mean
from mmbench.lineups.roles import DATASET_ROLES, MODEL_ROLES, Kind, Role
from mmbench.probes.logistic import LOGISTIC, LOGISTIC_PER_CLASS
from mmbench.probes.zero_shot import ZERO_SHOT, ZERO_SHOT_PER_CLASS
from mmbench.protocol import Protocol, Roles

STUDY = "clip2021"
_BEST = "CLIP ViT-L/14 at 336 px, which the paper calls CLIP where it says no more"

_MODELS: tuple[tuple[str, str, Kind], ...] = (
    ("clip_vitl14_336", f"image tower of {_BEST}", "language"),
    ("clip_vitl14_336_t", f"text tower of {_BEST}", "text"),
    ("clip_vitl14", "image tower of CLIP ViT-L/14 at 224 px", "language"),
    ("clip_vitb16", "image tower of CLIP ViT-B/16", "language"),
    ("clip_rn101", "image tower of CLIP RN101", "language"),
    ("clip_rn50x4", "image tower of CLIP RN50x4", "language"),
    ("clip_rn50x16", "image tower of CLIP RN50x16", "language"),
    ("clip_rn50x64", "image tower of CLIP RN50x64", "language"),
    ("clip_yfcc_rn50", "image tower of a CLIP RN50 trained on YFCC100M", "language"),
    ("clip_yfcc_rn50_t", "text tower of a CLIP RN50 trained on YFCC100M", "text"),
    (
        "noisy_student_l2",
        "EfficientNet-L2 trained by Noisy Student on ImageNet's labels and unlabelled photos",
        "labels",
    ),
    ("efficientnet_b7", "EfficientNet-B7 trained on the 1,000 labels of ImageNet", "labels"),
    ("bit_m_r152x2", "BiT-M ResNet-152x2 trained on the labels of ImageNet-21k", "labels"),
    ("ig_resnext", "ResNeXt-101 trained on the hashtags of Instagram photos", "labels"),
    ("resnet101", "ResNet-101 trained on the 1,000 labels of ImageNet", "labels"),
    ("resnet152", "ResNet-152 trained on the 1,000 labels of ImageNet", "labels"),
    ("pixels", "no network: the grey values of the image's pixels", "baseline"),
)
for _name, _about, _kind in _MODELS:
    MODEL_ROLES.add(Role(_name, _about, _kind))

for _name, _about in (
    (
        "imagenet_full",
        "ImageNet with its training images, tested on the validation images; names as CLIP's authors edited them",
    ),
    ("imagenet_v2", "ImageNetV2, photographs collected again; trained on ImageNet"),
    ("imagenet_sketch", "ImageNet Sketch, drawings of the 1,000 classes; trained on ImageNet"),
    ("imagenet_r", "ImageNet-R, renditions of 200 classes; trained on these classes of ImageNet"),
    (
        "imagenet_a",
        "ImageNet-A, photographs of 200 classes that mislead a ResNet-50; trained on these classes of ImageNet",
    ),
    ("objectnet", "ObjectNet, odd views of 113 classes; trained on these classes of ImageNet"),
    ("youtube_bb", "frames of YouTube-BB in classes of ImageNet; trained on ImageNet"),
    ("imagenet_vid", "frames of ImageNet-Vid in classes of ImageNet; trained on ImageNet"),
    ("stanford_cars", "196 models of cars"),
    ("food101", "101 dishes"),
    ("flowers102", "102 kinds of flowers"),
    ("fgvc_aircraft", "100 variants of aircraft"),
    ("kinetics700", "frames of videos of 700 actions"),
    ("ucf101", "frames of videos of 101 actions"),
    ("eurosat", "ten uses of land in satellite images"),
    ("resisc45", "45 kinds of scenes in aerial images"),
    ("patch_camelyon", "patches of lymph nodes, with or without a tumour"),
    ("clevr_counts", "synthetic scenes of 3 to 10 objects: their number"),
    ("gtsrb", "43 German traffic signs"),
    ("kitti_distance", "how far away the nearest car is, in four classes"),
    ("rendered_sst2", "images of sentences on films, positive or negative"),
    ("country211", "photographs from 211 countries"),
    ("fer2013", "faces with seven emotions"),
):
    DATASET_ROLES.add(Role(_name, _about))

CLIP = Roles("clip_vitl14_336", "clip_vitl14_336_t")
CLIP_IMAGES = "clip_vitl14_336"
YFCC = Roles("clip_yfcc_rn50", "clip_yfcc_rn50_t")
CLIP_RESNETS = ("clip", "clip_rn101", "clip_rn50x4", "clip_rn50x16", "clip_rn50x64")
CLIP_VITS = ("clip_vitb32", "clip_vitb16", "clip_vitl14", "clip_vitl14_336")
# The others in Fig. 5 and 6: of each family the one network, or two, whose weights are public and named.
OTHERS = (
    "noisy_student_l2", "efficientnet_b7", "bit_m_r152x2", "ig_resnext", "vit_unimodal", "resnet152", "resnet101",
    "rn50",
)  # fmt: skip
FEWER_OTHERS = (
    "of the families in Fig. 6 those are asked whose weights are public and named; MoCo, SimCLRv2 and BYOL are not"
)

SUITE12 = (
    "food101", "cifar10", "cifar100", "birdsnap", "sun397", "stanford_cars", "fgvc_aircraft", "voc2007", "dtd",
    "oxford_pets", "caltech101", "flowers102",
)  # fmt: skip
SUITE27 = (
    *SUITE12, "mnist", "fer2013", "stl10", "eurosat", "resisc45", "gtsrb", "kitti_distance", "country211",
    "patch_camelyon", "ucf101", "kinetics700", "clevr_counts", "hateful_memes", "rendered_sst2", "imagenet_full",
)  # fmt: skip
SHIFTS7 = (
    "imagenet_v2", "imagenet_sketch", "youtube_bb", "imagenet_vid", "objectnet", "imagenet_a", "imagenet_r",
)  # fmt: skip
# Where the paper scores accuracy within each class, averaged over the classes.
BY_CLASS = frozenset({"caltech101", "flowers102", "oxford_pets", "fgvc_aircraft"})
# What the suites need and no probe here has.
WAITS_12 = "several labels an image with 11-point mean average precision (VOC 2007)"
WAITS_27 = (
    f"{WAITS_12}, areas under ROC curves (Hateful Memes), and the mean of top-1 and top-5 accuracy of linear probes "
    "(Kinetics-700)"
)
SCORES = (ZERO_SHOT, ZERO_SHOT_PER_CLASS, LOGISTIC, LOGISTIC_PER_CLASS)


def _of(dataset: str, accuracy: Protocol, by_class: Protocol) -> Protocol:
    return by_class if dataset in BY_CLASS else accuracy


def named(dataset: str) -> Linear:
    """Zero-shot CLIP on the dataset, in the metric that the paper takes for it."""
    return cell(_of(dataset, ZERO_SHOT, ZERO_SHOT_PER_CLASS), CLIP, dataset)


def probed(role: str, dataset: str) -> Linear:
    """Logistic regression on the role's features, in the metric that the paper takes for the dataset."""
    return cell(_of(dataset, LOGISTIC, LOGISTIC_PER_CLASS), role, dataset)


def gain(dataset: str, role: str = "rn50") -> Term:
    """How far zero-shot CLIP is above a linear probe on the role's features, in points."""
    return named(dataset) - probed(role, dataset)


def over(role: str, datasets: Iterable[str]) -> Linear:
    """The mean of the role's linear probes over datasets."""
    return mean(probed(role, dataset) for dataset in datasets)
