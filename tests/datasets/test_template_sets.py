"""CLIP's prompt templates: as many as published, those of ImageNet equal open_clip's, asked for in a specification."""

import warnings

import pytest

from mmbench.datasets.prompts import check_template
from mmbench.datasets.specs import resolve
from mmbench.datasets.template_sets import template_set
from mmbench.errors import UnknownName

# How many templates the public list has for each dataset.
PUBLISHED = {
    "imagenet": 80, "birdsnap": 1, "cifar10": 18, "cifar100": 18, "clevr_counts": 1, "caltech101": 34, "country211": 5,
    "dtd": 8, "eurosat": 3, "fgvc_aircraft": 2, "fer2013": 6, "flowers102": 1, "food101": 1, "gtsrb": 3,
    "hateful_memes": 1, "kitti_distance": 1, "kinetics700": 28, "mnist": 1, "oxford_pets": 1, "voc2007": 1,
    "patch_camelyon": 1, "resisc45": 18, "rendered_sst2": 1, "stl10": 2, "sun397": 2, "stanford_cars": 8, "ucf101": 48,
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_set_has_as_many_as_published(name):
    found = template_set(name)
    assert len(found) == len(set(found)) == PUBLISHED[name]
    assert all(check_template(template, name) and template == " ".join(template.split()) for template in found)


def test_the_eighty_are_open_clips():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import open_clip
    assert template_set("imagenet") == tuple(make("{}") for make in open_clip.OPENAI_IMAGENET_TEMPLATES)


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("cifar10", {0: "a photo of a {}.", 7: "a photo of a small {}.", 17: "a photo of the big {}."}),
        ("caltech101", {1: "a painting of a {}.", 19: "the plastic {}.", 33: "a doodle of the {}."}),
        ("ucf101", {12: "a photo of the person using {}.", 45: "a video of the person practicing {}."}),
        ("kinetics700", {14: "a example of {}.", 27: "a demonstration of a person practicing {}."}),
        ("resisc45", {0: "satellite imagery of {}.", 9: "aerial photo of a {}.", 17: "aerial view of the {}."}),
        ("gtsrb", {2: 'a close up photo of a "{}" traffic sign.'}),
        ("patch_camelyon", {0: "this is a photo of {}"}),
    ],
)  # fmt: skip
def test_spot_checks_by_eye(name, some):
    assert {place: template_set(name)[place] for place in some} == some


def test_a_specification_asks_for_a_set_by_name():
    assert resolve("restricted:concepts?classes=hedgehog,sloth&templates=clip:dtd").templates == template_set("dtd")
    message = "no set of CLIP's prompt templates named 'cifar'. Did you mean 'cifar10' or 'cifar100'"
    with pytest.raises(UnknownName, match=message):
        resolve("restricted:concepts?classes=hedgehog,sloth&templates=clip:cifar")
