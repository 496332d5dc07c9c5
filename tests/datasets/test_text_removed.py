"""Text is removed from images as in the thesis: boxes black, then small white pieces; made once and kept."""

import dataclasses
import hashlib
import json
import sys

import numpy as np
import pytest
from PIL import Image

from mmbench.cli.main import main
from mmbench.datasets import _text_removal, text_left
from mmbench.datasets import text_removed as module
from mmbench.datasets._east import EastBoxes
from mmbench.datasets._opencv import onnx_session, opencv, version_of
from mmbench.datasets._pp_ocr import FINDER, READER, PaddleBoxes, _session
from mmbench.datasets._rendered import RenderedImages
from mmbench.datasets._text_removal import Removal
from mmbench.datasets.derived import SelectedImages
from mmbench.datasets.entry import DATASETS, Dataset, DatasetEntry, Split
from mmbench.datasets.specs import resolve
from mmbench.datasets.text_left import interval, measured, share_read
from mmbench.datasets.text_removed import CleanedImages, CleanedWhenDecoded, text_removed
from mmbench.errors import BadDataset, BadSpec, MissingAsset, MissingExtra

cv2 = pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")

GROUND = (40, 60, 90)
YELLOW = (250, 250, 120)  # bright, with a saturation of 133
NO_BOXES = np.zeros((0, 4), np.int32)


def is_ground(pixels):
    """Painted over, up to Telea's rounding: no trace of what was bright."""
    return bool((np.abs(pixels.astype(int) - GROUND) <= 2).all())


def ground(size=(60, 80)):
    return np.broadcast_to(np.uint8(GROUND), (*size, 3)).copy()


# -- one image -----------------------------------------------------------------------------------------------------


def test_boxes_become_black_and_nothing_else_changes():
    pixels = np.random.default_rng(0).integers(0, 100, (30, 40, 3)).astype(np.uint8)
    found = Removal().without(pixels, np.array([[2, 3, 10, 9], [35, 28, 40, 30]]))
    inside = np.zeros((30, 40), bool)
    inside[3:9, 2:10] = inside[28:, 35:] = True
    assert (found[inside] == 0).all()
    np.testing.assert_array_equal(found[~inside], pixels[~inside])
    assert pixels[inside].any()  # and the original stays as it was


@pytest.mark.parametrize(("reading", "colour", "goes"), [
    ("paper", (255, 255, 255), True), ("code", (255, 255, 255), True),
    ("paper", YELLOW, False), ("code", YELLOW, True),
    ("paper", (150, 150, 150), False), ("code", (150, 150, 150), False),
])  # fmt: skip
def test_small_white_text_is_painted_over_and_the_readings_differ_in_colour(reading, colour, goes):
    """D-12b: with the filter that the thesis names, bright colours stay; its code has none."""
    pixels = ground()
    pixels[20:26, 30:34] = colour
    found = Removal(reading=reading).without(pixels, NO_BOXES)
    assert is_ground(found) == goes
    if not goes:
        np.testing.assert_array_equal(found, pixels)


def test_a_piece_counts_by_its_area_in_pixels():
    pixels = ground((100, 200))
    pixels[5:35, 5:35] = pixels[5:39, 105:139] = 255  # with a pixel around them, contours of 31 x 31 and 35 x 35
    found = Removal(area=1000).without(pixels, NO_BOXES)
    assert found[:, :100].max() < 110  # what is painted over drifts a little from the ground
    np.testing.assert_array_equal(found[:, 102:], pixels[:, 102:])
    np.testing.assert_array_equal(Removal(area=900).without(pixels, NO_BOXES), pixels)


def test_the_threshold_of_saturation_is_what_the_settings_say():
    pixels = ground()
    pixels[20:26, 30:34] = YELLOW
    assert is_ground(Removal(saturation=133).without(pixels, NO_BOXES))
    np.testing.assert_array_equal(Removal(saturation=132).without(pixels, NO_BOXES), pixels)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 50), (72, 72)])
@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("reading", ["paper", "code"])
def test_a_poster_of_one_colour_stays_as_it_is(size, shade, reading):
    pixels = np.full((*size, 3), shade, np.uint8)
    np.testing.assert_array_equal(Removal(PaddleBoxes(side=96), reading).apply(pixels), pixels)


def test_words_go():
    pixels = np.full((120, 320, 3), 90, np.uint8)
    cv2.putText(pixels, "HELLO", (60, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 3, cv2.LINE_AA)
    found = Removal(PaddleBoxes(side=320)).apply(pixels)
    edges = [int(cv2.Canny(image, 100, 200).any(axis=0)[62:190].sum()) for image in (pixels, found)]
    assert edges[0] > 80
    box = np.argwhere((found == 0).all(axis=2))
    assert len(box) == np.prod(box.max(axis=0) - box.min(axis=0) + 1)  # one black rectangle, with no letter in it
    assert (pixels[(found == pixels).all(axis=2)].min()) in (0, 90)


# -- datasets ------------------------------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A rendered dataset of two posters with a word and one without, in a cache of its own."""
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path))
    for network in (FINDER, READER):
        _session(*network)  # read from the user's cache
    pixels = np.stack([np.full((72, 72, 3), shade, np.uint8) for shade in (200, 200, 120)])
    for row, word in enumerate(("FISH", "STAR")):
        cv2.putText(pixels[row], word, (4, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 2, cv2.LINE_AA)
    images = RenderedImages("made", "0" * 16, 3, lambda: pixels)
    split = Split(("a", "b", "c"), np.array([0, 1, 1]), images, ("Fish", "Star", "Moon!"))
    splits = {"train": split, "test": split}
    return DatasetEntry(
        "made", lambda: Dataset("made", ("x", "y"), splits), lambda: "made-1", 2, modalities=("image", "text")
    )


SMALL = Removal(PaddleBoxes(side=160), area=10)


def test_a_rendered_dataset_is_cleaned_once_and_says_where_no_text_was_found(drawn, monkeypatch):
    first = text_removed(drawn, SMALL, name="first").load().split("test")
    assert isinstance(first.images, CleanedImages)
    assert first.ids == ("a", "b", "c")
    assert first.texts == ("Fish", "Star", "Moon!")
    whole = drawn.load().split("test").images
    for row in range(2):
        assert (np.asarray(first.images.image(row)) == 0).all(axis=2).sum() > 200
        assert first.images.digest(row) != whole.digest(row)
    assert first.images.without_text == [2]
    np.testing.assert_array_equal(np.asarray(first.images.image(2)), np.asarray(whole.image(2)))
    assert first.images.digest(2) == whole.digest(2)  # the same pixels: encoded once

    def never(*_):
        raise AssertionError("the boxes are kept")

    monkeypatch.setattr(PaddleBoxes, "boxes", never)
    again = text_removed(drawn, SMALL, name="again").load().split("test").images
    assert again.digests() == first.images.digests()
    other = text_removed(drawn, dataclasses.replace(SMALL, reading="code"), name="code").load().split("test").images
    assert other.boxes(0).tolist() == first.images.boxes(0).tolist()  # found once for both readings
    assert other.image(0).size == (72, 72)
    finer = Removal(PaddleBoxes(side=192), area=10)
    sought = text_removed(drawn, finer, name="finer").load().split("test").images
    with pytest.raises(AssertionError, match="the boxes are kept"):
        sought.digests()


def test_other_images_are_cleaned_as_they_are_decoded(tmp_path):
    for split in ("train", "test"):
        for name in ("x", "y"):
            (tmp_path / split / name).mkdir(parents=True)
            shade = hashlib.sha256(f"{split}{name}".encode()).digest()[0]
            pixels = np.full((60, 120, 3), 100 + shade // 3, np.uint8)
            cv2.putText(pixels, "WORD", (10, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2, cv2.LINE_AA)
            Image.fromarray(pixels).save(tmp_path / split / name / "one.png")
    whole = resolve(f"imagefolder:{tmp_path}").load().split("test").images
    images = resolve(f"text_removed:(imagefolder:{tmp_path})?side=160").load().split("test").images
    assert isinstance(images, CleanedWhenDecoded)
    assert len(images.boxes(0)) == 1
    expected = Removal(PaddleBoxes(side=160)).apply(np.asarray(whole.image(0)))
    np.testing.assert_array_equal(np.asarray(images.image(0)), expected)
    assert (expected == 0).all(axis=2).any()


def test_every_setting_and_library_is_part_of_the_identity(drawn, monkeypatch):
    def identity(removal=SMALL):
        return text_removed(drawn, removal, name="any").identity()

    found = [identity(), identity(dataclasses.replace(SMALL, reading="code"))]
    found += [identity(dataclasses.replace(SMALL, **change)) for change in ({"saturation": 65}, {"area": 11})]
    changes = {"side": 192, "threshold": 0.2, "least": 0.4, "growth": 1.5}
    found += [
        identity(dataclasses.replace(SMALL, detector=PaddleBoxes(**{"side": 160, key: value})))
        for key, value in changes.items()
    ]
    monkeypatch.setattr(_text_removal, "version_of", lambda *names: f"{names[0]} 0.0")
    found.append(identity())
    assert len(set(found)) == len(found) == 9


@pytest.mark.parametrize("name", module.NAMES)
def test_the_embedded_sets_keep_ids_labels_and_texts(name):
    parent, cleaned = (DATASETS.get(each).load() for each in (name, f"{name}_text_removed"))
    for split in ("train", "test"):
        one, other = parent.split(split), cleaned.split(split)
        assert other.digest() == one.digest()
        assert other.texts == one.texts
        assert isinstance(other.images, CleanedImages)


# -- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("library", "use"), [
    ("opencv-python-headless", opencv.__wrapped__),
    ("onnxruntime", lambda: onnx_session(b"")),
])  # fmt: skip
def test_a_missing_library_names_the_extra(monkeypatch, library, use):
    for name in ("cv2", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    wanted = rf"^removing text from images needs {library}; install it with: pip install 'mmbench\[embedded\]'$"
    with pytest.raises(MissingExtra, match=wanted):
        use()


def test_a_version_that_is_not_installed_names_the_extra():
    assert version_of("no-such-distribution", "numpy") == f"numpy {np.__version__}"
    with pytest.raises(MissingExtra, match="needs no-such-distribution"):
        version_of("no-such-distribution")


@pytest.mark.parametrize(("spec", "error", "says"), [
    ("text_removed:postrs", KeyError, "no dataset named 'postrs'"),
    ("text_removed:posters?detector=craft", BadSpec, "detector is one of pp_ocr, east, not 'craft'"),
    ("text_removed:posters?detector=east", BadSpec, "lacks weights=FILE, the file of OpenCV's EAST"),
    ("text_removed:posters?weights=x.pb", BadSpec, "weights=FILE is for detector=east alone"),
    ("text_removed:posters?side=0", BadSpec, "side is from 1 to 4096, not 0"),
    ("text_removed:posters?detector=east&weights=x.pb&side=300", BadSpec, "a multiple of 32, not 300"),
    ("text_removed:posters?reading=code&saturation=9", BadSpec, "the filter on saturation is of reading=paper alone"),
    ("text_removed:posters?area=few", BadSpec, "area is a whole number, not 'few'"),
    ("text_removed:analogies_semantic", KeyError, "no dataset named"),
])  # fmt: skip
def test_a_specification_that_cannot_be_is_refused(spec, error, says):
    with pytest.raises(error, match=says):
        resolve(spec)


def test_a_specification_gives_the_settings():
    entry = resolve("text_removed:posters?reading=code&side=160&area=10")
    ours = text_removed(DATASETS.get("posters"), dataclasses.replace(module.EMBEDDED, reading="code"), name=entry.name)
    assert entry.identity() == ours.identity()
    assert entry.assets == (*DATASETS.get("posters").assets, "rapidocr")
    assert (
        resolve("text_removed:posters?side=160&area=10").identity() == DATASETS.get("posters_text_removed").identity()
    )


def test_the_file_of_east_may_come_later_but_not_for_an_image(tmp_path):
    entry = resolve(f"text_removed:posters?detector=east&weights={tmp_path}/east.pb")
    assert entry.assets == DATASETS.get("posters").assets
    removal = Removal(EastBoxes(tmp_path / "east.pb"))
    for ask in (entry.identity, lambda: removal.apply(ground())):
        with pytest.raises(MissingAsset, match=r"east\.pb does not exist; the detector EAST needs"):
            ask()


# -- what can still be read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "reading", "share"), [
    ("thelastowl", "thelastowl", 1.0),
    ("thelastowl", "", 0.0),
    ("thelastowl", "xxlastxowlx", 0.7),
    ("thelastowl", "thxeastwl", 0.3),  # pieces of two do not count
    ("ox", "box", 1.0),
    ("ox", "xo", 0.0),
])  # fmt: skip
def test_a_letter_is_read_in_a_piece_of_three(text, reading, share):
    assert share_read(text, reading) == pytest.approx(share)


def test_the_interval_is_students():
    from scipy import stats

    shares = [0.2, 0.9, 0.4, 0.4, 0.7]
    expected = stats.t.interval(0.95, 4, np.mean(shares), stats.sem(shares))
    np.testing.assert_allclose(interval(shares), expected)
    assert interval([0.0, 0.0, 1.0])[0] == 0.0
    assert interval([0.5]) == (0.0, 1.0)
    exact = stats.binomtest(0, 40).proportion_ci(0.95, "exact")  # without spread: as if no event was seen
    assert interval([0.0] * 40) == (0.0, pytest.approx(exact.high))
    assert interval([1.0] * 40) == (pytest.approx(1 - exact.high), 1.0)


def test_words_are_read_before_and_not_after(drawn, monkeypatch):
    cleaned = text_removed(drawn, SMALL, name="cleaned")
    kept = text_removed(drawn, Removal(PaddleBoxes(side=160, least=1.1), area=0), name="kept")  # boxes never
    found = measured(drawn, [cleaned, kept], items=2)
    assert [version.dataset for version in found.versions] == ["made", "cleaned", "kept"]
    assert [version.read for version in found.versions] == [1.0, 0.0, 1.0]
    assert [version.nothing_found for version in found.versions] == [None, 0, 2]
    assert found.versions[0].changed == found.versions[2].changed == 0 < found.versions[1].changed < 0.7
    assert (found.items, found.letters, found.by_chance) == (2, 8, 0.0)
    assert measured(drawn, [cleaned], items=9).versions[1].nothing_found == 1


def test_a_word_that_only_moved_is_still_read(drawn, monkeypatch):
    """The places of before are empty then; the new search finds it."""
    whole = drawn.load().split("test")
    moved = np.stack([np.roll(np.asarray(whole.images.image(row)), -28, axis=0) for row in range(3)])
    images = RenderedImages("moved", "1" * 16, 3, lambda: moved)
    split = dataclasses.replace(whole, images=images)
    entry = dataclasses.replace(drawn, name="moved", load=lambda: Dataset("moved", ("x", "y"), {"test": split}))
    assert measured(drawn, [entry], items=2).versions[1].read == 1.0


def test_items_without_text_are_counted_in_images_that_are_not_rendered_too(drawn):
    whole = drawn.load().split("test")
    images = SelectedImages(whole.images, [0, 1, 2])
    split = dataclasses.replace(whole, images=images)
    entry = dataclasses.replace(drawn, load=lambda: Dataset("made", ("x", "y"), {"test": split}))
    version = measured(entry, [text_removed(entry, SMALL, name="cleaned")]).versions[1]
    assert (version.nothing_found, version.read) == (1, 0.0)


def test_what_cannot_be_measured_is_refused(drawn):
    cases = [
        (resolve("posters"), [], "posters has no texts; it needs both"),
        (drawn, [DATASETS.get("flags")], "flags is no version of made: expected the same test items with images"),
    ]
    for original, masked, says in cases:
        with pytest.raises(BadDataset, match=says):
            measured(original, masked, items=1)
    split = dataclasses.replace(drawn.load().split("test"), texts=("...", "Star", "Moon"))
    silent = dataclasses.replace(drawn, load=lambda: Dataset("made", ("x", "y"), {"test": split}))
    with pytest.raises(BadDataset, match="made: the text of 'a' has no letters that could be read"):
        measured(silent, [], items=1)


def test_the_command_measures_and_writes(drawn, capsys, monkeypatch, tmp_path):
    cleaned = text_removed(drawn, SMALL, name="cleaned")
    entries = {"made": drawn, "cleaned": cleaned}
    monkeypatch.setattr("mmbench.datasets.specs.resolve", entries.__getitem__)
    out = tmp_path / "masks.json"
    assert main(["masks", "made", "cleaned", "--items", "2", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "2 items of made; by chance 0.0% of the letters count as read" in said
    assert "read   0.0% [0.0%, 84.2%]" in said
    assert "cleaned; no text found in 0 items" in said
    kept = json.loads(out.read_text())
    assert kept["sets"] == [json.loads(json.dumps(measured(drawn, [cleaned], items=2).as_dict()))]
    assert kept.items() >= text_left.conditions().items()


@pytest.mark.parametrize(("arguments", "says"), [
    (["posters"], "'posters' stands alone; name a version of it without text too"),
    (["--items", "0"], "--items must be at least 1, got 0"),
])  # fmt: skip
def test_the_command_refuses_what_it_cannot_do(arguments, says, capsys):
    assert main(["masks", *arguments]) == 1
    assert says in capsys.readouterr().err
