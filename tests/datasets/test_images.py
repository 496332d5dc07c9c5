"""How a file becomes RGB of 8 bits: against Pillow and the datasets library, and what is refused."""

import io
import json
import os
import struct
import subprocess
import warnings
import zlib
from pathlib import Path

import datasets
import numpy as np
import paper_data
import pytest
from PIL import Image, ImageOps
from torchvision.datasets.folder import pil_loader

from mmbench.datasets.images import FORMATS, REFERENCE, FileImages, decode_image, read_image
from mmbench.datasets.specs import resolve
from mmbench.errors import BadItem

RNG = np.random.default_rng(0)
PICTURE = Image.fromarray(RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8))
SUFFIX = {"PPM": "ppm", "TIFF": "tif", "JPEG": "jpg"}
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 6\n%%EndComments\nshowpage\n%%EOF\n"


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pixels(image):
    assert image.mode == "RGB"
    return np.asarray(image).tolist()


# -- formats -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_a_format_is_known_by_its_content(tmp_path, kind):
    """Whatever a file is called, it is read as what it holds."""
    file = tmp_path / "picture.bmp"
    file.write_bytes(encoded(PICTURE, kind))
    assert pixels(read_image(file)) == pixels(Image.open(io.BytesIO(file.read_bytes())).convert("RGB"))


@pytest.mark.parametrize("name", ["a.eps", "a.png", "a.jpg", "a.tif"])
def test_postscript_starts_no_program(tmp_path, monkeypatch, name):
    """Pillow would hand it to Ghostscript."""
    for function in ("Popen", "run", "call", "check_call", "check_output"):
        monkeypatch.setattr(subprocess, function, lambda *_, **__: pytest.fail("a program was started"))
    (tmp_path / name).write_bytes(POSTSCRIPT)
    with pytest.raises(BadItem, match=rf"{name} is not a readable image \(PNG, JPEG, .*PPM\); remove it or convert"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("kind", ["ICO", "PCX", "TGA", "SGI", "EPS", "JPEG2000", "MSP", "XBM"])
def test_other_formats_are_refused(kind):
    whole = encoded(PICTURE.convert("1") if kind in ("MSP", "XBM") else PICTURE, kind)
    with pytest.raises(BadItem, match="item 3 is not a readable image"):
        decode_image(whole, "item 3")


@pytest.mark.parametrize("kind", FORMATS)
def test_damage_anywhere_is_an_image_or_a_bad_item(kind):
    """Of every format, under every rule; Pillow's decoders raise errors of many classes."""
    whole, rng = encoded(PICTURE.resize((24, 20)), kind), np.random.default_rng(1)
    refused = 0
    for _ in range(60):
        raw = bytearray(whole)
        for place in rng.integers(0, len(raw), rng.integers(1, 6)):
            raw[place] = rng.integers(0, 256)
        for rule in ("white", "drop", "reference"):
            try:
                assert decode_image(bytes(raw[: rng.integers(1, len(raw) + 200)]), "x", rule=rule).mode == "RGB"
            except BadItem:
                refused += 1
    assert refused > 10


# -- orientation ---------------------------------------------------------------------------------------------------


def turned(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(PICTURE, kind, exif=exif)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_the_libraries_turn_it(kind, orientation):
    raw = turned(kind, orientation)
    mine = decode_image(raw, "x")
    assert mine.size == ((9, 6) if orientation < 5 else (6, 9))
    assert pixels(mine) == pixels(ImageOps.exif_transpose(Image.open(io.BytesIO(raw))).convert("RGB"))
    theirs = datasets.Image().decode_example({"bytes": raw, "path": None})
    assert pixels(mine) == pixels(theirs.convert("RGB"))
    assert pixels(decode_image(raw, "x", rule=REFERENCE)) == pixels(Image.open(io.BytesIO(raw)).convert("RGB"))


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0"]
)
def test_damaged_metadata_leave_the_picture_as_it_is(exif):
    raw = encoded(PICTURE, "PNG", exif=exif)
    assert pixels(decode_image(raw, "x")) == pixels(PICTURE)


# -- transparency --------------------------------------------------------------------------------------------------

CLEAR = np.dstack([np.asarray(PICTURE), RNG.integers(0, 256, (6, 9), dtype=np.uint8)])


def transparent():
    """The same transparency in every form that a file may have."""
    palette = PICTURE.convert("P", palette=Image.Palette.ADAPTIVE)
    rgb = encoded(PICTURE, "PNG", transparency=PICTURE.getpixel((0, 0)))
    yield encoded(Image.fromarray(CLEAR), "PNG")
    yield encoded(Image.fromarray(CLEAR), "WEBP", lossless=True)
    yield encoded(Image.fromarray(CLEAR).convert("LA"), "PNG")
    yield encoded(palette, "PNG", transparency=3)
    yield encoded(palette, "PNG", transparency=bytes(range(0, 256, 2)))
    yield encoded(palette, "GIF", transparency=3)
    yield rgb


@pytest.mark.parametrize("raw", list(transparent()), ids=["png", "webp", "la", "palette", "bytes", "gif", "colour"])
def test_transparency_is_white_or_dropped(raw):
    whole = Image.open(io.BytesIO(raw)).convert("RGBA")
    white = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")
    assert pixels(decode_image(raw, "x")) == pixels(white)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, on palettes of several transparent colours
        dropped = Image.open(io.BytesIO(raw)).convert("RGB")  # as torchvision's and open_clip's readers do
    for rule in ("drop", "reference"):
        assert pixels(decode_image(raw, "x", rule=rule)) == pixels(dropped)
    assert pixels(white) != pixels(decode_image(raw, "x", rule="drop"))


def folder(root):
    for split in ("train", "test"):
        for row, name in enumerate(("cat", "dog")):
            home = root / split / name
            home.mkdir(parents=True)
            part = CLEAR.copy()
            part[..., 0] = row + 10 * (split == "test")
            Image.fromarray(part).save(home / "0.png")
    return root


@pytest.mark.parametrize(
    "form", ["imagefolder:{}", "table:{}/t.csv?image=image&label=label", "webdataset:{}/w", "hf_dataset:{}/hf"]
)
def test_a_specification_chooses(tmp_path, form, own_notes):
    """The option changes pixels, digests and the identity, so that nothing stored under the other rule comes back."""
    root = folder(tmp_path / "pets") if form.startswith("image") else tmp_path
    raw = [encoded(Image.fromarray(np.roll(CLEAR, row, 0)), "PNG") for row in range(4)]
    if not form.startswith("image"):
        for row in range(4):
            (tmp_path / f"{row}.png").write_bytes(raw[row])
        lines = [f"{'train' if row < 2 else 'test'},{row}.png,{'ab'[row % 2]}" for row in range(4)]
        (tmp_path / "t.csv").write_text("\n".join(["split,image,label", *lines]))
        for split, rows in (("train", (0, 1)), ("test", (2, 3))):
            paper_data.shard(
                tmp_path / "w" / split / "0.tar",
                {
                    f"{row}.{kind}": part
                    for row in rows
                    for kind, part in (("png", raw[row]), ("cls", b"%d" % (row % 2)))
                },
            )
        made = datasets.Dataset.from_dict(
            {"image": [{"bytes": raw[row], "path": None} for row in range(2)], "label": ["a", "b"]},
            features=datasets.Features(image=datasets.Image(), label=datasets.Value("string")),
        )
        made.save_to_disk(tmp_path / "hf")
    spec = form.format(root)
    white, dropped = (resolve(spec + end) for end in ("", ("&" if "?" in spec else "?") + "alpha=drop"))
    one, other = (entry.load().split("test").images for entry in (white, dropped))
    assert pixels(one.image(0)) != pixels(other.image(0))
    assert one.digest(0) != other.digest(0)
    assert white.identity() != dropped.identity()


# -- depth ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "top"), [("PNG", 65535), ("TIFF", 65535), ("PPM", 65535)])
def test_sixteen_bits_keep_their_range(kind, top):
    values = np.array([[0, 1000, 32768, top]], np.uint16)
    raw = encoded(Image.fromarray(values), kind)
    assert [row[0] for row in pixels(decode_image(raw, "x"))[0]] == [0, 4, 128, 255]


def colours_of_16_bits(values):
    """A PNG of 16-bit colours, which Pillow cannot write."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_colours_of_sixteen_bits_keep_their_range():
    values = np.array([[[0, 65535, 32768]], [[256, 4096, 65280]]], np.uint16)
    assert pixels(decode_image(colours_of_16_bits(values), "x")) == [[[0, 255, 128]], [[1, 16, 255]]]
    for top in (4095, 255):
        with pytest.raises(BadItem, match=f"x has 16 bits, and its brightest value is at most {top:,} of 65,535"):
            decode_image(colours_of_16_bits(np.minimum(values, top)), "x")
    assert decode_image(colours_of_16_bits(np.minimum(values, 4095)), "x", rule=REFERENCE).getpixel((0, 0)) == (
        0,
        15,
        15,
    )


def test_black_of_sixteen_bits_is_black():
    raw = encoded(Image.fromarray(np.zeros((2, 2), np.uint16)), "PNG")
    assert pixels(decode_image(raw, "x")) == [[[0, 0, 0]] * 2] * 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.array([[0, 4095]], np.uint16),
            "x has 16 bits, and its brightest value is at most 4,095 of 65,535: .*scale it",
        ),
        (np.array([[0, 255]], np.uint16), "x has 16 bits, and its brightest value is at most 255 of 65,535"),
        (np.array([[0, 255]], np.int32), "x holds 32-bit whole numbers, and nothing says which of them is white"),
        (np.array([[0.0, 1.0]], np.float32), "x holds floating-point values"),
        (np.array([[0.0, np.nan]], np.float32), "x holds floating-point values"),
    ],
)
def test_a_depth_without_a_white_is_refused(values, message):
    with pytest.raises(BadItem, match=message):
        decode_image(encoded(Image.fromarray(values), "TIFF"), "x")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_white_may_be_zero(kind):
    """Photometric 0 of TIFF; Pillow itself turns 8 bits over."""
    top = np.iinfo(kind).max
    image = Image.fromarray(np.array([[0, top, top // 5]], kind))
    black = encoded(image, "TIFF")
    assert pixels(decode_image(black, "x")) == [[[0] * 3, [255] * 3, [51] * 3]]
    white = black.replace(struct.pack("<HHII", 262, 3, 1, 1), struct.pack("<HHII", 262, 3, 1, 0))
    assert pixels(decode_image(white, "x")) == [[[255] * 3, [0] * 3, [204] * 3]]


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_file_that_is_replaced_after_its_digest_is_not_decoded(tmp_path):
    """Else its features would be stored as those of the first file."""
    file = tmp_path / "a.png"
    file.write_bytes(encoded(PICTURE, "PNG"))
    images = FileImages([file])
    assert pixels(images.image(0)) == pixels(PICTURE)
    images.digest(0)
    file.write_bytes(encoded(ImageOps.mirror(PICTURE), "PNG"))
    for asked in (images.image, images.digest):
        with pytest.raises(BadItem, match=r"a\.png was replaced after this run read it; start the run again"):
            asked(0)
    again = FileImages([file])
    assert again.digest(0)
    assert pixels(again.image(0)) == pixels(ImageOps.mirror(PICTURE))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(BadItem, match=r"a\.png does not exist"):
        read_image(tmp_path / "a.png")


def test_a_huge_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("mmbench.datasets.images.MOST_BYTES", 100)
    (tmp_path / "a.png").write_bytes(encoded(PICTURE, "PNG"))
    with pytest.raises(BadItem, match=r"a\.png has more than 100 bytes, which is the limit"):
        read_image(tmp_path / "a.png")


def test_a_name_that_is_not_utf8_is_printed_as_an_escape(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    path.write_bytes(b"nothing")
    with pytest.raises(BadItem, match=r"caf\\xe9\.png is not a readable image"):
        FileImages([path]).image(0)


# -- the papers' datasets ------------------------------------------------------------------------------------------


def of_cub(root):
    paper_data.cub(root, paper_data.pictures(2, 8, seed=5), 2)
    return f"torchvision:CUB200?root={root}&classes=2&train=20&test=4"


def of_imagenet(root):
    paper_data.imagenet(root, paper_data.pictures(2, 8, seed=5))
    return f"imagenet:val?root={root}&classes=2&test=4"


def of_coco(root):
    paper_data.save(np.asarray(PICTURE), root / "val2017" / "1.jpg")
    (root / "annotations").mkdir()
    rows = [{"id": 1, "image_id": 1, "caption": "one"}, {"id": 2, "image_id": 1, "caption": "two"}]
    content = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": rows}
    (root / "annotations" / "captions_val2017.json").write_text(json.dumps(content))
    return f"coco:val2017?root={root}&classes=1&test=2"


@pytest.mark.parametrize("make", [of_cub, of_imagenet, of_coco])
def test_the_papers_datasets_are_read_as_their_readers_read_them(tmp_path, make):
    """torchvision's: not turned, transparency dropped, 16 bits as Pillow converts them."""
    images = resolve(make(tmp_path)).load().split("test").images
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = encoded(Image.fromarray(CLEAR), "PNG", exif=exif)
    deep = encoded(Image.fromarray(np.array([[0, 200, 40_000]], np.uint16)), "PNG")
    for raw in (clear, deep):
        images.paths[0].write_bytes(raw)
        assert pixels(images.image(0)) == pixels(pil_loader(images.paths[0]))
