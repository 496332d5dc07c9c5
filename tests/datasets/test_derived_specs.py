"""Derived datasets, prompt names and templates, and datasets of a user's code, as they are written in a lineup."""

import json
import re
import sys

import numpy as np
import paper_data
import pytest
from distributions import write_distribution

from mmbench.bench.bench import Bench
from mmbench.datasets.derived import masked, restricted, trained_on
from mmbench.datasets.entry import DATASETS
from mmbench.datasets.masks import MASKS
from mmbench.datasets.prompts import prompt_texts
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec, BrokenEntryPoint, MissingAsset, UnknownName
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell, Roles

FLAGS = "flag of Chile,flag of Cocos (Keeling) Islands, flag of Japan"


@pytest.fixture
def folders(tmp_path):
    for split in ("train", "test"):
        for number, name in enumerate(("cat", "dog", "emu")):
            for row in range(number + 1):
                pixels = np.full((4, 4, 3), 10 * number + row, np.uint8)
                paper_data.save(pixels, tmp_path / "data" / split / name / f"{row}.png")
    return tmp_path / "data"


def same(one, other):
    assert one.identity() == other.identity()
    first, second = one.load(), other.load()
    assert first.classes == second.classes
    assert {name: split.digest() for name, split in first.splits.items()} == {
        name: split.digest() for name, split in second.splits.items()
    }


def test_a_registered_dataset_is_restricted():
    flags = DATASETS.get("flags")
    found = resolve(f"restricted:flags?classes={FLAGS}")
    same(found, restricted(flags, ["flag of Chile", "flag of Cocos (Keeling) Islands", "flag of Japan"]))
    assert found.name == f"restricted:flags?classes={FLAGS}" == found.load().name


def test_classes_come_from_a_file(tmp_path):
    (tmp_path / "some.txt").write_text("flag of Chile\n\nflag of St. Pierre & Miquelon\n", encoding="utf-8")
    found = resolve(f"restricted:flags?classes=@{tmp_path / 'some.txt'}").load()
    assert found.classes == ("flag of Chile", "flag of St. Pierre & Miquelon")


@pytest.fixture
def shops(tmp_path):
    """Classes with every character that a specification gives a meaning."""
    for split in ("train", "test"):
        for number, name in enumerate(("salt & pepper", "fruit, fresh", "a=b", "half (", "50%")):
            paper_data.save(np.full((4, 4, 3), number, np.uint8), tmp_path / "shops" / split / name / "0.png")
    return f"imagefolder:{tmp_path / 'shops'}"


def test_class_names_of_any_characters_are_written_as_in_web_addresses(shops):
    written = "salt %26 pepper, fruit%2C fresh,a=b,half %28,50%,"[:-1]
    assert set(resolve(f"restricted:{shops}?classes={written}").load().classes) == {
        "salt & pepper",
        "fruit, fresh",
        "a=b",
        "half (",
        "50%",
    }


def test_a_class_name_that_a_specification_takes_apart_is_explained(shops):
    how = "in a class name write & as %26 and a comma as %2C, or list the names in a file: classes=@FILE"
    spec = f"restricted:{shops}?classes=salt & pepper,a=b"
    with pytest.raises(BadSpec) as told:
        resolve(spec)
    assert str(told.value) == (
        f"dataset spec {spec!r}: no option named ' pepper,a'. Known: classes, names, templates, test, train, valid. "
        f"Was it part of a value? Then {how}."
    )
    with pytest.raises(BadSpec, match=f"' pepper' is not OPTION=VALUE, given once; {re.escape(how)}$"):
        resolve(f"restricted:{shops}?classes=salt & pepper")
    with pytest.raises(UnknownName) as told:
        resolve(f"restricted:{shops}?classes=fruit, fresh,a=b").load()
    assert "named 'fruit'. " in str(told.value)
    assert str(told.value).endswith(f" In a specification: {how}.")
    with pytest.raises(UnknownName) as told:
        resolve(f"restricted:{shops}?classes=salt,a=b").load()
    assert how not in str(told.value)


def test_a_specification_with_options_stands_in_parentheses(folders):
    found = resolve(f"restricted:(imagefolder:{folders}?test=6&classes=3)?classes=cat,emu&test=4")
    assert {name: len(split) for name, split in found.load().splits.items()} == {"train": 4, "test": 4}
    assert resolve(f"restricted:imagefolder:{folders}?classes=cat,emu").load().classes == ("cat", "emu")


def test_sizes_of_a_derived_dataset_are_checked(folders):
    wrong = resolve(f"restricted:imagefolder:{folders}?classes=cat,emu&test=5")
    assert wrong.counts == {"test": 5}
    with pytest.raises(BadDataset, match="has 4 items in 'test', expected 5"):
        wrong.load()


def test_a_dataset_is_masked():
    same(resolve("masked:flags?mask=grey"), masked(DATASETS.get("flags"), MASKS.get("grey")))
    pixels = np.asarray(resolve("masked:flags?mask=grey").load().split("test").images.image(0))
    assert (pixels == pixels[..., :1]).all()
    text = resolve("masked:sentiment?mask=small_letters").load().split("test").texts[0]
    assert text == text.lower()


def test_train_of_one_is_joined_with_test_of_another():
    same(
        resolve("trained_on:posters?tested_on=posters_recent"),
        trained_on(DATASETS.get("posters"), tested_on=DATASETS.get("posters_recent")),
    )
    nested = resolve(
        f"trained_on:(restricted:flags?classes={FLAGS})?tested_on=(masked:(restricted:flags?classes={FLAGS})?mask=grey)"
    )
    assert {name: len(split) for name, split in nested.load().splits.items()} == {"train": 36, "test": 30}


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("restricted:flags", BadSpec, r"lacks classes=\.\.\.; write restricted:DATASET\?classes=CLASS,CLASS"),
        ("restricted:flagz?classes=a,b", UnknownName, "no dataset named 'flagz'. Did you mean 'flags'"),
        ("restricted:(flags?classes=a,b", BadSpec, "its parentheses do not match"),
        ("restricted:flags)?classes=a,b", BadSpec, "its parentheses do not match"),
        ("restricted:flags?classes=a,a", BadSpec, "'a' is given twice"),
        ("restricted:flags?classes=@/nowhere.txt", MissingAsset, "^/nowhere.txt does not exist; it should hold"),
        ("restricted:flags?class=a,b", BadSpec, "no option named 'class'. Did you mean 'classes'"),
        ("masked:flags?mask=gray", UnknownName, "no mask named 'gray'. Did you mean 'grey'"),
        ("masked:flags?mask=small_letters", BadDataset, "mask 'small_letters' changes texts, and flags has none"),
        ("masked:flags?mask=x:y", BadSpec, r"'x:y' cannot be imported \(ModuleNotFoundError: No module named 'x'\)"),
        ("masked:flags?mask=numpy:pi", BadSpec, "numpy:pi is a float; expected a Mask or a function"),
        ("masked:flags?mask=json:dumps", BadSpec, "say with of=image or of=text what it changes"),
        ("masked:flags?mask=json:dumps&of=sound", BadSpec, "of is one of image, text, not 'sound'"),
        ("masked:flags?mask=math:sqrt&of=image", BadSpec, "a function without a source file, so it has no digest"),
        ("trained_on:flags?tested_on=concept", UnknownName, "no dataset named 'concept'. Did you mean 'concepts'"),
        ("trained_on:flags?tested_on=flags&classes=3", BadSpec, "no option named 'classes'"),
    ],
)
def test_a_derived_spec_that_cannot_be_read_says_why(spec, error, message):
    with pytest.raises(error, match=message):
        resolve(spec)


def test_what_does_not_fit_is_said_when_it_is_loaded():
    with pytest.raises(UnknownName, match=r"no class of flags named 'flag of Chili'. Did you mean 'flag of Chile'"):
        resolve("restricted:flags?classes=flag of Chili,flag of Japan").load()
    with pytest.raises(BadDataset, match=r"expected the same classes in flags \(train\) and clothing \(test\)"):
        resolve("trained_on:flags?tested_on=clothing").load()


# -- names and templates -------------------------------------------------------------------------------------------


def test_a_dataset_of_ones_own_takes_names_and_templates(folders):
    (folders / "names.txt").write_text("a cat\nthe dog\nan emu\n")
    (folders / "templates.txt").write_text("this is {}.\n\nhere: {}\n")
    plain = resolve(f"imagefolder:{folders}")
    found = resolve(f"imagefolder:{folders}?names={folders}/names.txt&templates={folders}/templates.txt")
    assert found.name == plain.name
    assert prompt_texts(found.load(), found.templates)[1] == ("this is the dog.", "here: the dog")
    assert found.load().split("test").digest() == plain.load().split("test").digest()
    assert found.identity() != plain.identity()


def test_names_and_templates_may_be_json(folders):
    (folders / "names.json").write_text(json.dumps({"dog": "hound"}))
    (folders / "templates.json").write_text(json.dumps(["a {}", "b {}"]))
    found = resolve(f"imagefolder:{folders}?names={folders}/names.json&templates={folders}/templates.json")
    assert (found.load().classes, found.templates) == (("cat", "hound", "emu"), ("a {}", "b {}"))


@pytest.mark.parametrize(
    ("option", "file", "content", "error", "message"),
    [
        ("templates", "t.txt", "a cat", BadSpec, "t.txt: the prompt template 'a cat' has 0 places"),
        ("templates", "t.txt", "\n", BadSpec, "t.txt has no templates; write one a line"),
        ("templates", "t.json", '{"a": "{}"}', BadSpec, "t.json has no templates"),
        ("templates", "t.json", "[1]", BadSpec, "t.json should be a JSON list of texts"),
        ("templates", "t.json", "[", BadSpec, "t.json is not valid JSON"),
        ("names", "n.txt", "", BadSpec, "n.txt has no class names"),
        ("names", "n.json", '"cat"', BadSpec, "n.json should be a JSON list of texts, or an object from class"),
        ("names", "n.txt", "a\nb", BadDataset, "n.txt has 2 class names, expected 3"),
        ("names", "n.json", '{"cow": "a cow"}', UnknownName, "no class of imagefolder:.* named 'cow'"),
    ],
)
def test_files_of_names_and_templates_are_checked(folders, option, file, content, error, message):
    (folders / file).write_text(content)
    with pytest.raises(error, match=message):
        resolve(f"imagefolder:{folders}?{option}={folders / file}").load()


def test_a_missing_file_of_templates_is_named(folders):
    with pytest.raises(MissingAsset, match=r"/nowhere.txt does not exist"):
        resolve(f"imagefolder:{folders}?templates=/nowhere.txt")


def test_a_folder_whose_class_has_no_usable_name_gives_no_prompts(folders):
    for split in ("train", "test"):
        paper_data.save(np.zeros((4, 4, 3), np.uint8), folders / split / " " / "x.png")
    found = resolve(f"imagefolder:{folders}")
    with pytest.raises(BadDataset, match=re.escape("class 0 of imagefolder:")):
        prompt_texts(found.load(), found.templates)


def test_captions_have_no_class_names_and_so_no_templates():
    assert resolve("coco:val2017?root=/nowhere").templates == ()


# -- a user's own code ---------------------------------------------------------------------------------------------

CODE = """
import dataclasses
from PIL import ImageOps
from mmbench.datasets.entry import DATASETS
from mmbench.datasets.masks import Mask

mine = dataclasses.replace(DATASETS.get("flags"), name="mine")
three = 3
invert = Mask("invert", "image", lambda image, item: ImageOps.invert(image), lambda: "1")

def made():
    return dataclasses.replace(mine, name="made")

def broken():
    return three

def flip(image):
    return ImageOps.mirror(image)
"""


@pytest.fixture
def code(tmp_path):
    (tmp_path / "my_sets.py").write_text(CODE)
    return tmp_path / "my_sets.py"


def test_a_dataset_comes_from_a_file_or_a_module(code, monkeypatch):
    assert resolve(f"python:{code}:mine").name == "mine"
    assert resolve(f"python:{code}:made").name == "made"
    before = list(sys.path)
    monkeypatch.syspath_prepend(code.parent)
    assert resolve("python:my_sets:made").name == "made"
    monkeypatch.undo()
    assert sys.path == before
    assert resolve(f"restricted:python:{code}:mine?classes=flag of Chile,flag of Japan").load().classes


def test_a_mask_comes_from_a_file(code):
    whole = np.asarray(DATASETS.get("flags").load().split("test").images.image(0))
    inverted = resolve(f"masked:flags?mask={code}:invert").load().split("test").images.image(0)
    np.testing.assert_array_equal(np.asarray(inverted), 255 - whole)
    spec = f"masked:flags?mask={code}:flip&of=image"
    np.testing.assert_array_equal(np.asarray(resolve(spec).load().split("test").images.image(0)), whole[:, ::-1])
    before = resolve(spec).identity()
    code.write_text(CODE + "\n# a comment\n")
    assert resolve(spec).identity() == before
    code.write_text(CODE.replace("mirror", "flip"))
    assert resolve(spec).identity() != before


def test_what_the_file_of_a_mask_imports_counts(tmp_path, monkeypatch):
    """Else a changed helper would give the features of the old mask."""
    (tmp_path / "my_mask.py").write_text("import my_mask_part\ndef dark(image): return my_mask_part.dark(image)")
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for text in ("dark = None", "dark = None  # a comment", "dark = 1"):
        (tmp_path / "my_mask_part.py").write_text(text)
        found.append(resolve(f"masked:flags?mask={tmp_path}/my_mask.py:dark&of=image").identity())
        sys.modules.pop("my_mask_part", None)
    assert found[0] == found[1] != found[2]


def test_a_module_of_the_current_folder_is_found_last(code, monkeypatch):
    monkeypatch.chdir(code.parent)
    assert resolve("python:my_sets:mine").name == "mine"
    (code.parent / "json.py").write_text("mine = 3")
    with pytest.raises(BadSpec, match="module 'json' has no attribute 'mine'"):
        resolve("python:json:mine")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("mine", "'mine' is not MODULE:NAME or FILE.py:NAME"),
        (
            "FILE:our",
            r"cannot be imported \(AttributeError: module 'mmbench_user_my_sets_\w+' has no attribute 'our'\)",
        ),
        ("FILE:three", "gives a int, expected a DatasetEntry or a function that returns one"),
        ("FILE:broken", "gives a int, expected a DatasetEntry"),
        ("/nowhere/x.py:a", r"cannot be imported \(FileNotFoundError"),
        ("no_such_module:a", r"cannot be imported \(ModuleNotFoundError"),
    ],
)
def test_code_that_gives_no_dataset_is_refused(code, place, message):
    with pytest.raises(BadSpec, match=message):
        resolve(f"python:{place.replace('FILE', str(code))}")


# -- installed distributions ---------------------------------------------------------------------------------------

OFFERED = """
import dataclasses
from mmbench.datasets.entry import DATASETS
from mmbench.datasets.source import DatasetSource

def make(spec):
    return dataclasses.replace(DATASETS.get("flags"), name=f"twice {spec.options['of']}")

theirs = dataclasses.replace(DATASETS.get("flags"), name="their_flags")
twice = DatasetSource("twice", "twice:NAME?of=THING", make, options=("of",))
"""


@pytest.fixture
def offered(tmp_path, monkeypatch):
    points = {
        "mmbench.datasets": {"their_flags": "offered_sets:theirs", "odd_flags": "offered_sets:twice"},
        "mmbench.dataset_sources": {"twice": "offered_sets:twice", "thrice": "offered_sets:theirs"},
    }
    folder = write_distribution(tmp_path / "site", "theirs", points, {"offered_sets": OFFERED})
    monkeypatch.syspath_prepend(folder)


@pytest.mark.usefixtures("offered")
def test_a_distribution_offers_datasets_and_sources():
    assert resolve("their_flags").name == "their_flags"
    assert resolve("twice:x?of=two").name == "twice two"
    assert resolve("restricted:their_flags?classes=flag of Chile,flag of Japan").classes == 2
    with pytest.raises(BadSpec, match=r"no option named 'off'\. Did you mean 'of'"):
        resolve("twice:x?off=two")


@pytest.mark.usefixtures("offered")
def test_what_a_distribution_offers_must_be_an_entry():
    words = re.escape("dataset 'odd_flags' of the distribution theirs 1.0 (entry point offered_sets:twice)")
    with pytest.raises(BrokenEntryPoint, match=f"^{words} gives a DatasetSource, expected a DatasetEntry$"):
        resolve("odd_flags")
    with pytest.raises(
        BrokenEntryPoint, match="gives a DatasetEntry, expected a DatasetSource of the entry point's name"
    ):
        resolve("thrice:x")


# -- on the bench --------------------------------------------------------------------------------------------------


def test_scores_of_a_derived_dataset_pair_with_its_parents(tmp_path):
    """Cells of masked and of foreign-trained datasets are measured, keyed apart, and hold the parent's examples."""
    few = f"restricted:flags?classes={FLAGS}"
    bindings = [
        f"cub={few}",
        f"cifar10=masked:({few})?mask=grey",
        f"cifar100=trained_on:(masked:({few})?mask=grey)?tested_on=({few})",
    ]
    bench = Bench.open(lineup="embedded", store=tmp_path, datasets=bindings, progress=False)
    found = {role: bench.scores(Cell(FEW_SHOT.over(shots=(5,))[0], Roles("rn50"), role)) for role in ROLES}
    assert len({scores.examples for scores in found.values()}) == 1
    assert {scores.outcomes.shape[1] for scores in found.values()} == {30}
    assert not np.array_equal(found["cub"].outcomes, found["cifar10"].outcomes)
    again = Bench.open(lineup="embedded", store=tmp_path, datasets=bindings, progress=False)
    for role in ROLES:
        cell = Cell(FEW_SHOT.over(shots=(5,))[0], Roles("rn50"), role)
        assert not again.fresh(cell)
        np.testing.assert_array_equal(again.scores(cell).outcomes, found[role].outcomes)


ROLES = ("cub", "cifar10", "cifar100")
