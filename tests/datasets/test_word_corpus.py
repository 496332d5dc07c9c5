"""Corpora: the sample, files of one document a line, and what is no corpus."""

import pytest

from mmbench.datasets.specs import resolve
from mmbench.datasets.word_corpus import counted, lines_of, read_vocabulary
from mmbench.errors import BadDataset, BadSpec, MissingAsset

from .. import paper_words


def test_the_sample_is_as_large_as_the_lineup_says():
    entry = resolve("corpus:gensim_sample")
    documents = list(entry.documents())
    assert len(documents) == 456  # 106 articles and 350 news texts
    assert sum(map(len, documents)) == pytest.approx(515_000, rel=0.02)
    first, counts = counted(entry.documents, entry.how.train)
    assert first == 456 * 95 // 100
    assert counts.most_common(1)[0][0] == "the"


def test_a_file_is_read_one_document_at_a_time_and_split_in_file_order(tmp_path):
    folder = paper_words.corpus(tmp_path, documents=10)
    entry = resolve(f"corpus:{folder}/articles.txt?vocabulary={folder}/vocab.txt&dim=4&words=5&rate=5000")
    assert (entry.how.dim, entry.how.epochs, entry.how.words, entry.how.rate) == (4, 5, 5, 0.005)
    assert len(list(entry.documents())) == 10
    found = entry.load()
    assert (len(found.split("train")), len(found.split("test"))) == (8, 2)
    assert counted(entry.documents, 80)[0] == 8
    assert entry.listed()[:2] == ["the", "a"]


def test_the_paper_s_values_stand_where_nothing_else_is_said(tmp_path):
    folder = paper_words.corpus(tmp_path)
    how = resolve(f"corpus:{folder}/articles.txt").how
    assert (how.dim, how.epochs, how.words, how.train, how.rate, how.sample) == (300, 5, 20_000, 80, None, 1e-3)


def test_what_decides_the_vectors_is_in_the_identity(tmp_path):
    folder = paper_words.corpus(tmp_path)
    spec = f"corpus:{folder}/articles.txt"
    seen = {resolve(text).identity() for text in (spec, f"{spec}?dim=4", f"{spec}?vocabulary={folder}/vocab.txt")}
    assert len(seen) == 3
    (folder / "articles.txt").write_text("other words\n")
    assert resolve(spec).identity() not in seen


def test_a_corpus_that_is_empty_is_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(BadDataset, match=r"empty.txt holds no word; expected one document a line"):
        list(lines_of(tmp_path / "empty.txt"))
    with pytest.raises(BadDataset, match="the corpus has 1 documents, of which 80 % are none"):
        counted(lambda: iter([["a"]]), 80)
    with pytest.raises(MissingAsset, match=r"none.txt does not exist"):
        list(lines_of(tmp_path / "none.txt"))


def test_a_vocabulary_of_two_words_a_line_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("the\ngreat shark\n")
    with pytest.raises(BadDataset, match="expected one word a line, found 'great shark'"):
        read_vocabulary(tmp_path / "vocab.txt")
    (tmp_path / "vocab.txt").write_text("")
    with pytest.raises(BadDataset, match="holds no word; expected one a line"):
        read_vocabulary(tmp_path / "vocab.txt")


def test_an_option_that_is_no_number_is_refused():
    with pytest.raises(BadSpec, match="dim is a whole number above 0, not 'wide'"):
        resolve("corpus:gensim_sample?dim=wide")


@pytest.mark.parametrize(
    ("option", "said"),
    [(f"{name}=0", f"{name} is a whole number above 0") for name in ("dim", "epochs", "rate", "words")]
    + [(f"train={share}", "train is a whole number from 1 to 100") for share in (0, 101)],
)
def test_an_option_that_leaves_nothing_to_train_is_refused(option, said):
    with pytest.raises(BadSpec, match=said):
        resolve(f"corpus:gensim_sample?{option}")


def test_a_mark_of_byte_order_is_no_part_of_the_first_word(tmp_path):
    (tmp_path / "marked.txt").write_text("tiger cat", encoding="utf-8-sig")
    assert list(lines_of(tmp_path / "marked.txt")) == [["tiger", "cat"]]


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "latin.txt").write_bytes("caf\xe9\n".encode("latin-1"))
    for read in (lambda file: list(lines_of(file)), read_vocabulary):
        with pytest.raises(BadDataset, match=r"latin.txt is not UTF-8 text .*; convert it"):
            read(tmp_path / "latin.txt")
    with pytest.raises(BadDataset, match=r"latin.txt is not UTF-8 text"):
        resolve(f"word_pairs:mine?file={tmp_path}/latin.txt").load()
