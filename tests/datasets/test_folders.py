"""Images in folders: the layout is checked at once, and each kind of bad file has a clear outcome."""

import contextlib
import os
import shutil
import struct
import unicodedata
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmbench.datasets.folders import image_folder
from mmbench.datasets.images import FileImages, read_image
from mmbench.errors import BadDataset, BadItem


@pytest.fixture
def root(tmp_path):
    """Two classes, two splits, two images each."""
    for split in ("train", "test"):
        for number, name in enumerate(("cat", "dog")):
            folder = tmp_path / "pets" / split / name
            folder.mkdir(parents=True)
            for index in range(2):
                pixels = np.full((8, 8, 3), 40 * (1 + number) + index + 10 * (split == "test"), np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return tmp_path / "pets"


def test_a_folder_of_classes_is_a_dataset(root):
    entry = image_folder(root)
    dataset = entry.load()
    assert (entry.classes, entry.counts) == (2, {"train": 4, "test": 4})
    assert dataset.classes == ("cat", "dog")
    split = dataset.split("test")
    assert split.ids == ("test/cat/0.png", "test/cat/1.png", "test/dog/0.png", "test/dog/1.png")
    assert split.labels.tolist() == [0, 0, 1, 1]
    assert split.images.image(3).getpixel((0, 0)) == (91, 91, 91)
    assert len({split.images.digest(row) for row in range(4)}) == 4


def test_a_validation_split_is_taken_when_it_is_there(root):
    for name in ("cat", "dog"):
        (root / "valid" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(root / "valid" / name / "v.png")
    assert image_folder(root).counts == {"train": 4, "valid": 2, "test": 4}


def test_identity_follows_the_bytes_and_not_the_clock(root):
    before = image_folder(root).identity()
    os.utime(root / "train" / "cat" / "0.png", (1, 1))
    assert image_folder(root).identity() == before
    Image.new("RGB", (8, 8), "red").save(root / "train" / "cat" / "0.png")
    assert image_folder(root).identity() != before


def test_one_class_is_refused(root):
    for split in ("train", "test"):
        (root / split / "dog").rename(root.parent / f"{split}-dog")
    with pytest.raises(BadDataset, match="has only the class 'cat'; there must be two classes or more"):
        image_folder(root)


def test_no_images_are_refused(tmp_path):
    (tmp_path / "train" / "cat").mkdir(parents=True)
    (tmp_path / "test" / "cat").mkdir(parents=True)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("no image")
    with pytest.raises(BadDataset, match="cat has no images; remove the folder, or put images there"):
        image_folder(tmp_path)
    for split in ("train", "test"):
        shutil.rmtree(tmp_path / split / "cat")
    with pytest.raises(BadDataset, match="has no class folders with images"):
        image_folder(tmp_path)


def test_a_class_without_test_images_is_named(root):
    (root / "test" / "dog").rename(root.parent / "moved")
    with pytest.raises(BadDataset, match=r"test has no images of 'dog'; every split needs every class"):
        image_folder(root)


def test_one_name_in_two_forms_of_unicode_is_said(root):
    for split, form in (("train", "NFC"), ("test", "NFD")):
        (root / split / "dog").rename(root / split / unicodedata.normalize(form, "caf\u00e9"))
    with pytest.raises(BadDataset, match=r"'cafe\\u0301' and 'caf\\xe9' are one name in two forms of Unicode"):
        image_folder(root)


@pytest.mark.parametrize("gone", ["", "train", "test"])
def test_a_missing_folder_is_named(root, gone):
    if gone:
        (root / gone).rename(root.parent / "away")
        with pytest.raises(BadDataset, match=f"has no folder '{gone}'"):
            image_folder(root)
    else:
        with pytest.raises(BadDataset, match=r"nowhere is not a folder; an image folder holds train/CLASS/"):
            image_folder(root / "nowhere")


# -- one file ------------------------------------------------------------------------------------------------------


def test_a_truncated_image_names_its_file(tmp_path):
    path = tmp_path / "half.jpg"
    Image.effect_noise((64, 64), 50).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(BadItem, match=r"half\.jpg cannot be decoded .*copy it again or remove it"):
        read_image(path)


def test_an_empty_file_names_itself(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(BadItem, match=r"empty\.png is empty \(0 bytes\)"):
        read_image(tmp_path / "empty.png")


def test_a_text_file_called_png_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(BadItem, match=r"text\.png is not a readable image"):
        read_image(tmp_path / "text.png")


def test_a_file_that_went_away_is_told(tmp_path):
    with pytest.raises(BadItem, match=r"gone\.png does not exist"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(BadItem, match=r"gone\.png cannot be read"):
        FileImages([tmp_path / "gone.png"]).digest(0)


@pytest.mark.parametrize("side", [9_000, 60_000])
def test_a_huge_image_is_refused_by_its_header(tmp_path, side):
    """A bomb: a header that promises 81 million or 3.6 billion pixels, and no data that would have to be decoded."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    bomb += struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    (tmp_path / "huge.png").write_bytes(bomb)
    with pytest.raises(BadItem, match=r"huge\.png has .*pixels.* the limit of 64,000,000"):
        read_image(tmp_path / "huge.png")


RED = (255, 0, 0)


def test_a_palette_becomes_rgb(tmp_path):
    Image.new("RGB", (8, 8), RED).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png")
    image = read_image(tmp_path / "p.png")
    assert (image.mode, image.getpixel((3, 3))) == ("RGB", RED)


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "c.tif")
    image = read_image(tmp_path / "c.tif")
    assert (image.mode, image.getpixel((3, 3))) == ("RGB", RED)


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path):
    Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16)).save(tmp_path / "deep.png")
    values = np.asarray(read_image(tmp_path / "deep.png"))[0, :, 0]
    assert values.tolist() == [0, 128, 255]


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "moving.gif").getpixel((3, 3)) == RED


def test_transparency_is_laid_on_white(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)


@given(cut=st.integers(0, 400), flips=st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), max_size=4))
def test_damage_anywhere_gives_an_image_or_a_bad_item(tmp_path_factory, cut, flips):
    """Whatever happens to a file's bytes, nothing but an RGB image or BadItem comes out."""
    path = tmp_path_factory.mktemp("damage") / "d.png"
    Image.fromarray(np.arange(300, dtype=np.uint16).astype(np.uint8).reshape(10, 10, 3)).save(path)
    raw = bytearray(path.read_bytes())
    for place, value in flips:
        raw[place % len(raw)] = value
    path.write_bytes(bytes(raw[: len(raw) - cut]) if cut < len(raw) else b"")
    with contextlib.suppress(BadItem):
        assert read_image(path).mode == "RGB"
