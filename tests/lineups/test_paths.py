"""Paths in a lineup begin at its file, wherever the command runs; every character of a path can be written."""

import datasets
import numpy as np
import pytest
from PIL import Image

from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec
from mmbench.lineups import load_lineup
from mmbench.models import checkpoints
from mmbench.models.specs import parse
from mmbench.spec import as_path, placed, relative_to

from ..paper_data import png, shard


def pets(root, classes=("cat", "dog")):
    for split in ("train", "test"):
        for name in classes:
            (root / split / name).mkdir(parents=True)
            Image.new("RGB", (3, 3)).save(root / split / name / "0.png")
    return root


def write(file, body):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('[lineup]\nname = "mine"\n' + body)
    return file


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A lineup beside its data, and another folder with other data of the same names, in which the command runs."""
    for folder, classes in (("here", ("cat", "dog")), ("there", ("x", "y", "z"))):
        home = tmp_path / folder
        pets(home / "pets", classes)
        (home / "t.csv").write_text(f"split,text,label\ntrain,x,{classes[0]}\ntest,y,{classes[1]}\n")
        for split in ("train", "test"):
            cells = {f"{row}.{kind}": part for row in range(2) for kind, part in (("png", b""), ("cls", b"%d" % row))}
            shard(home / "shards" / split / "0.tar", cells)
        (home / "shards" / "classnames.txt").write_text(f"{classes[0]}\n{classes[1]}\n")
        picture = png(np.zeros((3, 3, 3), np.uint8))
        kinds = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=list(classes)))
        made = {"image": [{"bytes": picture, "path": None}] * 2, "label": [0, 1]}
        datasets.Dataset.from_dict(made, features=kinds).save_to_disk(home / "hf")
        (home / "names.txt").write_text("".join(f"a {name}\n" for name in classes))
        (home / "code.py").write_text(
            "from mmbench.datasets.specs import resolve\n\n\ndef made():\n"
            f"    return resolve('table:{home}/t.csv?text=text&label=label')\n"
        )
    monkeypatch.chdir(tmp_path / "there")
    return tmp_path


@pytest.mark.parametrize(
    "spec",
    [
        "imagefolder:pets",
        "imagefolder:./pets",
        "imagefolder:../here/pets",
        "table:t.csv?text=text&label=label",
        "webdataset:shards",
        "hf_dataset:hf",
        "hf_dataset:./hf",
        "python:code.py:made",
        "masked:(imagefolder:pets)?mask=grey",
        "restricted:imagefolder:pets?classes=cat,dog",
    ],
)
def test_a_dataset_lies_beside_its_lineup(two, spec, monkeypatch):
    lineup = write(two / "here" / "mine.toml", f'[datasets.cub]\nspec = "{spec}"\n')
    entry = load_lineup(lineup).dataset("cub").entry
    monkeypatch.chdir("/")
    entry.identity()
    assert entry.load().classes == ("cat", "dog")


def test_files_of_names_lie_beside_the_lineup(two):
    lineup = write(two / "here" / "mine.toml", '[datasets.cub]\nspec = "imagefolder:pets?names=names.txt"\n')
    assert load_lineup(lineup).dataset("cub").entry.load().classes == ("a cat", "a dog")


def test_what_is_bound_by_hand_begins_at_the_current_folder(two):
    lineup = load_lineup(write(two / "here" / "mine.toml", '[datasets.cub]\nspec = "imagefolder:pets"\n'))
    assert lineup.bind_dataset("cub=imagefolder:pets").dataset("cub").entry.classes == 3
    assert lineup.dataset("cub").entry.classes == 2


def test_what_is_inherited_begins_at_the_file_that_bound_it(two):
    write(two / "here" / "parent.toml", '[datasets.cub]\nspec = "imagefolder:pets"\n')
    child = two / "deeper" / "child.toml"
    child.parent.mkdir()
    child.write_text('[lineup]\nname = "child"\nextends = "../here/parent.toml"\n')
    assert load_lineup(child).dataset("cub").entry.classes == 2


def test_a_weights_file_lies_beside_its_lineup(two, monkeypatch):
    monkeypatch.delenv("MMBENCH_WEIGHTS", raising=False)
    with relative_to(two / "here"):
        spec = parse("open_clip:RN50@my.pt#text")
        assert parse("transformers:pets?pool=mean").name == str(two / "here" / "pets")
        assert parse("transformers:org/name").name == "org/name"
        assert parse("timm:pets").name == "pets"  # a name of timm's, whatever lies beside the lineup
    assert checkpoints.weights_path(spec.file) == two / "here" / "my.pt"
    assert parse("open_clip:RN50@my.pt").file == "my.pt"
    monkeypatch.setenv("MMBENCH_WEIGHTS", "/weights")
    with relative_to(two / "here"):
        assert str(checkpoints.weights_path(parse("open_clip:RN50@my.pt").file)) == "/weights/my.pt"


def test_home_folders(two, monkeypatch):
    monkeypatch.setenv("HOME", str(two / "here"))
    for spec in ("imagefolder:~/pets", "hf_dataset:~/hf", "webdataset:~/shards", "table:~/t.csv?text=text&label=label"):
        assert resolve(spec).load().classes == ("cat", "dog")
    assert checkpoints.weights_path("~/w.pt") == two / "here" / "w.pt"


@pytest.mark.parametrize(
    "spec", ["imagefolder:~nobody-here/x", "torchvision:CIFAR10?root=~nobody-here", "hf_dataset:~nobody-here"]
)
def test_the_home_of_nobody_is_no_path(spec):
    with pytest.raises(BadSpec, match=r"'~nobody-here.*' is no path: .* Write the folder in full"):
        resolve(spec).identity()


@pytest.mark.parametrize(
    "name", ["a b", "a@b", "a#b", "a?b", "a&b", "100%", "a%20b", "ümlaut", "(a)", "a,b", "a=b", "%3F"]
)
def test_every_character_of_a_path_can_be_written(tmp_path, name):
    pets(tmp_path / name)
    written = name.replace("?", "%3F").replace("&", "%26").replace("#", "%23").replace("@", "%40")
    entry = resolve(f"imagefolder:{tmp_path}/{written}")
    assert entry.load().split("test").ids == ("test/cat/0.png", "test/dog/0.png")
    (tmp_path / name / "w.pt").touch()
    spec = parse(f"timm:resnet18@{tmp_path}/{written}/w.pt?size=64#text")
    assert (checkpoints.weights_path(spec.file), spec.tower) == (tmp_path / name / "w.pt", "text")
    assert str(spec) == f"timm:resnet18@{tmp_path}/{written}/w.pt?size=64#text"


def test_a_question_mark_that_is_not_written_so_is_told():
    for read, spec in ((resolve, "imagefolder:/data/what?/x"), (parse, "timm:resnet18@/data/what?/x.pt")):
        with pytest.raises(
            BadSpec, match=r"'/x.*' is not OPTION=VALUE, given once; in a path write \? as %3F, & as %26"
        ):
            read(spec)


def test_a_name_may_be_a_path_or_not(tmp_path):
    (tmp_path / "here").mkdir()
    assert (placed("here", name=True), placed("here")) == ("here", "here")
    with relative_to(tmp_path):
        assert placed("here", name=True) == placed("here") == str(tmp_path / "here") == str(as_path("here"))
        assert (placed("gone", name=True), placed("gone")) == ("gone", str(tmp_path / "gone"))
        with relative_to(None):
            assert str(as_path("here")) == "here"
    assert str(as_path("here")) == "here"


def test_a_path_that_is_too_long_is_one_line(tmp_path):
    for spec in (f"table:{tmp_path}/{'a' * 5000}.csv?text=t&label=l", f"webdataset:/{'a' * 5000}"):
        with pytest.raises(
            BadDataset, match=r"a(/zeroshot_classification_templates\.txt)? cannot be .* \(File name too "
        ):
            resolve(spec).identity()
    with pytest.raises(BadDataset, match=r"cannot be read .embedded null byte"):
        resolve("webdataset:/tmp/x\0y")
