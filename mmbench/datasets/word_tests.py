"""Tests of word vectors: analogies and pairs of words with people's ratings of how similar they are.

    analogies:semantic|morphology[?file=FILE]         questions of Mikolov et al. (2013), four words each
    word_pairs:wordsim353|simlex999|NAME[?file=FILE]  pairs of words and the mean rating of each

Without a file the lists are those that gensim is tested with (Mikolov's questions, WordSim-353, SimLex-999). A file of
questions has a line ``: section`` before the questions of each section; sections whose names begin with ``gram`` are
morphology. A file of pairs has two words and a rating a line, with tabs between them; lines that begin with ``#`` are
left out. The items are those of the file, whatever the vocabulary that is tested: what a model has no vectors for is
left out later, and counted (mmbench.inputs.words).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.assets import GENSIM, read_member
from mmbench.datasets.declared import Declared, need, on_disk
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.datasets.groups import grouped
from mmbench.datasets.images import file_digest
from mmbench.datasets.source import SOURCES, DatasetSource, Spec, as_path
from mmbench.errors import BadDataset, BadSpec
from mmbench.program import program_digest

FOLDER = "gensim/test/test_data"
QUESTIONS = "questions-words.txt"
PAIRS = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}
HALVES = ("semantic", "morphology")
MORPHOLOGY = "gram"  # how the names of Mikolov's sections of morphology begin
LAYOUT = {
    "analogies": "': section' lines and four words a line",
    "word_pairs": "two words and a rating a line, with tabs between them",
}
Read = Callable[[str, str], Dataset]


def analogies(text: str, half: str, where: str = "the questions") -> Dataset:
    """The questions of one half of a file; classes are its sections.

    An item's text is its four words in small letters. Questions of a section share pairs of words: these are the
    groups. Raises BadDataset for a line that is neither a section nor four words, and where the half has no question.
    """
    sections: dict[str, list[tuple[str, ...]]] = {}
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(":"):
            current = line[1:].strip()
            continue
        words = tuple(line.lower().split())
        if not words:
            continue
        if len(words) != 4 or not current:
            what = f"{len(words)} words" if current else "a question before any ': section' line"
            raise BadDataset(f"{where}, line {number}: expected four words in a section, found {what}: {line!r}")
        sections.setdefault(current, []).append(words)
    wanted = {s: q for s, q in sections.items() if s.startswith(MORPHOLOGY) == (half == "morphology")}
    if not wanted:
        raise BadDataset(
            f"{where} has no {half} question; the names of its sections are {', '.join(sections) or 'missing'}, and "
            f"those of morphology begin with {MORPHOLOGY!r}"
        )
    items = dict.fromkeys((s, words) for s, questions in wanted.items() for words in questions)
    names = list(wanted)
    test = Split(
        tuple(f"{section}: {' '.join(words)}" for section, words in items),
        np.array([names.index(section) for section, _ in items], dtype=np.int64),
        texts=tuple(" ".join(words) for _, words in items),
        groups=grouped([(words[:2], words[2:]) for _, words in items], "pairs of words"),
    )
    return Dataset(f"analogies:{half}", tuple(names), {"test": test})


def word_pairs(text: str, name: str, where: str = "the pairs") -> Dataset:
    """Pairs of words in small letters with their ratings; an item's text is ``word<tab>word<tab>rating``.

    A pair that is listed twice is two items, as in gensim. Raises BadDataset for a line of another form, a rating that
    is no number, and fewer than three pairs.
    """
    found: list[tuple[str, str, float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#") or not line.strip():
            continue
        parts = line.split("\t")
        try:
            one, other, rating = parts[0].strip().lower(), parts[1].strip().lower(), float(parts[2])
        except (IndexError, ValueError):
            raise BadDataset(f"{where}, line {number}: expected {LAYOUT['word_pairs']}, found {line!r}") from None
        if not np.isfinite(rating):
            raise BadDataset(f"{where}, line {number}: a rating must be finite, found {parts[2]!r}")
        found.append((one, other, rating))
    if len(found) < 3:
        raise BadDataset(f"{where} has {len(found)} pairs of words; a correlation needs at least 3")
    names = [f"{one} {other}" for one, other, _ in found]
    times = [names[:row].count(pair) + 1 for row, pair in enumerate(names)]
    test = Split(
        tuple(pair if time == 1 else f"{pair} ({time})" for pair, time in zip(names, times, strict=True)),
        np.zeros(len(found), dtype=np.int64),
        texts=tuple(f"{one}\t{other}\t{rating!r}" for one, other, rating in found),
        groups=grouped([(one, other) for one, other, _ in found], "words"),
    )
    return Dataset(f"word_pairs:{name}", ("pair of words",), {"test": test})


def _entry(kind: str, spec: Spec, read: Read, file: Path | None, bundled: str, about: str) -> DatasetEntry:
    def load() -> Dataset:
        if file is None:
            return read(read_member(GENSIM, f"{FOLDER}/{bundled}").decode(), f"{bundled} of gensim's tests")
        text = need(file, LAYOUT[kind]).read_text(encoding="utf-8-sig")
        return read(text, str(file))

    def identity() -> str:
        content = f"{GENSIM.sha256}/{bundled}" if file is None else file_digest(need(file, LAYOUT[kind]))
        return hashlib.sha256(f"{kind}:{spec.name} {content} {program_digest(__name__, ())}".encode()).hexdigest()

    facts: dict[str, Any] = {"modalities": ("text",), "templates": (), "about": about, "assets": (f"file:{file}",)}
    if file is None:
        facts |= {"assets": (GENSIM.name,), "licence": GENSIM.licence, "credit": GENSIM.credit}
    return on_disk(spec.text, load, identity, spec.declared or Declared(), file or f"{bundled} of gensim", **facts)


def _file(spec: Spec) -> Path | None:
    return as_path(spec.options["file"]) if "file" in spec.options else None


def _analogies(spec: Spec) -> DatasetEntry:
    if spec.name not in HALVES:
        raise BadSpec(f"{spec.owner}: write analogies:{' or analogies:'.join(HALVES)}, not {spec.name!r}")
    read = functools.partial(_read_half, spec.name)
    return _entry("analogies", spec, read, _file(spec), QUESTIONS, f"Word analogies, {spec.name} (Mikolov et al. 2013)")


def _read_half(half: str, text: str, where: str) -> Dataset:
    return analogies(text, half, where)


def _word_pairs(spec: Spec) -> DatasetEntry:
    file = _file(spec)
    if file is None and spec.name not in PAIRS:
        raise BadSpec(
            f"{spec.owner}: no list of pairs is called {spec.name!r}; known are {', '.join(PAIRS)}, and others are "
            "given with ?file=FILE"
        )
    about = "Pairs of words with people's mean rating of how similar they are"
    read = functools.partial(_read_pairs, spec.name)
    return _entry("word_pairs", spec, read, file, PAIRS.get(spec.name, ""), about)


def _read_pairs(name: str, text: str, where: str) -> Dataset:
    return word_pairs(text, name, where)


SOURCES.add(DatasetSource("analogies", "analogies:semantic", _analogies, options=("file",), sizes=("classes", "test")))
SOURCES.add(DatasetSource("word_pairs", "word_pairs:wordsim353", _word_pairs, options=("file",), sizes=("test",)))
