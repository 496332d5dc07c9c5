"""BoolQ, WiC and SentEval's probing tasks: tiny folders in their layouts, published sizes, and what is refused."""

import json

import pytest

from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec, MissingAsset, UnknownName

BOOLQ = [
    {"question": "is the sea salt", "passage": "Salt sea. The sea is salt.", "idx": 0, "label": True},
    {"question": "is it dry?", "passage": "It is wet.", "idx": 1, "label": False},
]
WIC = [
    {"word": "bank", "sentence1": "The bank lends.", "sentence2": "A river bank.", "idx": 0, "label": False,
     "start1": 4, "start2": 8, "end1": 8, "end2": 12, "version": 1.1},
    {"word": "go", "sentence1": "They go.", "sentence2": "We go home.", "idx": 1, "label": True},
]  # fmt: skip


def write(folder, train, val):
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", train), ("val", val)):
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def superglue(task, root, train, val):
    write(root, train, val)
    return resolve(f"superglue:{task}?root={root}&train={len(train)}&test={len(val)}")


def test_boolq_has_the_question_before_its_passage(tmp_path):
    entry = superglue("boolq", tmp_path, BOOLQ, BOOLQ[:1])
    loaded = entry.load()
    train = loaded.split("train")
    assert train.texts == ("is the sea salt? Salt sea. The sea is salt.", "is it dry? It is wet.")
    assert train.labels.tolist() == [1, 0]
    assert loaded.classes == ("false", "true")
    assert len(loaded.split("test")) == 1
    assert entry.modalities == ("text",)


def test_wic_has_the_word_before_its_sentences(tmp_path):
    train = superglue("wic", tmp_path, WIC, WIC).load().split("train")
    assert train.texts == ("bank: The bank lends. / A river bank.", "go: They go. / We go home.")
    assert train.labels.tolist() == [0, 1]


def test_published_sizes_must_hold_unless_others_are_declared(tmp_path):
    write(tmp_path, BOOLQ, BOOLQ)
    assert resolve(f"superglue:boolq?root={tmp_path}").counts == {"train": 9_427, "test": 3_270}
    assert resolve(f"superglue:wic?root={tmp_path}").counts == {"train": 5_428, "test": 638}
    with pytest.raises(BadDataset, match=r"has 2 items in 'train', expected 9,427; is it complete\?"):
        resolve(f"superglue:boolq?root={tmp_path}").load()


def test_the_identity_follows_the_files(tmp_path):
    before = superglue("wic", tmp_path, WIC, WIC).identity()
    assert superglue("wic", tmp_path, WIC, WIC[:1]).identity() != before


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "q", "passage": "p"}, r"line 1: expected a label true or false, found None; test.jsonl has none"),
        ({"question": "q", "passage": "p", "label": 1}, r"line 1: expected a label true or false, found 1"),
        ({"question": " ", "passage": "p", "label": True}, r"line 1: expected a text in 'question', found ' '"),
        ({"passage": "p", "label": True}, r"line 1: expected a text in 'question', found None"),
        ("[1]", r"line 1 is not a JSON object"),
        ("{", r"line 1 is not valid JSON"),
        ("", r"train.jsonl has no items"),
    ],
)
def test_lines_of_another_form_are_refused(tmp_path, row, said):
    with pytest.raises(BadDataset, match=said):
        superglue("boolq", tmp_path, [row], BOOLQ).load()


def test_absent_files_and_unknown_tasks_are_said(tmp_path):
    with pytest.raises(MissingAsset, match=r"train\.jsonl does not exist; mmbench does not download this dataset"):
        resolve(f"superglue:boolq?root={tmp_path}").load()
    with pytest.raises(UnknownName, match=r"no task of superglue named 'boolk'\. Did you mean 'boolq'\?"):
        resolve(f"superglue:boolk?root={tmp_path}")
    with pytest.raises(UnknownName, match="no task of senteval named 'depth'"):
        resolve(f"senteval:depth?root={tmp_path}")
    with pytest.raises(BadSpec, match="root"):
        resolve("superglue:boolq")


LINES = ["tr\tI\tThe dog big ran .", "tr\tO\tThe big dog ran .", "va\tO\tIt is so .", "te\tI\tIt so is ."]


def probing(root, lines):
    (root / "bigram_shift.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return resolve(f"senteval:bigram_shift?root={root}&train=2&valid=1&test=1")


def test_a_probing_task_has_its_own_three_splits(tmp_path):
    entry = probing(tmp_path, LINES)
    loaded = entry.load()
    assert {name: len(part) for name, part in loaded.splits.items()} == {"train": 2, "valid": 1, "test": 1}
    assert loaded.classes == ("I", "O")
    assert loaded.split("train").labels.tolist() == [0, 1]
    assert loaded.split("test").texts == ("It so is .",)
    assert resolve(f"senteval:tree_depth?root={tmp_path}").counts == {"train": 100_000, "valid": 10_000, "test": 10_000}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([*LINES, "tx\tI\tWhat ."], r"line 5: expected tr, va, te \(one of them\), a label and a sentence"),
        ([*LINES, "tr\tI"], r"line 5: expected tr, va, te"),
        ([*LINES, "tr\t\tWhat ."], r"line 5: expected tr, va, te"),
        (LINES[:3], r"bigram_shift.txt has no line that begins with 'te'; is it complete?"),
    ],
)
def test_probing_lines_of_another_form_are_refused(tmp_path, lines, said):
    with pytest.raises(BadDataset, match=said):
        probing(tmp_path, lines).load()
