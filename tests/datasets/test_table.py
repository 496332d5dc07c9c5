"""Tables that a user collected: every cell is used as written, and a bad row is named by its line."""

import json

import numpy as np
import paper_data
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mmbench.datasets.specs import resolve
from mmbench.datasets.table import Columns, table
from mmbench.errors import BadDataset, BadSpec, MissingAsset

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (4, 8, 6, 3), dtype=np.uint8)
HEADING = "id,split,image,title,genres\n"
ROWS = (
    '7,train,a.png,"Heat, Again",Action|Drama\n8,train,b.png,Éclair,Drama\n'
    "9,valid,c.png,Nine,Comedy|Action\n10,test,d.png,Ten,Comedy\n"
)


@pytest.fixture
def films(tmp_path):
    for name, picture in zip("abcd", PICTURES, strict=True):
        paper_data.save(picture, tmp_path / f"{name}.png")
        paper_data.save(255 - picture, tmp_path / "masked" / f"{name}.png")
    (tmp_path / "films.csv").write_text(HEADING + ROWS, encoding="utf-8")
    return tmp_path / "films.csv"


def test_a_table_with_several_labels(films):
    entry = resolve(f"table:{films}?image=image&text=title&labels=genres&classes=3&train=2&valid=1&test=1")
    assert (entry.task, entry.modalities) == ("multi", ("image", "text"))
    dataset = entry.load()
    assert dataset.classes == ("Action", "Comedy", "Drama")
    train = dataset.split("train")
    assert (train.ids, train.texts) == (("7", "8"), ("Heat, Again", "Éclair"))
    assert train.labels.tolist() == [[True, False, True], [False, False, True]]
    assert dataset.split("valid").labels.tolist() == [[True, True, False]]
    np.testing.assert_array_equal(np.asarray(train.images.image(1)), PICTURES[1])


def test_one_label_small_letters_and_a_parallel_folder(films):
    dataset = resolve(f"table:{films}?image=image&images=masked&text=title&lower=1&label=genres&sep=;").load()
    assert dataset.task == "single"
    assert dataset.classes == ("Action|Drama", "Comedy", "Comedy|Action", "Drama")
    assert dataset.split("train").texts == ("heat, again", "éclair")
    np.testing.assert_array_equal(np.asarray(dataset.split("test").images.image(0)), 255 - PICTURES[3])
    plain = resolve(f"table:{films}?image=image&label=genres&sep=;")
    assert plain.load().split("test").ids == dataset.split("test").ids  # so the masked copy is paired with it
    assert plain.identity() != resolve(f"table:{films}?image=image&images=masked&label=genres&sep=;").identity()


def test_lines_of_json_may_hold_lists(tmp_path):
    rows = [{"split": "train", "text": "x", "tags": ["b", "a", "a"]}, {"split": "test", "text": "y", "tags": ["a"]}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    dataset = resolve(f"table:{tmp_path / 't.jsonl'}?text=text&labels=tags").load()
    assert dataset.split("train").labels.tolist() == [[True, True]]
    assert dataset.split("test").ids == ("row-000001",)


def test_other_columns_and_separators(tmp_path):
    (tmp_path / "t.tsv").write_text("part\tname\tkind\nval\tx\ta;b\ntest\ty\tb\n")
    dataset = resolve(f"table:{tmp_path / 't.tsv'}?text=name&labels=kind&sep=;&split=part&id=name").load()
    assert dataset.classes == ("a", "b")
    assert dataset.split("valid").ids == ("x",)


def test_identity_follows_table_images_and_columns(films, own_notes):
    spec = f"table:{films}?image=image&labels=genres"
    seen = {resolve(spec).identity(), resolve(spec + "&text=title").identity()}
    paper_data.save(PICTURES[0] // 2, films.parent / "b.png")
    seen.add(resolve(spec).identity())
    films.write_text((HEADING + ROWS).replace("Ten", "Eleven"))
    seen.add(resolve(spec).identity())
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("7,train,a.png,x,A\n8,tset,b.png,y,B\n", r"line 3 has the split 'tset'; it must be train, valid or test"),
        ("7,test,a.png,x,A\n8,test,,y,B\n", r"line 3 has an empty cell under 'image'"),
        ("7,test,a.png,x,A\n8,test,b.png,  ,B\n", r"line 3 has an empty cell under 'title'"),
        ("7,test,a.png,x,A|\n8,test,b.png,y,B\n", r"line 2 has an empty label under 'genres'"),
        ("7,test,a.png,x,A\n8,test,b.png,y,B,more\n", r"line 3 has more cells than the heading has columns"),
        ("7,test,a.png,x,A\n8,test,b.png\n", r"line 3 has an empty cell under 'title'"),
        ("7,test,a.png,x,A\n7,test,b.png,y,B\n", r"has the id '7' twice in 'test'"),
        ("7,train,a.png,x,A\n8,train,b.png,y,B\n", r"has no items whose 'split' is 'test'"),
        ("7,test,a.png,x,A\n8,test,b.png,y,A\n", r"has only the class 'A'; there must be two classes or more"),
        ("7,test,../../etc/a.png,x,A\n", r"names the file '\.\./\.\./etc/a\.png', which is not a path inside"),
        ("7,test,/etc/a.png,x,A\n", r"names the file '/etc/a\.png', which is not a path inside"),
        ('7,test,"a.png,x,A\n', r"cannot be read as a table"),
    ],
)
def test_a_bad_row_is_named(tmp_path, rows, message):
    (tmp_path / "t.csv").write_text(HEADING + rows)
    with pytest.raises(BadDataset, match=message):
        table(tmp_path / "t.csv", Columns(image="image", text="title", label="genres", several=True)).load()


def test_a_missing_column_names_those_that_are_there(films):
    with pytest.raises(
        BadDataset, match=r"line 2 has no column 'genre'; it has 'id', 'split', 'image', 'title', 'genres'"
    ):
        resolve(f"table:{films}?image=image&labels=genre").load()


def test_missing_files_are_named(films):
    with pytest.raises(MissingAsset, match=r"nothing\.csv does not exist; .* mmbench\.datasets\.table describes"):
        resolve(f"table:{films.parent / 'nothing.csv'}?text=title&label=genres").load()
    (films.parent / "c.png").unlink()
    entry = resolve(f"table:{films}?image=image&labels=genres")
    with pytest.raises(MissingAsset, match=r"c\.png does not exist"):
        entry.identity()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.jsonl", b"{\n", r"line 1 is not valid JSON"),
        ("t.jsonl", b"[1]\n", r"line 1 is not a JSON object"),
        ("t.csv", b"split,text,label\ntest,\xff\xfe,a\n", r"is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadDataset, match=message):
        resolve(f"table:{tmp_path / name}?text=text&label=label").load()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("table:/x/films.xlsx?image=i&label=l", r"read by its suffix, which must be \.csv, \.tsv or \.jsonl"),
        ("table:/x/films.csv?image=i", r"needs a column of labels"),
        ("table:/x/films.csv?label=l", r"needs image=COL or text=COL"),
        ("table:/x/films.csv?image=i&label=l&labels=m", r"choose one of label=COL and labels=COL"),
        ("table:/x/films.csv?image=i&label=l&lower=yes", r"lower is 0 or 1, not 'yes'"),
        ("table:/x/films.csv?image=i&lable=l", r"no option named 'lable'. Did you mean 'label'"),
    ],
)
def test_a_bad_spec_says_what_to_write(spec, message):
    with pytest.raises(BadSpec, match=message):
        resolve(spec)


WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(
    lambda text: text.strip()
)


@given(st.lists(st.tuples(WORDS, st.sets(WORDS.map(str.strip), min_size=1, max_size=3)), min_size=2, max_size=6))
def test_what_is_written_is_read_back(tmp_path_factory, rows):
    """Any text and any labels survive the way through a file of JSON lines, but rows of 0 and 1."""
    assume(not {tag for _, tags in rows for tag in tags} <= {"0", "1"})
    file = tmp_path_factory.mktemp("table") / "t.jsonl"
    lines = [json.dumps({"split": "test", "text": text, "tags": sorted(tags)}) for text, tags in rows]
    file.write_text("\n".join(lines), encoding="utf-8")
    everything = {tag for _, tags in rows for tag in tags}
    if len(everything) < 2:
        return
    dataset = resolve(f"table:{file}?text=text&labels=tags").load()
    test = dataset.split("test")
    assert list(test.texts) == [text.strip() for text, _ in rows]
    found = [{dataset.classes[i] for i in np.flatnonzero(row)} for row in test.labels]
    assert found == [tags for _, tags in rows]
