"""A label is an index with a name: numbers stay, names keep their class, and what says neither is refused."""

import json
import os

import datasets
import numpy as np
import paper_data
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.datasets import columns
from mmbench.datasets.notes import DatasetWarning
from mmbench.datasets.specs import read_names, resolve
from mmbench.errors import BadDataset, BadSpec

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (8, 5, 4, 3), dtype=np.uint8)


# -- class names and numbers ---------------------------------------------------------------------------------------


@given(st.permutations(["1", "01", "001", "10", "2", "-1", "a", "A", "²", "1" * 5000, "é"]))
def test_the_order_of_classes_is_one(values):
    """Whatever comes first: numbers by value, those of one value by text, then all others by text."""
    with pytest.warns(DatasetWarning, match=r"x: 2 names of classes that differ in .* alone: '2 / ²', 'A / a'$"):
        names, labels = columns.single({"test": values}, "x")
    assert names == ("-1", "001", "01", "1", "2", "10", "1" * 5000, "A", "a", "²", "é")
    assert [names[label] for label in labels["test"]] == values


@given(st.lists(st.integers(0, 4), min_size=1), st.lists(st.sampled_from("ab"), min_size=5, max_size=5))
def test_a_number_is_the_label_whatever_the_classes_are_called(numbers, names):
    found, labels = columns.numbered({"test": numbers}, "x", names)
    assert (found, labels["test"].tolist()) == (tuple(names), numbers)


@pytest.mark.parametrize("number", [-1, 2, 10**12])
def test_a_number_that_is_no_label_is_refused(number):
    with pytest.raises(BadDataset, match=rf"x has the label {number}, and there are 2 class names, from 0 on"):
        columns.numbered({"test": [0, number]}, "x", ["a", "b"])


def test_a_name_of_two_classes_labels_nothing():
    with pytest.raises(BadDataset, match="x has the label 'crane', which is the name of several of its classes"):
        columns.single({"test": ["crane", "owl"]}, "x", ["crane", "owl", "crane"])
    assert columns.single({"test": ["owl", "owl"]}, "x", ["crane", "owl", "crane"])[1]["test"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "value",
    ["1,0,1", "0 3", "0|1", "[1, 0]", "['cat', 'dog']", '["cat"]', "{'a': 1}", "[ 2 ]", "0. 1. 0."]
    + [str(np.array(each)) for each in ([0, 1, 0], [0.0, 1.0], [-1, 1], [1e-9, 1.0], [True, False], ["a", "b"])],
)
def test_several_values_are_no_class(value):
    with pytest.raises(BadDataset, match="which holds several values; each item has one class here"):
        columns.single({"test": ["cat", value]}, "x")


@pytest.mark.parametrize(
    "value", ["tench, Tinca tinca", "10,000", "[unknown]", "(none)", "black-and-white", "3.5", "1/2"]
)
def test_ordinary_names_are_classes(value):
    assert value in columns.single({"test": ["cat", value]}, "x")[0]


@pytest.mark.parametrize("values", [["0100", "0010"], ["110", "011", "001"]])
def test_a_text_with_a_place_for_each_class_is_no_class(values):
    with pytest.raises(BadDataset, match=rf"x has labels of 0 and 1, such as '{values[0]}': a number for each class"):
        columns.single({"test": values}, "x")


@pytest.mark.parametrize("values", [["01", "10"], ["000", "001"], ["100", "101"], ["0100", "0020"], ["010", "0100"]])
def test_numbers_of_zeros_and_ones_are_classes(values):
    assert columns.single({"test": values}, "x")[0] == tuple(sorted(values, key=int))


@pytest.mark.parametrize("other", ["Cat", "ｃａｔ", "cat\u200b", "CAT"])
def test_names_that_a_reader_takes_for_one_are_named(other):
    with pytest.warns(DatasetWarning, match="x: 1 names of classes that differ in letter case, blanks or form"):
        assert len(columns.single({"test": ["cat", other, "dog"]}, "x")[0]) == 3
    assert columns.single({"test": ["cat"]}, "x", ["cat", other])[0] == ("cat", other)  # a list says what it means


def test_names_that_blanks_alone_tell_apart_are_refused():
    with pytest.raises(BadDataset, match="x has the labels 'cat' and 'cat ', which blanks alone tell apart; write one"):
        columns.several({"test": [["cat"], ["cat ", "dog"]]}, "x")


# -- shards --------------------------------------------------------------------------------------------------------


@pytest.fixture
def shards(tmp_path):
    """Three classes by number, the first and the last of one name."""
    for split, rows in (("train", range(6)), ("test", range(3, 8))):
        members = {}
        for row in rows:
            members |= {f"{row}.png": paper_data.png(PICTURES[row]), f"{row}.cls": b"%d\n" % (row % 3)}
        paper_data.shard(tmp_path / split / "0.tar", members)
    (tmp_path / "classnames.txt").write_text("crane\nowl\ncrane\n")
    return tmp_path


def test_two_classes_of_shards_may_have_one_name(shards):
    dataset = resolve(f"webdataset:{shards}?classes=3").load()
    assert dataset.classes == ("crane", "owl", "crane")
    assert dataset.split("train").labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_classes_of_one_name_are_not_chosen_or_matched_by_name(shards):
    """The first of them would get the items of the other."""
    twice = f"(webdataset:{shards})"
    for spec in (f"restricted:{twice}?classes=crane,owl", f"trained_on:{twice}?tested_on={twice}"):
        with pytest.raises(BadDataset, match="has 2 classes called 'crane', so they cannot be told apart by name"):
            resolve(spec).load()
    (shards / "own.txt").write_text("crane (bird)\nowl\ncrane (machine)\n")
    own = f"(webdataset:{shards}?names={shards}/own.txt)"
    assert resolve(f"restricted:{own}?classes=owl,crane (machine)").load().classes == ("owl", "crane (machine)")
    labels = resolve(f"trained_on:{own}?tested_on={own}").load().split("train").labels
    assert labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_a_name_without_items_keeps_its_number(shards):
    (shards / "classnames.txt").write_text("crane\nowl\nswan\ntit\n")
    assert resolve(f"webdataset:{shards}").load().classes == ("crane", "owl", "swan", "tit")


def test_a_byte_order_mark_is_no_part_of_a_name(shards):
    (shards / "classnames.txt").write_bytes("\ufeffcrane\r\nowl\r\nswan\r\n\r\n".encode())
    assert resolve(f"webdataset:{shards}").load().classes == ("crane", "owl", "swan")


@pytest.mark.parametrize("sign", ["\u2028", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"])
def test_a_name_ends_where_its_line_ends(shards, sign):
    (shards / "classnames.txt").write_bytes(f"crane{sign}bird\rowl\r\nswan\n".encode())
    assert resolve(f"webdataset:{shards}").load().classes == (f"crane{sign}bird", "owl", "swan")
    (shards / "own.txt").write_bytes(f"my{sign}own {{}}\ra {{}}\n".encode())
    assert resolve(f"webdataset:{shards}?templates={shards}/own.txt").templates == (f"my{sign}own {{}}", "a {}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"crane\n\nowl\nswan\n", r"classnames\.txt, line 2 is empty: the place of a line is the label"),
        (b"\ncrane\nowl\nswan\n", r"classnames\.txt, line 1 is empty"),
        (b"\xff\n\xfe\n", r"classnames\.txt is not UTF-8 text .*; convert it"),
        (b"crane\nowl\n", r"has the label 2, and there are 2 class names"),
    ],
)
def test_a_file_of_names_that_shifts_or_lacks_labels_is_refused(shards, content, message):
    (shards / "classnames.txt").write_bytes(content)
    with pytest.raises(BadDataset, match=message):
        resolve(f"webdataset:{shards}").load()


@pytest.mark.parametrize("label", ["²", "1" * 5000, "-1"])
def test_what_looks_like_a_number_is_no_class(shards, label):
    paper_data.shard(shards / "dev" / "0.tar", {"0.png": b"", "0.cls": label.encode()})
    with pytest.raises(BadDataset, match=f"has the label '{label[:60]}', which is not one of its 3 classes"):
        resolve(f"webdataset:{shards}").load()


def test_the_folders_own_prompts_are_taken(shards):
    assert resolve(f"webdataset:{shards}").templates == ("a photo of a {}.",)
    (shards / "zeroshot_classification_templates.txt").write_text(
        "\ufeffa drawing of {c}.\n\na {c}\n", encoding="utf-8"
    )
    assert resolve(f"webdataset:{shards}").templates == ("a drawing of {}.", "a {}")
    (shards / "own.txt").write_text("my {}\n")
    assert resolve(f"webdataset:{shards}?templates={shards}/own.txt").templates == ("my {}",)


# -- names=FILE ----------------------------------------------------------------------------------------------------


def test_a_blank_line_among_names_is_refused(tmp_path):
    (tmp_path / "n.txt").write_bytes("\ufeffcat\r\ndog\r\n\r\n".encode())
    assert read_names(tmp_path / "n.txt") == ("cat", "dog")
    (tmp_path / "n.txt").write_text("cat\n \ndog\n")
    with pytest.raises(BadSpec, match=r"n\.txt, line 2 is empty: the place of a line is the label"):
        read_names(tmp_path / "n.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": "cat", "a": "dog"}', r"n\.json is not valid JSON \(the key 'a' stands there twice\)"),
        ("[" * 100_000 + "]" * 100_000, r"n\.json is nested too deeply to be data"),
        (r'["\ud800"]', r"n\.json holds half of a surrogate pair, which is no text: '\\ud800'"),
        (r'{"\udfff": "a"}', r"n\.json holds half of a surrogate pair"),
    ],
)
def test_json_that_says_no_names_is_refused(tmp_path, content, message):
    (tmp_path / "n.json").write_text(content)
    with pytest.raises(BadSpec, match=message):
        read_names(tmp_path / "n.json")


def test_a_pipe_or_a_huge_file_of_names_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "n.txt")
    with pytest.raises(BadSpec, match=r"n\.txt is a pipe or a device, expected a plain file"):
        read_names(tmp_path / "n.txt")
    (tmp_path / "m.txt").touch()
    os.truncate(tmp_path / "m.txt", (16 << 20) + 1)
    with pytest.raises(BadSpec, match=r"m\.txt has 16,777,217 bytes, more than the limit of 16,777,216"):
        read_names(tmp_path / "m.txt")


# -- tables --------------------------------------------------------------------------------------------------------


def rows_of(tmp_path, rows, query, name="t.jsonl"):
    lines = [json.dumps({"split": split, "text": "x", "label": label}) for split, label in rows]
    (tmp_path / name).write_text("\n".join(lines))
    return resolve(f"table:{tmp_path / name}?text=text&{query}").load()


@pytest.mark.parametrize(
    ("labels", "query", "message"),
    [
        ([[1, 0, 0], [0, 1, 1]], "labels=label", r"has rows of 0 and 1, such as \['1', '0', '0'\]: a number for each"),
        ([[True, False], [False, True]], "labels=label", r"has rows of 0 and 1, such as"),
        (["1|0|0", "0|1|0"], "labels=label", r"has rows of 0 and 1, such as"),
        ([[-1, 1], [1, -1]], "labels=label", r"has rows of -1 and 1, such as \['-1', '1'\]: a number for each"),
        ([[0, 1, 0], [1]], "labels=label", r"has rows of 0 and 1, such as \['0', '1', '0'\]: a number for each"),
        (
            ["[0 1 0]", "[0 0 1]"],
            "labels=label",
            r"has the label '\[0 1 0\]', which holds several values; name the sign",
        ),
        (["0 1 0", "0 0 1"], "labels=label", r"has the label '0 1 0', which holds several values; name the sign"),
        (["0100", "0010"], "labels=label", r"has labels of 0 and 1, such as '0100'"),
        (["a|b", "c", "a;b"], "labels=label", r"has the label 'a;b', and its parts between ';' are labels too: write"),
        (["a", "nan"], "label=label", r"line 2 has 'nan' under 'label', which is how programs write a missing value"),
        (["a|NaN", "a"], "labels=label", r"line 1 has 'NaN' under 'label', which is how programs write"),
        (["a|b", "a"], "label=label", r"line 1 has the label 'a\|b', which '\|' divides; for several .* labels=label"),
        (["a;b", "a"], "labels=label", r"has no label that '\|' divides, and 1 with ';', such as 'a;b': name the sign"),
        ([["a", "b"], ["a"]], "label=label", r"line 1 has a list under 'label'; for several labels .* labels=label"),
        ([["a", ["b"]], ["a"]], "labels=label", r"line 1 has a list under 'label', expected one value"),
        ([["a", None], ["a"]], "labels=label", r"line 1 has an empty cell under 'label'"),
        ([0.5, 1], "label=label", r"line 1 has the label 0\.5 under 'label', expected a class and no measure"),
        ([float("nan"), 1], "label=label", r"line 1 has an empty cell under 'label'"),
        (["\ud800", "a"], "label=label", r"line 1, under 'label', holds half of a surrogate pair"),
    ],
)
def test_labels_that_do_not_say_their_class_are_refused(tmp_path, labels, query, message):
    with pytest.raises(BadDataset, match=message):
        rows_of(tmp_path, zip(("train", "test", "test"), labels, strict=False), query)


@pytest.mark.parametrize(
    ("cell", "sep"),
    [("[1,2]", ","), ("['cat', 'dog']", ","), ("(1, 2)", ","), ("{1,2}", ","), ("[1 2]", " "), ("[[1],[2]]", ",")],
)
def test_a_list_in_brackets_is_not_divided(tmp_path, cell, sep):
    """Its first and last class would be called ``[1`` and ``2]``."""
    message = r"t\.csv, line 2 has .* under 'label', a list in brackets, which .* would divide into .*no brackets"
    for query in (f"labels=label&sep={sep}", f"label=name&group=label&sep={sep}"):
        (tmp_path / "t.csv").write_text(f'split,text,name,label\ntrain,x,a,"{cell}"\ntest,y,b,"{cell}"\n')
        with pytest.raises(BadDataset, match=message):
            resolve(f"table:{tmp_path / 't.csv'}?text=text&{query}").load()


def test_brackets_around_single_names_are_part_of_them(tmp_path):
    dataset = rows_of(tmp_path, [("train", "(a)|(b)"), ("test", "(b)"), ("test", "c (d)|(a)")], "labels=label")
    assert dataset.classes == ("(a)", "(b)", "c (d)")


def test_labels_that_say_their_class_are_read(tmp_path):
    dataset = rows_of(tmp_path, [("train", 2), ("train", 10.0), ("test", "2"), ("test", 10)], "label=label")
    assert (dataset.classes, dataset.split("test").labels.tolist()) == (("2", "10"), [0, 1])
    dataset = rows_of(tmp_path, [("train", "a|b;c"), ("test", "b;c")], "labels=label")
    assert dataset.classes == ("a", "b;c")
    dataset = rows_of(tmp_path, [("train", [0, 1]), ("train", [0]), ("test", [1])], "labels=label")
    assert dataset.split("train").labels.tolist() == [[True, True], [True, False]]


def test_two_columns_of_one_name_are_refused(tmp_path):
    """Python's reader would take the last."""
    (tmp_path / "t.csv").write_text("split,text,label,label\ntest,x,a,b\ntest,y,b,a\n")
    with pytest.raises(BadDataset, match=r"t\.csv has 2 columns named 'label'; rename all but one"):
        resolve(f"table:{tmp_path / 't.csv'}?text=text&label=label").load()
    (tmp_path / "t.jsonl").write_text('{"split":"test","text":"x","label":"a","label":"b"}\n')
    with pytest.raises(BadDataset, match=r"line 1 is not valid JSON \(the key 'label' stands there twice\)"):
        resolve(f"table:{tmp_path / 't.jsonl'}?text=text&label=label").load()


def test_an_id_that_is_named_must_be_there(tmp_path):
    (tmp_path / "t.csv").write_text("split,text,label\ntest,x,a\ntest,y,b\n")
    assert resolve(f"table:{tmp_path / 't.csv'}?text=text&label=label").load().split("test").ids[0] == "row-000000"
    with pytest.raises(BadDataset, match="line 2 has no column 'key'; it has 'split', 'text', 'label'"):
        resolve(f"table:{tmp_path / 't.csv'}?text=text&label=label&id=key").load()


def test_tables_are_read_within_bounds(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"split":"test","text":' + "[" * 100_000 + "]" * 100_000 + "}\n")
    with pytest.raises(BadDataset, match=r"t\.jsonl, line 1 is nested too deeply to be data"):
        resolve(f"table:{tmp_path / 't.jsonl'}?text=text&label=label").load()
    os.mkfifo(tmp_path / "p.csv")
    with pytest.raises(BadDataset, match=r"p\.csv is a pipe or a device, expected a plain file"):
        resolve(f"table:{tmp_path / 'p.csv'}?text=text&label=label").identity()
    (tmp_path / "z.csv").symlink_to("/dev/zero")
    with pytest.raises(BadDataset, match=r"z\.csv is a pipe or a device, expected a plain file"):
        resolve(f"table:{tmp_path / 'z.csv'}?text=text&label=label").load()
    (tmp_path / "c.csv").write_text("split,image,label\ntest," + "a" * 5000 + ".png,x\ntrain,b.png,y\n")
    with pytest.raises(BadDataset, match=r"aaa cannot be looked for \(File name too long\)"):
        resolve(f"table:{tmp_path / 'c.csv'}?image=image&label=label").identity()


# -- Hugging Face --------------------------------------------------------------------------------------------------


def saved(tmp_path, **splits):
    """A dataset whose splits are lists of labels, each with its own feature."""
    made = {}
    for split, (labels, kind) in splits.items():
        cells = [{"bytes": paper_data.png(PICTURES[row]), "path": None} for row in range(len(labels))]
        features = datasets.Features(image=datasets.Image(), label=kind)
        made[split] = datasets.Dataset.from_dict({"image": cells, "label": labels}, features=features)
    datasets.DatasetDict(made).save_to_disk(tmp_path / "hf")
    return resolve(f"hf_dataset:{tmp_path / 'hf'}").load()


def names(*listed):
    return datasets.ClassLabel(names=list(listed))


def test_each_split_is_named_by_its_own_list(tmp_path):
    dataset = saved(tmp_path, train=([0, 1, 2], names("ant", "bee", "cat")), test=([0, 1, 1], names("bee", "cat")))
    assert dataset.classes == ("ant", "bee", "cat")
    assert dataset.split("test").labels.tolist() == [1, 2, 2]


def test_a_class_of_one_split_alone_is_a_class(tmp_path):
    dataset = saved(tmp_path, train=([1, 0], names("bee", "ant")), test=([0, 1], names("ant", "fly")))
    assert (dataset.classes, dataset.split("test").labels.tolist()) == (("bee", "ant", "fly"), [1, 2])


def test_numbers_stay_where_every_split_has_one_list(tmp_path):
    dataset = saved(tmp_path, train=([0, 1, 2], names("a", "b", "c")), test=([2, 1], names("a", "b", "c")))
    assert (dataset.classes, dataset.split("test").labels.tolist()) == (("a", "b", "c"), [2, 1])


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (([0, 1], names("a", "b")), (["a", "b"], datasets.Value("string")), r"another kind of label in each split"),
        (([0, -1], names("a", "b")), ([0, 1], names("a", "b")), r"has items without a label; choose a split"),
        (
            ([0.5, 1.0], datasets.Value("float32")),
            ([0.0, 1.0], datasets.Value("float32")),
            r"has the label 0\.5, expec",
        ),
        (([1, None], datasets.Value("int64")), ([0, 1], datasets.Value("int64")), r"has items without a label"),
        ((["a", ""], datasets.Value("string")), (["a", "b"], datasets.Value("string")), r"has items without a label"),
        (
            ([[1, 0], [0, 1]], datasets.List(datasets.Value("int64"))),
            ([[1, 1], [0, 0]], datasets.List(datasets.Value("int64"))),
            r"has rows of 0 and 1, such as \[1, 0\]: a number for each class",
        ),
        (
            ([[1, 0, 0], [0, 1, 1]], datasets.List(names("a", "b", "c"))),
            ([[1, 1, 1], [0, 0, 0]], datasets.List(names("a", "b", "c"))),
            r"has rows of 0 and 1",
        ),
        (
            ([[-1, 1], [1, -1]], datasets.List(datasets.Value("int64"))),
            ([[1, 1], [-1, 1]], datasets.List(datasets.Value("int64"))),
            r"has rows of -1 and 1, such as \[-1, 1\]: a number for each class",
        ),
    ],
)
def test_labels_of_rows_that_do_not_say_their_class_are_refused(tmp_path, train, test, message):
    with pytest.raises(BadDataset, match=message):
        saved(tmp_path, train=train, test=test)


def test_minus_one_is_a_number_where_no_list_names_it(tmp_path):
    kind = datasets.Value("int64")
    dataset = saved(tmp_path, train=([-1, 0, 1], kind), test=([1, 0, -1], kind))
    assert (dataset.classes, dataset.split("test").labels.tolist()) == (("-1", "0", "1"), [2, 1, 0])


def test_several_classes_are_named_by_the_splits_own_list(tmp_path):
    dataset = saved(
        tmp_path,
        train=([[0, 1], [2]], datasets.List(names("a", "b", "c"))),
        test=([[0], [0, 1]], datasets.List(names("b", "c"))),
    )
    assert dataset.classes == ("a", "b", "c")
    assert dataset.split("test").labels.tolist() == [[False, True, False], [False, True, True]]
