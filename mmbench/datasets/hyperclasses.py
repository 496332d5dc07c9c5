"""Classes merged under a name of one word: ``hyperclasses:DATASET?wordnet=DIR``.

"Great white shark" becomes "shark", by the first hypernym that is one word (Devillers et al. 2021, section 5.1). As in
the authors' code, a class is looked up by its name, and the first sense of that name in WordNet is taken: of the 1,000
classes of ImageNet 824 words remain, as printed. By the class's own synset it would be 820: "red fox" is a herb
first. Of several hypernyms the first by name counts, which was nltk's order at the time; in that of WordNet's file 822
words remain, and in nltk's of today, which changes from run to run, 823 or 824.

``DIR`` holds WordNet 3.0 in its own format (``index.noun``, ``data.noun`` and so on, as in the folder ``dict`` of its
archive), which nltk's reader reads.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.datasets.declared import files_identity, need
from mmbench.datasets.entry import Dataset, DatasetEntry
from mmbench.datasets.source import SOURCES, DatasetSource, Spec, as_path
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, MissingExtra
from mmbench.program import program_digest

Hypernyms = Callable[[str], Iterator[str]]
PARTS = ("adj", "adv", "noun", "verb")
FILES = (
    "lexnames",
    "cntlist.rev",
    *(f"{kind}.{part}" for kind in ("index", "data") for part in PARTS),
    *(f"{part}.exc" for part in PARTS),
)
LAYOUT = "WordNet's own files, such as index.noun and data.noun"


def one_word(name: str, hypernyms: Hypernyms) -> str:
    """The name in small letters where it is one word, else the first hypernym of its first sense that is.

    Of several names with commas between them the first counts; a synset in parentheses behind a name is left out.
    Raises BadDataset for a name that has no such hypernym.
    """
    first = re.sub(r"\s*\(n\d{8}\)$", "", name.split(",")[0]).strip()
    if first and len(re.split("[ _]", first)) == 1:
        return first.lower()
    for above in hypernyms(first):
        if len(re.split("[ _]", above)) == 1:
            return above.lower()
    raise BadDataset(
        f"class {name!r} has several words and no hypernym of one word; expected a noun of WordNet or one word: leave "
        "the class out (restricted:DATASET?classes=...) or rename it (?names=FILE)"
    )


@functools.cache
def wordnet(folder: Path) -> Hypernyms:
    """The first hypernyms of a name's first sense as a noun, nearest first, from WordNet's files in ``folder``.

    Raises MissingExtra without nltk, MissingAsset for a file that is not there, BadDataset for files that nltk does not
    read.
    """
    try:
        import nltk
        from nltk.corpus.reader.wordnet import WordNetCorpusReader
    except ImportError:
        raise MissingExtra("nltk", "words", "reading WordNet") from None
    for name in FILES:
        need(folder / name, LAYOUT)

    class Reader(WordNetCorpusReader):
        def map_wn(self, version: str = "wordnet") -> None:
            """Of several versions of WordNet none is compared."""

        def open(self, file: str) -> Any:
            """The file from memory: nltk keeps data files open and never closes them."""
            return nltk.data.SeekableUnicodeStreamReader(io.BytesIO((folder / file).read_bytes()), self.encoding(file))

    if str(folder) not in nltk.data.path:
        nltk.data.path.append(str(folder))  # nltk reads no other folder
    try:
        reader = Reader(str(folder), ())  # no reader of other languages; None is warned of
    except (OSError, ValueError, AssertionError) as error:
        raise BadDataset(f"{folder} cannot be read as WordNet: {error}; expected {LAYOUT}") from None

    reading = threading.Lock()  # the reader moves to a place in a file, and then reads there

    def above(name: str) -> Iterator[str]:
        with reading:
            return iter(list(found(name)))

    def found(name: str) -> Iterator[str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            senses = reader.synsets(name.replace(" ", "_"), "n")
        if senses and senses[0] is None:
            raise BadDataset(
                f"{folder}: index.noun and data.noun do not belong together at {name!r}; line ends must be as WordNet "
                "has them (LF), since entries are found by their place in bytes"
            )
        here = senses[0] if senses else None
        while here is not None:
            here = min(here.hypernyms(), key=lambda synset: synset.name(), default=None)
            if here is not None:
                yield here.lemmas()[0].name()

    return above


def hyperclasses(parent: DatasetEntry, hypernyms: Callable[[], Hypernyms], known: Callable[[], str]) -> DatasetEntry:
    """``parent`` with the classes of one word merged, in the order of first appearance; ``known()`` is a digest.

    The dataset's identity rests on the parent's, on the digest of what names hypernyms, and on this code. Raises
    BadDataset, when it is loaded, for items of several labels and where fewer than two words remain.
    """

    def load() -> Dataset:
        return merged(parent.load(), hypernyms())

    def identity() -> str:
        parts = ["hyperclasses", parent.identity(), known(), program_digest(__name__, ())]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    about = f"{parent.about} Classes with the same name of one word are one class."
    return dataclasses.replace(
        parent, name=f"hyperclasses:{parent.name}", load=load, identity=identity, classes=0, ceilings=(), about=about
    )


def merged(dataset: Dataset, hypernyms: Hypernyms) -> Dataset:
    """The dataset with classes merged under one word each."""
    if dataset.task != "single":
        raise BadDataset(f"{dataset.name} has several labels an item; hyperclasses need one class an item")
    words = [one_word(name, hypernyms) for name in dataset.classes]
    order = list(dict.fromkeys(words))
    if len(order) < 2:
        raise BadDataset(f"all classes of {dataset.name} have the same word, {order}; expected two words or more")
    place = np.array([order.index(word) for word in words], dtype=np.int64)
    splits = {name: dataclasses.replace(split, labels=place[split.labels]) for name, split in dataset.splits.items()}
    return dataclasses.replace(dataset, classes=tuple(order), splits=splits)


def _entry(spec: Spec) -> DatasetEntry:
    inner = spec.name[1:-1] if spec.name.startswith("(") and spec.name.endswith(")") else spec.name
    folder = as_path(spec.options["wordnet"])

    def known() -> str:
        return files_identity("wordnet", [folder / name for name in FILES], folder, LAYOUT)

    made = hyperclasses(resolve(inner), lambda: wordnet(folder), known)
    return dataclasses.replace(made, name=spec.text, assets=(*made.assets, f"file:{folder}"))


SOURCES.add(
    DatasetSource("hyperclasses", "hyperclasses:DATASET?wordnet=DIR", _entry, needs=("wordnet",), sizes=(), nested=True)
)
