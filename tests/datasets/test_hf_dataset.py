"""Hugging Face datasets: from disk as save_to_disk writes them; from the hub only at a commit, and never their code."""

import io
import socket

import datasets
import numpy as np
import paper_data
import pytest
from PIL import Image

from mmbench.datasets.declared import Declared
from mmbench.datasets.hf_dataset import hf_dataset
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadItem, BadSpec, MissingAsset, MissingExtra

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (6, 8, 6, 3), dtype=np.uint8)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NEWER = COMMIT[::-1]


def part(rows, **features):
    columns = {
        "image": [{"bytes": paper_data.png(PICTURES[row]), "path": None} for row in rows],
        "label": [row % 2 for row in rows],
        "caption": [f"picture {row}" for row in rows],
        "tags": [[row % 3, (row + 1) % 3] for row in rows],
    }
    kinds = {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=["dog", "cat"]),
        "caption": datasets.Value("string"),
        "tags": datasets.List(datasets.ClassLabel(names=["x", "y", "z"])),
    }
    return datasets.Dataset.from_dict(columns, features=datasets.Features(kinds | features))


@pytest.fixture
def folder(tmp_path):
    theirs = datasets.DatasetDict({"train": part(range(4)), "validation": part([4]), "test": part([5, 4])})
    theirs.save_to_disk(tmp_path / "saved")
    return tmp_path / "saved"


def test_a_saved_dataset(folder):
    entry = resolve(f"hf_dataset:{folder}?text=caption&classes=2&train=4&valid=1&test=2")
    assert entry.modalities == ("image", "text")
    dataset = entry.load()
    assert dataset.classes == ("dog", "cat")  # in the order of its own numbers
    train = dataset.split("train")
    assert train.labels.tolist() == [0, 1, 0, 1]
    assert train.texts[2] == "picture 2"
    theirs = datasets.load_from_disk(str(folder))["train"]
    for row in range(4):
        np.testing.assert_array_equal(np.asarray(train.images.image(row)), np.asarray(theirs[row]["image"]))
    assert len({train.images.digest(row) for row in range(4)}) == 4
    assert dataset.split("test").images.digest(1) == dataset.split("valid").images.digest(0)


def test_several_labels_and_a_split_alone(folder):
    dataset = resolve(f"hf_dataset:{folder}?label=tags&split=train").load()
    assert (dataset.task, dataset.classes, set(dataset.splits)) == ("multi", ("x", "y", "z"), {"test"})
    assert dataset.split("test").labels[1].tolist() == [False, True, True]


def test_a_column_says_what_items_were_made_from(folder):
    one = resolve(f"hf_dataset:{folder}?group=label").load().split("train").groups
    assert (one.of.tolist(), one.kind) == ([0, 1, 0, 1], "values of 'label'")
    several = resolve(f"hf_dataset:{folder}?group=tags").load().split("train").groups
    assert several.of.tolist() == [[0, 1], [1, 2], [2, 0], [0, 1]]
    with pytest.raises(BadDataset, match="has no column 'person'"):
        resolve(f"hf_dataset:{folder}?group=person").load()


def test_a_single_saved_split_is_the_test(tmp_path):
    part([0, 1]).save_to_disk(tmp_path / "one")
    assert len(resolve(f"hf_dataset:{tmp_path / 'one'}").load().split("test")) == 2
    assert len(resolve(f"hf_dataset:{tmp_path / 'one'}?split=train").load().split("test")) == 2


def test_identity_follows_files_and_columns(folder, own_notes):
    seen = {hf_dataset(str(folder)).identity(), resolve(f"hf_dataset:{folder}?text=caption").identity()}
    part([3]).save_to_disk(folder / "test")
    seen.add(hf_dataset(str(folder)).identity())
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("image=picture", r"has no column 'picture'; it has image, label, caption, tags"),
        ("image=caption", r"the column 'caption' holds no images"),
        ("split=dev", r"has no split 'dev'; it has 'train', 'validation', 'test'"),
        ("train=5", r"has 4 items in 'train', expected 5"),
    ],
)
def test_what_does_not_fit_is_told(folder, query, message):
    with pytest.raises(BadDataset, match=message):
        resolve(f"hf_dataset:{folder}?{query}").load()


def test_a_row_without_text_is_named(tmp_path):
    made = part([0, 1, 2]).remove_columns("caption").add_column("caption", ["one", None, "three"])
    made.save_to_disk(tmp_path / "saved")
    with pytest.raises(BadDataset, match=r"test, row 1 has no text"):
        resolve(f"hf_dataset:{tmp_path / 'saved'}?text=caption").load()


def test_labels_that_are_held_back_are_refused(tmp_path):
    held = part([0, 1]).remove_columns("label").add_column("label", [-1, -1])
    held.cast_column("label", datasets.ClassLabel(names=["dog", "cat"])).save_to_disk(tmp_path / "held")
    with pytest.raises(BadDataset, match=r"held, under 'label', has items without a label"):
        hf_dataset(str(tmp_path / "held")).load()


def test_a_bomb_or_a_damaged_image_is_a_bad_item(tmp_path):
    stream = io.BytesIO()
    Image.new("1", (9000, 9000)).save(stream, "PNG")
    cells = [stream.getvalue(), paper_data.png(PICTURES[0])[:40], None]
    rows = {"image": [cell and {"bytes": cell, "path": None} for cell in cells], "label": ["a", "b", "a"]}
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    datasets.Dataset.from_dict(rows, features=kinds).save_to_disk(tmp_path / "bad")
    images = hf_dataset(str(tmp_path / "bad")).load().split("test").images
    for row, message in enumerate((r"row 0 has 9000 x 9000 pixels", r"row 1 (cannot|is no)", r"row 2 has no image")):
        with pytest.raises(BadItem, match=message):
            images.image(row)


def test_a_folder_that_is_something_else_is_told(tmp_path):
    with pytest.raises(BadDataset, match=r"is not in the form that save_to_disk"):
        hf_dataset(str(tmp_path)).load()
    with pytest.raises(MissingAsset, match=r"nowhere does not exist"):
        hf_dataset(str(tmp_path / "nowhere")).load()


# -- the hub -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("org/name", r"hf_dataset:org/name: no revision is named; name the full commit hash, 40 hex digits"),
        ("org/name@main", r"'main' is not a commit; name the full commit hash"),
        ("org/name@v1.0", r"'v1\.0' is not a commit"),
        (f"org/name@{COMMIT[:12]}", r"is not a commit"),
        ("org/name/more@x", r"neither a folder nor ORG/NAME@COMMIT"),
        ("https://host/x", r"neither a folder nor ORG/NAME@COMMIT"),
    ],
)
def test_the_hub_is_asked_for_a_commit_only(name, message):
    with pytest.raises(BadSpec, match=message):
        resolve(f"hf_dataset:{name}")


@pytest.fixture
def hub(tmp_path, monkeypatch, own_notes):
    """A hub cache with one dataset at two commits, of which the newer has other pictures; and no network at all."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was asked"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("the network was asked"))
    monkeypatch.setenv("MMBENCH_OFFLINE", "1")
    home = tmp_path / "datasets--org--name"
    for commit, rows in ((COMMIT, [0, 1]), (NEWER, [2, 3])):
        for split in ("train", "test"):
            path = home / "snapshots" / commit / "data" / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            part(rows).to_parquet(path)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(NEWER)
    return home


def test_the_hubs_files_at_that_commit_are_read(hub):
    """Not those of another commit that happens to be here, and nothing is asked of the network."""
    for commit, first in ((COMMIT, 0), (NEWER, 2)):
        entry = resolve(f"hf_dataset:org/name@{commit}?train=2&test=2")
        assert entry.credit == "https://huggingface.co/datasets/org/name"
        image = entry.load().split("test").images.image(0)
        np.testing.assert_array_equal(np.asarray(image), PICTURES[first])


def test_a_commit_that_is_not_here_is_missing_offline(hub):
    with pytest.raises(
        MissingAsset, match=r"is not on this machine and could not be .*mmbench is offline; run once with"
    ):
        resolve(f"hf_dataset:org/name@{'f' * 40}").load()


def test_a_script_that_comes_with_a_dataset_is_never_run(hub):
    """Older versions of the library ran it; beside data it stays unread, and in its usual place it is refused."""
    snapshot = hub / "snapshots" / COMMIT
    (snapshot / "name.py").write_text("raise SystemExit('the script ran')")
    assert resolve(f"hf_dataset:org/name@{COMMIT}").load()
    (snapshot / f"{COMMIT}.py").write_text("raise SystemExit('the script ran')")
    with pytest.raises(
        BadDataset, match=r"not in a form that the datasets library reads without code \(Dataset scripts"
    ):
        resolve(f"hf_dataset:org/name@{COMMIT}").load()


def test_identity_on_the_hub_needs_no_network():
    first = hf_dataset(f"org/name@{COMMIT}").identity()
    assert first == hf_dataset(f"org/name@{COMMIT}").identity() != hf_dataset(f"org/name@{COMMIT[::-1]}").identity()


def test_what_cannot_be_fetched_is_missing(monkeypatch):
    def unreachable(*names, **options):
        assert (options["revision"], options["repo_type"], options["local_files_only"]) == (COMMIT, "dataset", False)
        raise ConnectionError("no route")

    monkeypatch.delenv("MMBENCH_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(MissingAsset, match=r"could not be fetched \(no route\); check its name and commit"):
        hf_dataset(f"org/name@{COMMIT}").load()


def test_versions_that_could_run_code_are_refused(folder, monkeypatch):
    monkeypatch.setattr(datasets, "__version__", "3.6.0")
    with pytest.raises(BadSpec, match=r"needs datasets 4 or newer, and 3\.6\.0 is installed"):
        hf_dataset(str(folder)).load()


def test_without_the_library_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"needs datasets; install it with: pip install 'mmbench\[hf\]'"):
        hf_dataset(str(folder), declared=Declared()).load()
