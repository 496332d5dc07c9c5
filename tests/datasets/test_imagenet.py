"""ImageNet's validation images and its relatives, in small copies of their layouts."""

import json
import tarfile

import numpy as np
import paper_data
import pytest
from PIL import Image

from mmbench.datasets.declared import Declared
from mmbench.datasets.imagenet import KNOWN, class_names, imagenet, synsets
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec, MissingAsset, MissingExtra, UnknownName

RNG = np.random.default_rng(0)
SIZES = Declared(3, {"test": 6})


def fill(root, folders, suffix=".JPEG"):
    """Two images in each folder."""
    for folder in folders:
        for number in range(2):
            paper_data.save(RNG.integers(0, 256, (12, 12, 3), dtype=np.uint8), root / folder / f"{number}{suffix}")


# -- class lists ---------------------------------------------------------------------------------------------------


def test_the_class_lists_are_those_of_the_sets():
    assert len(synsets()) == len(set(synsets())) == 1000
    assert list(synsets()) == sorted(synsets())  # so a folder's place in the alphabet is its class number
    assert (synsets()[0], synsets()[999]) == ("n01440764", "n15075141")
    for subset in ("r", "a"):
        assert len(synsets(subset)) == 200
        assert set(synsets(subset)) < set(synsets())


def test_every_class_has_a_name_of_its_own():
    names = class_names()
    assert tuple(names) == synsets()
    assert len(set(names.values())) == 1000
    assert (names["n01440764"], names["n01443537"]) == ("tench", "goldfish")
    cranes = [name for name in names.values() if name.split(",")[0].split(" (")[0] == "crane"]
    assert len(cranes) == 2  # the bird and the machine


def test_without_timm_the_missing_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    synsets.cache_clear()
    class_names.cache_clear()
    with pytest.raises(MissingExtra, match=r"pip install 'mmbench\[embedded\]'"):
        imagenet("a", tmp_path).load()


def test_the_declared_sizes_are_the_published_ones():
    assert {name: (known.classes, known.images) for name, known in KNOWN.items()} == {
        "val": (1000, 50_000),
        "v2": (1000, 10_000),
        "r": (200, 30_000),
        "a": (200, 7_500),
        "sketch": (1000, 50_889),
        "objectnet": (113, 18_574),
    }


# -- folders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "subset"), [("val", ""), ("sketch", ""), ("r", "r"), ("a", "a")])
def test_folders_of_synsets(tmp_path, name, subset):
    chosen = [synsets(subset)[place] for place in (150, 3, 40)]
    fill(tmp_path, chosen)
    (tmp_path / "README.txt").write_text("about")
    dataset = imagenet(name, tmp_path, SIZES).load()
    assert dataset.classes == tuple(class_names()[synset] for synset in sorted(chosen))
    assert set(dataset.splits) == {"test"}
    for item, label in zip(dataset.split("test").ids, dataset.split("test").labels, strict=True):
        assert dataset.classes[label] == class_names()[item.split("/")[0]]


@pytest.mark.parametrize("subset", ["r", "a"])
def test_a_class_of_another_set_is_refused(tmp_path, subset):
    fill(tmp_path, [synsets(subset)[0], sorted(set(synsets()) - set(synsets(subset)))[0]])
    with pytest.raises(BadDataset, match=r"has the folder 'n\d+', which is not one of this set's 200 classes"):
        imagenet(subset, tmp_path, SIZES).load()


def test_folders_of_numbers_are_not_sorted_as_words(tmp_path):
    """Sorted as words, 10 comes before 9: a well-known way to get every label of ImageNet-V2 wrong."""
    fill(tmp_path, ["0", "9", "10"], ".jpeg")
    dataset = imagenet("v2", tmp_path, SIZES).load()
    assert dataset.classes == tuple(class_names()[synsets()[number]] for number in (0, 9, 10))
    assert dataset.split("test").ids[2].startswith("9/")
    assert dataset.split("test").labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_a_whole_set_must_be_whole(tmp_path):
    fill(tmp_path, synsets("a")[:3])
    with pytest.raises(BadDataset, match=r"lacks 197 of 200 classes: n\d+ \(.+\)"):
        imagenet("a", tmp_path).load()
    with pytest.raises(BadDataset, match=r"imagenet:a in .* has 6 items in 'test', expected 7,500"):
        imagenet("a", tmp_path, Declared(3)).load()
    with pytest.raises(BadDataset, match=r"has 3 classes, expected 4"):
        imagenet("a", tmp_path, Declared(4)).load()


def test_identity_follows_files_and_classes(tmp_path, own_notes):
    fill(tmp_path, synsets("a")[:3])
    before = imagenet("a", tmp_path, SIZES).identity()
    assert imagenet("a", tmp_path, SIZES).identity() == before
    (tmp_path / synsets("a")[2]).rename(tmp_path / synsets("a")[5])
    assert imagenet("a", tmp_path, SIZES).identity() != before


@pytest.mark.parametrize("name", KNOWN)
def test_a_missing_folder_is_named(tmp_path, name):
    for ask in (imagenet(name, tmp_path / "no").load, imagenet(name, tmp_path / "no").identity):
        with pytest.raises(MissingAsset, match=r"no does not exist; mmbench does not download this dataset"):
            ask()


# -- the flat layout -----------------------------------------------------------------------------------------------


def kit(root, rows, numbers):
    """A development kit: ``rows`` of number, synset and children; the ground truth is in its own numbering."""
    from scipy.io import savemat

    home = root / "ILSVRC2012_devkit_t12" / "data"
    home.mkdir(parents=True)
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    table = np.array([(number, synset, "w", "g", children) for number, synset, children in rows], dtype=kind)
    savemat(home / "meta.mat", {"synsets": table[:, None]})
    (home / "ILSVRC2012_validation_ground_truth.txt").write_text("\n".join(map(str, numbers)) + "\n")


@pytest.mark.parametrize("folder", ["", "val"])
def test_flat_files_are_labelled_by_the_development_kit(tmp_path, folder):
    chosen = [synsets()[7], synsets()[2], synsets()[5]]  # numbered in another order than the alphabet's
    kit(tmp_path, [*((i + 1, synset, 0) for i, synset in enumerate(chosen)), (4, "n00001740", 3)], [2, 1, 3, 1])
    for number in range(1, 5):
        picture = np.full((8, 8, 3), number, np.uint8)
        paper_data.save(picture, tmp_path / folder / f"ILSVRC2012_val_{number:08d}.JPEG")
    dataset = imagenet("val", tmp_path, Declared(3, {"test": 4})).load()
    assert dataset.classes == tuple(class_names()[synset] for synset in sorted(chosen))
    named = [dataset.classes[label] for label in dataset.split("test").labels]
    assert named == [class_names()[chosen[number - 1]] for number in (2, 1, 3, 1)]


def test_torchvision_reads_the_kit_the_same(tmp_path, monkeypatch):
    """Differential: the archive, its checksum switched off, through torchvision's own door."""
    from torchvision.datasets import imagenet as theirs

    chosen = [synsets()[place] for place in (7, 2, 5, 900)]
    numbers = [4, 2, 1, 3, 3]
    kit(tmp_path, [*((i + 1, synset, 0) for i, synset in enumerate(chosen)), (5, "n00001740", 3)], numbers)
    for number in range(1, 6):
        path = tmp_path / "val" / f"ILSVRC2012_val_{number:08d}.JPEG"
        paper_data.save(np.full((8, 8, 3), number, np.uint8), path)
    with tarfile.open(tmp_path / "kit.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "ILSVRC2012_devkit_t12", "ILSVRC2012_devkit_t12")
    monkeypatch.setattr(theirs, "_verify_archive", lambda *_: None)
    monkeypatch.setattr(tarfile.TarFile, "extraction_filter", staticmethod(tarfile.data_filter), raising=False)
    theirs.parse_devkit_archive(tmp_path, "kit.tar.gz")
    _, wanted = theirs.load_meta_file(tmp_path)
    dataset = imagenet("val", tmp_path, Declared(4, {"test": 5})).load()
    found = [dataset.classes[label] for label in dataset.split("test").labels]
    assert found == [class_names()[synset] for synset in wanted]


def test_flat_files_without_the_kit_say_what_is_needed(tmp_path):
    paper_data.save(np.zeros((8, 8, 3), np.uint8), tmp_path / "ILSVRC2012_val_00000001.JPEG")
    with pytest.raises(
        MissingAsset, match=r"ILSVRC2012_devkit_t12/data does not exist; .*ILSVRC2012_devkit_t12\.tar\.gz"
    ):
        imagenet("val", tmp_path).load()
    kit(tmp_path, [(1, synsets()[0], 0), (2, "n00001740", 3)], [2])  # 2 is no class but an ancestor of some
    with pytest.raises(BadDataset, match=r"has no label for ILSVRC2012_val_00000001\.JPEG"):
        imagenet("val", tmp_path, Declared(1)).load()
    (tmp_path / "ILSVRC2012_devkit_t12" / "data" / "meta.mat").write_bytes(b"damaged")
    with pytest.raises(BadDataset, match=r"meta\.mat is not the development kit's meta\.mat"):
        imagenet("val", tmp_path, Declared(1)).load()


# -- ObjectNet -----------------------------------------------------------------------------------------------------


@pytest.fixture
def objectnet(tmp_path):
    fill(tmp_path / "images", ["alarm_clock", "banana", "chess_piece", "t-shirt"], ".png")
    (tmp_path / "mappings").mkdir()
    folders = {"alarm_clock": "Alarm clock", "banana": "Banana", "chess_piece": "Chess piece", "t-shirt": "T-shirt"}
    shared = {"Alarm clock": "analog clock; digital clock", "Banana": "banana", "T-shirt": "jersey, T-shirt, tee shirt"}
    (tmp_path / "mappings" / "folder_to_objectnet_label.json").write_text(json.dumps(folders))
    (tmp_path / "mappings" / "objectnet_to_imagenet_1k.json").write_text(json.dumps(shared))
    return tmp_path


def test_objectnet_keeps_the_shared_classes_and_cuts_the_frame(objectnet):
    dataset = resolve(f"imagenet:objectnet?root={objectnet}&classes=3&test=6").load()
    assert dataset.classes == ("Alarm clock", "Banana", "T-shirt")
    split = dataset.split("test")
    assert not any("chess" in item for item in split.ids)
    whole = np.asarray(Image.open(objectnet / "images" / "alarm_clock" / "0.png"))
    np.testing.assert_array_equal(np.asarray(split.images.image(0)), whole[2:-2, 2:-2])
    import hashlib

    assert split.images.digest(0) != hashlib.sha256((objectnet / "images/alarm_clock/0.png").read_bytes()).hexdigest()


@pytest.mark.parametrize("file", ["folder_to_objectnet_label.json", "objectnet_to_imagenet_1k.json"])
def test_objectnet_without_its_mappings_is_refused(objectnet, file):
    (objectnet / "mappings" / file).write_text("[1]")
    with pytest.raises(BadDataset, match=rf"{file} does not map names to names"):
        imagenet("objectnet", objectnet).load()
    (objectnet / "mappings" / file).write_text("{")
    with pytest.raises(BadDataset, match=rf"{file} is not valid JSON"):
        imagenet("objectnet", objectnet).load()
    (objectnet / "mappings" / file).unlink()
    with pytest.raises(MissingAsset, match=rf"{file} does not exist.*mmbench does not guess which classes are shared"):
        imagenet("objectnet", objectnet).load()


def test_a_mapping_of_a_class_without_a_folder_is_refused(objectnet):
    (objectnet / "mappings" / "objectnet_to_imagenet_1k.json").write_text(json.dumps({"Zebra": "zebra"}))
    with pytest.raises(BadDataset, match=r"no folder is called 'Zebra', which the mapping to ImageNet names"):
        imagenet("objectnet", objectnet).load()


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("imagenet:V2?root=/x", UnknownName, r"no set of ImageNet's classes named 'V2'. Did you mean 'v2'"),
        ("imagenet:v2", BadSpec, r"lacks root=\.\.\.; write imagenet:NAME\?root=DIR"),
    ],
)
def test_a_bad_spec_says_what_to_write(spec, error, message):
    with pytest.raises(error, match=message):
        resolve(spec)
