"""Labelled texts in the layouts of their authors: BoolQ and WiC of SuperGLUE, and the probing tasks of SentEval.

    superglue:boolq|wic?root=DIR    DIR/train.jsonl and DIR/val.jsonl; the labels of test.jsonl are not published, so
                                    the items of val.jsonl are the test split
    senteval:TASK?root=DIR          DIR/TASK.txt, such as bigram_shift.txt: ``tr|va|te``, the label and the sentence in
                                    a line, with tabs between them

A frozen encoder has one text for an item: of BoolQ the question before its passage, of WiC the word before its two
sentences (``word: sentence / sentence``). The order matters where an encoder cuts a text: the question is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.datasets.declared import Declared, files_identity, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.source import SOURCES, DatasetSource, Spec
from mmbench.datasets.text_files import parse_json, read_lines, readable, require_text
from mmbench.errors import BadDataset, UnknownName

ANSWERS = ("false", "true")
SUPERGLUE_FILES = {"train": "train.jsonl", "test": "val.jsonl"}
LAYOUT = {"superglue": "train.jsonl and val.jsonl, as SuperGLUE has them", "senteval": "TASK.txt, as SentEval has it"}
SECTIONS = {"tr": "train", "va": "valid", "te": "test"}
SENTENCES = {"train": 100_000, "valid": 10_000, "test": 10_000}  # of every probing task


@dataclass(frozen=True)
class Task:
    """A task of SuperGLUE: the fields of its objects that make the text, how they do, and its published sizes."""

    fields: tuple[str, ...]
    text: Callable[..., str]
    counts: Mapping[str, int]
    about: str


def _question(question: str, passage: str) -> str:
    return f"{question.rstrip('?')}? {passage}"


def _word(word: str, sentence1: str, sentence2: str) -> str:
    return f"{word}: {sentence1} / {sentence2}"


SUPERGLUE = {
    "boolq": Task(
        ("question", "passage"),
        _question,
        {"train": 9_427, "test": 3_270},
        "Yes-or-no questions about a passage of Wikipedia (Clark et al. 2019)",
    ),
    "wic": Task(
        ("word", "sentence1", "sentence2"),
        _word,
        {"train": 5_428, "test": 638},
        "Whether a word has one meaning in two sentences (Pilehvar and Camacho-Collados 2019)",
    ),
}
PROBING = {
    "bigram_shift": "whether two neighbouring words of a sentence were exchanged",
    "tree_depth": "the depth of a sentence's parse tree",
    "top_constituents": "the constituents below the top of a sentence's parse tree",
}


def superglue(spec: Spec) -> DatasetEntry:
    """The entry of ``superglue:TASK?root=DIR``; no file is read. Raises UnknownName for another task."""
    if spec.name not in SUPERGLUE:
        raise UnknownName("task of superglue", spec.name, SUPERGLUE)
    task = SUPERGLUE[spec.name]
    paths = [spec.root / name for name in SUPERGLUE_FILES.values()]
    load = functools.partial(_load_superglue, spec.name, spec.root)
    known = Declared(len(ANSWERS), dict(task.counts))
    return _entry(spec, "superglue", load, paths, known, f"{task.about}. The test split is val.jsonl.")


def senteval(spec: Spec) -> DatasetEntry:
    """The entry of ``senteval:TASK?root=DIR``; no file is read. Raises UnknownName for another task."""
    if spec.name not in PROBING:
        raise UnknownName("task of senteval", spec.name, PROBING)
    file = spec.root / f"{spec.name}.txt"
    load = functools.partial(_load_senteval, spec.name, file)
    about = f"Sentences labelled by {PROBING[spec.name]} (Conneau et al. 2018)."
    return _entry(spec, "senteval", load, [file], Declared(None, SENTENCES), about)


def _entry(
    spec: Spec, kind: str, load: Callable[[], Dataset], paths: list[Path], known: Declared, about: str
) -> DatasetEntry:
    identity = functools.partial(files_identity, f"{kind}:{spec.name}", paths, spec.root, LAYOUT[kind])
    return on_disk(
        spec.text,
        load,
        identity,
        spec.declared.over(known),
        spec.root,
        modalities=("text",),
        templates=(),
        about=about,
        assets=tuple(f"file:{path}" for path in paths),
    )


def _load_superglue(name: str, root: Path) -> Dataset:
    splits = {split: _objects(SUPERGLUE[name], root / file, split) for split, file in SUPERGLUE_FILES.items()}
    return Dataset(name, ANSWERS, splits)


def _objects(task: Task, file: Path, split: str) -> Split:
    texts, labels = [], []
    for number, line in enumerate(read_lines(need(file, LAYOUT["superglue"])), start=1):
        if not line.strip():
            continue
        where = f"{readable(file)}, line {number}"
        found = parse_json(line, where)
        values = _strings(found, task.fields, where)
        label = found.get("label")
        if not isinstance(label, bool):
            raise BadDataset(f"{where}: expected a label true or false, found {label!r}; test.jsonl has none")
        texts.append(task.text(*values))
        labels.append(int(label))
    if not texts:
        raise BadDataset(f"{readable(file)} has no items")
    ids = tuple(f"{split}-{row:06d}" for row in range(len(texts)))
    return Split(ids, np.array(labels, dtype=np.int64), texts=tuple(texts))


def _strings(found: Any, fields: tuple[str, ...], where: str) -> list[str]:
    """The fields of an object. Raises BadDataset, which begins with ``where``, for one that is absent or no text."""
    if not isinstance(found, dict):
        raise BadDataset(f"{where} is not a JSON object")
    for field in fields:
        if not isinstance(value := found.get(field), str) or not value.strip():
            raise BadDataset(f"{where}: expected a text in {field!r}, found {value!r}")
        require_text(value, where)
    return [found[field].strip() for field in fields]


def _load_senteval(name: str, file: Path) -> Dataset:
    rows: dict[str, list[tuple[str, str]]] = {}
    for split, label, sentence in _sentences(file):
        rows.setdefault(split, []).append((label, sentence))
    if missing := [mark for mark, split in SECTIONS.items() if split not in rows]:
        raise BadDataset(f"{readable(file)} has no line that begins with {missing[0]!r}; is it complete?")
    classes = tuple(sorted({label for part in rows.values() for label, _ in part}))
    splits = {
        split: Split(
            tuple(f"{split}-{row:06d}" for row in range(len(part))),
            np.array([classes.index(label) for label, _ in part], dtype=np.int64),
            texts=tuple(sentence for _, sentence in part),
        )
        for split, part in rows.items()
    }
    return Dataset(name, classes, splits)


def _sentences(file: Path) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(read_lines(need(file, LAYOUT["senteval"])), start=1):
        parts = line.rstrip("\r\n").split("\t")
        if parts == [""]:
            continue
        if len(parts) != 3 or parts[0] not in SECTIONS or not parts[1].strip() or not parts[2].strip():
            raise BadDataset(
                f"{readable(file)}, line {number}: expected {', '.join(SECTIONS)} (one of them), a label and a "
                f"sentence with tabs between them, found {line.rstrip()[:80]!r}"
            )
        yield SECTIONS[parts[0]], parts[1].strip(), parts[2].strip()


SOURCES.add(DatasetSource("superglue", "superglue:boolq?root=DIR", superglue, needs=("root",)))
SOURCES.add(DatasetSource("senteval", "senteval:bigram_shift?root=DIR", senteval, needs=("root",)))
