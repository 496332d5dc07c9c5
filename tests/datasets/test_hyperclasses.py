"""Classes of one word: the rule of the paper on WordNet's format, and what cannot be merged."""

import gc
import io
import os
from pathlib import Path

import numpy as np
import pytest

from mmbench.datasets.entry import Dataset, Split
from mmbench.datasets.hyperclasses import merged, one_word, wordnet
from mmbench.errors import BadDataset, MissingAsset, MissingExtra

from .. import paper_words

WORDNET = os.environ.get("MMBENCH_WORDNET", "")


@pytest.fixture(scope="module")
def above(tmp_path_factory):
    return wordnet(paper_words.wordnet(tmp_path_factory.mktemp("wordnet")))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("tench", "tench"),
        ("great white shark", "shark"),
        ("tiger shark", "shark"),  # by the mackerel shark, which is two words
        ("Tench", "tench"),
        ("great white shark, white shark", "shark"),
        ("tench (n01440764)", "tench"),
        ("shih-tzu", "shih-tzu"),
    ],
)
def test_a_class_has_the_first_hypernym_of_one_word(above, name, word):
    assert one_word(name, above) == word


@pytest.mark.parametrize("name", ["red fox", "flying carpet"])  # without a hypernym; not in WordNet
def test_a_class_without_a_word_is_refused(above, name):
    with pytest.raises(BadDataset, match=f"class '{name}' has several words and no hypernym of one word"):
        one_word(name, above)


def dataset(names):
    labels = np.arange(2 * len(names)) % len(names)
    split = Split(tuple(map(str, range(len(labels)))), labels.astype(np.int64))
    return Dataset("made", tuple(names), {"test": split})


def test_classes_of_one_word_are_merged_in_order_of_appearance(above):
    found = merged(dataset(["tench", "great white shark", "tiger shark", "hammerhead"]), above)
    assert found.classes == ("tench", "shark", "hammerhead")
    assert found.split("test").labels.tolist() == [0, 1, 1, 2, 0, 1, 1, 2]


def test_what_cannot_be_merged_is_refused(above):
    with pytest.raises(BadDataset, match=r"all classes of made have the same word, \['shark'\]"):
        merged(dataset(["great white shark", "tiger shark"]), above)
    several = Dataset("made", ("a", "b"), {"test": Split(("1",), np.ones((1, 2), dtype=bool))}, "multi")
    with pytest.raises(BadDataset, match="several labels an item; hyperclasses need one class an item"):
        merged(several, above)


def test_no_wordnet(tmp_path, monkeypatch):
    with pytest.raises(MissingAsset, match=r"lexnames does not exist; .* WordNet's own files, such as index.noun"):
        wordnet(tmp_path / "nothing")
    monkeypatch.setitem(__import__("sys").modules, "nltk", None)
    with pytest.raises(MissingExtra, match=r"reading WordNet needs nltk; install it with: pip install 'mmbench\[words"):
        wordnet(tmp_path / "nothing either")


def test_files_with_other_line_ends_are_refused(tmp_path):
    folder = paper_words.wordnet(tmp_path / "changed")
    data = (folder / "data.noun").read_bytes()
    (folder / "data.noun").write_bytes(data.replace(b"\n", b"\r\n"))
    with pytest.raises(BadDataset, match=r"do not belong together at 'great white shark'; line ends must be"):
        one_word("great white shark", wordnet(folder))


def test_reading_warns_of_nothing(tmp_path, monkeypatch):
    """A filter of warnings holds for all threads, and another thread may lift it."""
    from nltk.corpus.reader import wordnet as nltk_wordnet

    monkeypatch.setattr(nltk_wordnet.warnings, "warn", lambda *said, **how: pytest.fail(str(said)))
    assert one_word("great white shark", wordnet(paper_words.wordnet(tmp_path))) == "shark"


def test_no_file_stays_open(tmp_path):
    def opened():
        return {id(each) for each in gc.get_objects() if type(each) is io.FileIO and not each.closed}

    before = opened()
    above = wordnet(paper_words.wordnet(tmp_path))
    assert one_word("great white shark", above) == "shark"
    assert opened() <= before


@pytest.mark.skipif(not WORDNET, reason="$MMBENCH_WORDNET names no folder of WordNet 3.0")
def test_imagenet_has_824_words():
    from mmbench.datasets.imagenet import class_names

    words = list(dict.fromkeys(one_word(name, wordnet(Path(WORDNET))) for name in class_names().values()))
    assert len(words) == 824
    assert (words[:3], words[-3:]) == (["tench", "goldfish", "shark"], ["bolete", "ear", "tissue"])
