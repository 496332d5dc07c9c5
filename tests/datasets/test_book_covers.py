"""Book Covers in its published layout: listings and label files that must agree, 30 classes and 28."""

import warnings

import paper_collections as small
import pytest

from mmbench.datasets.book_covers import CLASSES
from mmbench.datasets.notes import DatasetWarning
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec, MissingAsset, UnknownName

BOOKS = {
    "train": [(f"{number:010d}.jpg", f"A Book, Number {number}".encode(), number % 30) for number in range(60)],
    "test": [(f"1{number:09d}.jpg", f"The Last {number}".encode(), number) for number in range(30)],
}
WHOLE, PART = "train=60&test=30", "train=58&test=29"
OWN = "&removed=14&merged=21,9"


def resolved(root, more="", name="30", sizes=WHOLE):
    return resolve(f"book_covers:{name}?root={root}&{sizes}{more}")


@pytest.fixture
def root(tmp_path):
    return small.book_covers(tmp_path, BOOKS, folders=("covers", "covers_without_text"))


def test_thirty_classes_with_both_modalities(root):
    entry = resolved(root)
    assert (entry.classes, entry.modalities, entry.task) == (30, ("image", "text"), "single")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = entry.load()
    train, test = dataset.split("train"), dataset.split("test")
    assert dataset.classes == CLASSES
    assert dataset.classes[7] == "Cookbooks, Food & Wine"
    assert train.labels.tolist() == [number % 30 for number in range(60)]
    assert test.ids[3] == "1000000003.jpg"
    assert train.texts[:2] == ("a book, number 0", "a book, number 1")
    assert resolved(root, "&lower=0").load().split("train").texts[0] == "A Book, Number 0"
    assert train.images.image(0).size == (6, 9)


def test_the_published_sizes_are_asked_unless_others_are_declared(root):
    assert resolve(f"book_covers:30?root={root}").counts == {"train": 51_300, "test": 5_700}
    counts = resolve(f"book_covers:28?root={root}").counts
    assert sum(counts.values()) == 55_100  # as the thesis says
    with pytest.raises(BadDataset, match=r"has 60 items in 'train', expected 51,300; is it complete\?"):
        resolve(f"book_covers:30?root={root}").load()


def test_twenty_eight_classes(root):
    dataset = resolved(root, OWN, "28", "train=58&test=29").load()
    assert len(dataset.classes) == 28
    assert "Law" not in dataset.classes
    assert dataset.classes[9] == "Christian Books & Bibles / Religion & Spirituality"
    names = [name for name in CLASSES if name not in ("Law", "Religion & Spirituality", "Christian Books & Bibles")]
    assert [name for name in dataset.classes if "/" not in name] == names
    test = dataset.split("test")
    by_id = dict(zip(test.ids, test.labels.tolist(), strict=True))
    assert "1000000014.jpg" not in by_id
    assert by_id["1000000009.jpg"] == by_id["1000000021.jpg"] == 9
    for number in set(range(30)) - {9, 14, 21}:
        assert dataset.classes[by_id[f"1{number:09d}.jpg"]] == CLASSES[number]


def test_the_guess_is_called_one(root):
    with pytest.warns(DatasetWarning) as told:
        dataset = resolved(root, name="28", sizes=PART).load()
    assert "Teen & Young Adult" not in dataset.classes
    (line,) = (str(each.message) for each in told)
    assert line == (
        "book_covers:28: 3 classes are removed or made one (a guess: which was not published; see removed=): "
        "'Teen & Young Adult', 'Christian Books & Bibles', 'Religion & Spirituality'"
    )
    assert "a guess of ours" in resolved(root, name="28").about
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "a guess of ours" not in resolved(root, OWN, "28", PART).about
        resolved(root, OWN, "28", PART).load()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("&removed=9&merged=9,21", "removed= and merged= are three different numbers from 0 to 29"),
        ("&merged=21,21", "three different numbers"),
        ("&removed=30", "three different numbers"),
        ("&removed=Law", "removed is the number of a class, not 'Law'"),
        ("&merged=9", "merged is two numbers of classes with a comma between, not '9'"),
    ],
)
def test_wrong_classes_are_refused(root, more, message):
    with pytest.raises(BadSpec, match=message):
        resolved(root, more, "28")
    with pytest.raises(BadSpec, match="removed= belongs to book_covers:28; version 30 has all classes"):
        resolved(root, "&removed=3")
    with pytest.raises(UnknownName, match="no version of Book Covers named '29'"):
        resolved(root, name="29")


def test_masked_covers_have_the_same_items(root):
    plain, masked = resolved(root).load(), resolved(root, "&images=covers_without_text").load()
    for split in ("train", "test"):
        assert plain.split(split).digest() == masked.split(split).digest()
        assert plain.split(split).texts == masked.split(split).texts
        assert plain.split(split).images.digest(0) != masked.split(split).images.digest(0)
    with pytest.raises(BadDataset, match="which is not a path inside"):
        resolved(root, "&images=../covers").load()


def test_images_alone_need_the_label_files_alone(tmp_path):
    root = small.book_covers(tmp_path, BOOKS, listing=False)
    entry = resolved(root, "&text=none")
    assert entry.modalities == ("image",)
    dataset = entry.load()
    assert dataset.split("train").texts is None
    assert dataset.split("test").labels.tolist() == list(range(30))
    with pytest.raises(MissingAsset, match=r"book30-listing-train.csv does not exist; .* uchidalab/book-dataset"):
        resolved(root).load()


def test_listings_alone_are_enough(tmp_path):
    root = small.book_covers(tmp_path, BOOKS, labels=False)
    assert resolved(root).load().split("test").labels.tolist() == list(range(30))


def test_gaps_and_encodings_are_counted(tmp_path):
    train = list(BOOKS["train"])
    train[0] = (train[0][0], "Café".encode("latin-1"), 0)
    train[1] = (train[1][0], 'Hervé, ""the"" one'.encode(), 1)
    train[2] = (train[2][0], b"", 2)
    root = small.book_covers(tmp_path, {**BOOKS, "train": train})
    (root / "covers" / train[3][0]).unlink()
    with pytest.warns(DatasetWarning) as told:
        dataset = resolved(root, sizes="train=58&test=30").load()
    assert dataset.split("train").texts[:2] == ("café", 'hervé, "the" one')
    assert {str(each.message) for each in told} == {
        "book_covers:30: 1 books left out (no title): '0000000002.jpg'",
        "book_covers:30: 1 books left out (no image in covers): '0000000003.jpg'",
        "book_covers:30: 1 books with a title or author that is not UTF-8, read as Latin-1: '0000000000.jpg'",
    }


GOOD = '"1","x.jpg","http://x","A Title","","14","Law"'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"1","x.jpg","A Title","","14","Law"', "line 31 has 6 fields, expected 7: ASIN, file, address, title"),
        (GOOD.replace('"14"', '"30"'), "line 31 has the class '30', expected a number from 0 to 29"),
        (GOOD.replace('"14"', '""'), "line 31 has the class '', expected a number"),
        (GOOD.replace("Law", "History"), "line 31 has the class 14 called 'History', expected 'Law'"),
        (GOOD.replace("x.jpg", "1000000003.jpg"), "line 31 has the file '1000000003.jpg' a second time; remove one"),
        (GOOD.replace('"Law"', '"Law'), "line 31 cannot be read as CSV"),
        (GOOD, "the class of 'x.jpg': .*test.csv says 14, and .*test.txt does not have it; copy both again"),
    ],
)
def test_a_bad_line_of_a_listing_is_named(root, line, message):
    listing = root / "book30-listing-test.csv"
    listing.write_text(listing.read_text() + line + "\n")
    with pytest.raises(BadDataset, match=message):
        resolved(root).load()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x.jpg", "line 31 is 'x.jpg', expected a file, a blank and a class number"),
        ("x.jpg Law", "line 31 has the class 'Law', expected a number"),
        ("1000000003.jpg 3", "line 31 has the file '1000000003.jpg' a second time"),
        ("x.jpg 3", "the class of 'x.jpg': .*csv does not have it, and .*txt says 3"),
    ],
)
def test_a_bad_line_of_labels_is_named(root, line, message):
    labels = root / "bookcover30-labels-test.txt"
    labels.write_text(labels.read_text() + line + "\n")
    with pytest.raises(BadDataset, match=message):
        resolved(root).load()


def test_a_file_outside_the_folder_is_never_read(tmp_path):
    small.picture(tmp_path / "secret.jpg")
    root = small.book_covers(tmp_path / "books", BOOKS, labels=False)
    listing = root / "book30-listing-test.csv"
    listing.write_text(listing.read_text() + GOOD.replace("x.jpg", "../../secret.jpg") + "\n")
    with pytest.warns(DatasetWarning, match=r"1 books left out \(no image in covers\): '../../secret.jpg'"):
        assert len(resolved(root).load().split("test")) == 30


def test_the_identity_follows_files_and_choices(root, own_notes):
    variants = (
        resolved(root),
        resolved(root, "&lower=0"),
        resolved(root, "&text=none"),
        resolved(root, "&images=covers_without_text"),
        resolved(root, name="28"),
        resolved(root, OWN, "28"),
    )
    assert len({entry.identity() for entry in variants}) == len(variants)
    before = resolved(root).identity()
    small.picture(root / "covers" / BOOKS["train"][0][0])
    assert resolved(root).identity() != before
