"""COCO's captions: an item a caption, an image encoded once, and bad files named."""

import json

import numpy as np
import paper_data
import pytest

from mmbench.datasets.coco import SIZES, coco
from mmbench.datasets.declared import Declared
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec, MissingAsset, UnknownName

RNG = np.random.default_rng(0)
IDS = (139, 285, 632)


def annotations():
    """Three images with five captions each, and a sixth of the last; captions of different images alternate."""
    rows = [(10 * number + image, image, f"picture {image},  take {number}\n") for number in range(5) for image in IDS]
    return {
        "info": {"year": 2017},
        "images": [{"id": image, "file_name": f"{image:012d}.jpg", "height": 8, "width": 8} for image in IDS],
        "annotations": [
            {"id": number, "image_id": image, "caption": caption}
            for number, image, caption in [*rows, (5, 632, "first")]
        ],
    }


@pytest.fixture
def root(tmp_path):
    for image in IDS:
        picture = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        paper_data.save(picture, tmp_path / "val2017" / f"{image:012d}.jpg")
    write(tmp_path, annotations())
    return tmp_path


def write(root, content):
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / "captions_val2017.json").write_text(json.dumps(content))


def test_an_item_is_a_caption_and_its_class_the_image(root):
    entry = resolve(f"coco:val2017?root={root}&classes=3&test=16")
    assert entry.modalities == ("image", "text")
    dataset = entry.load()
    split = dataset.split("test")
    assert dataset.classes == ("139", "285", "632")
    assert split.labels.tolist() == [0] * 5 + [1] * 5 + [2] * 6
    assert split.texts[0] == "picture 139, take 0"  # white space as one blank, no line end
    assert split.texts[10] == "first"  # by id within an image
    assert split.ids[10] == "632/5"
    assert split.groups.kind == "images"
    assert split.groups.of.tolist() == split.labels.tolist()
    for item, text in zip(split.ids[:10], split.texts[:10], strict=True):
        assert text.startswith(f"picture {item.split('/')[0]}")


def test_an_image_is_encoded_once_for_all_its_captions(root):
    split = coco("val2017", root, declared=Declared(3, {"test": 16})).load().split("test")
    assert len({split.images.digest(row) for row in range(16)}) == 3


def test_the_first_captions_of_each_image(root):
    entry = coco("val2017", root, 1, Declared(3, {"test": 3}))
    assert entry.load().split("test").texts == ("picture 139, take 0", "picture 285, take 0", "first")
    assert entry.identity() != coco("val2017", root, 2).identity()
    assert coco("val2017", root, 2).counts == {"test": 10_000}


def test_the_declared_sizes_are_the_published_ones(root):
    assert SIZES["val2017"] == (5_000, 25_014)
    year = {name: sum(SIZES[f"{split}{name}"][1] for split in ("train", "val")) for name in ("2014", "2017")}
    assert year == {"2014": 616_767, "2017": 616_767}  # the same captions, divided otherwise
    with pytest.raises(BadDataset, match=r"coco:val2017 in .* has 3 classes, expected 5,000"):
        coco("val2017", root).load()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("images"), r"has no list 'images'; it is not one of COCO's caption files"),
        (lambda c: c["annotations"][0].update(image_id=7), r"has a caption of image 7, which it does not list"),
        (lambda c: c["annotations"][0].update(caption=None), r"has an entry whose 'caption' is None"),
        (lambda c: c["annotations"][0].pop("id"), r"has an entry whose 'id' is None"),
        (
            lambda c: c["images"][0].update(file_name="../../x.jpg"),
            r"names the file '../../x.jpg', which is not a path inside",
        ),
        (lambda c: c["images"].append(3), r"has no list 'images'"),
    ],
)
def test_a_bad_file_is_named(root, change, message):
    content = annotations()
    change(content)
    write(root, content)
    with pytest.raises(BadDataset, match=message):
        coco("val2017", root).load()


def test_what_is_missing_is_named(root):
    (root / "annotations" / "captions_val2017.json").write_text("<html>")
    with pytest.raises(BadDataset, match=r"captions_val2017\.json is not valid JSON .*copy it again"):
        coco("val2017", root).load()
    with pytest.raises(MissingAsset, match=r"captions_train2014\.json does not exist"):
        coco("train2014", root).load()
    write(root, annotations())
    (root / "val2017" / "000000000285.jpg").unlink()
    with pytest.raises(MissingAsset, match=r"000000000285\.jpg does not exist"):
        coco("val2017", root).identity()


def test_bad_specs():
    with pytest.raises(UnknownName, match="no set of COCO's captions named 'val2018'"):
        resolve("coco:val2018?root=/x")
    for captions, message in (("0", "has no items"), ("two", "captions is a whole number, not 'two'")):
        with pytest.raises(BadSpec, match=message):
            resolve(f"coco:val2017?root=/x&captions={captions}")


def test_another_set_is_the_training_split(root):
    for image in (7, 8):
        picture = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        paper_data.save(picture, root / "train2017" / f"{image}.jpg")
    content = {
        "images": [{"id": image, "file_name": f"{image}.jpg"} for image in (7, 8)],
        "annotations": [{"id": 3 * image, "image_id": image, "caption": f"number {image}"} for image in (7, 8)],
    }
    (root / "annotations" / "captions_train2017.json").write_text(json.dumps(content))
    entry = resolve(f"coco:val2017?root={root}&training=train2017&classes=5&test=16")
    assert entry.counts["train"] == SIZES["train2017"][1]
    dataset = coco("val2017", root, declared=Declared(5, {"train": 2, "test": 16}), training="train2017").load()
    assert dataset.split("train").texts == ("number 7", "number 8")
    assert dataset.classes == ("139", "285", "632", "7", "8")
    assert dataset.split("train").labels.tolist() == [3, 4]
    assert entry.identity() != resolve(f"coco:val2017?root={root}").identity()
    with pytest.raises(BadSpec, match="would be tested on what it was trained on"):
        coco("val2017", root, training="val2017")
    with pytest.raises(UnknownName, match="val2016"):
        coco("val2017", root, training="val2016")


def test_an_empty_caption_is_named(root):
    content = annotations()
    content["annotations"][4]["caption"] = " \n"
    write(root, content)
    with pytest.raises(BadDataset, match=r"caption 295 of image 285 is empty; a caption has words"):
        coco("val2017", root).load()
