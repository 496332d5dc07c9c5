"""What the embedded datasets declare is so: counts, classes, splits that share nothing, only unseen drawings."""

import hashlib
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.assets import ASSETS
from mmbench.datasets import drawn, openmoji, posters, sentiment, titles
from mmbench.datasets.entry import DATASETS
from mmbench.errors import BadDataset

NAMES = DATASETS.names()
SHOW_DRAWINGS = ["categories", "concepts", "flags", "clothing", "sentiment"]
VARIANTS = [name for name in NAMES if name.startswith("posters_") and "recent" not in name]


@pytest.mark.parametrize("name", NAMES)
def test_a_dataset_is_what_its_entry_declares(name):
    entry = DATASETS.get(name)
    dataset = entry.load()
    assert (dataset.name, len(dataset.classes), dataset.task) == (name, entry.classes, entry.task)
    assert len(set(dataset.classes)) == entry.classes
    assert {split: len(part) for split, part in dataset.splits.items()} == entry.counts
    for split, part in dataset.splits.items():
        assert len(set(part.ids)) == len(part), split
        assert ("text" in entry.modalities) == (part.texts is not None)
        assert ("image" in entry.modalities) == (part.images is not None)
        assert part.images is None or len(part.images) == len(part)
        assert part.texts is None or (len(part.texts) == len(part) and all(part.texts))
        if entry.task == "single":
            assert part.labels.dtype == np.int64
            assert sorted(set(part.labels.tolist())) == list(range(entry.classes)), split
        else:
            assert part.labels.dtype == bool
            assert part.labels.any(axis=0).all(), split
            assert set(part.labels.sum(axis=1)) <= set(range(1, 7)), split
    assert set(dataset.split("train").ids).isdisjoint(dataset.split("test").ids)


@pytest.mark.parametrize("name", NAMES)
def test_a_second_load_is_the_same(name):
    first, second = DATASETS.get(name).load(), DATASETS.get(name).load()
    for split in first.splits:
        assert first.split(split).digest() == second.split(split).digest()
        assert first.split(split).texts == second.split(split).texts


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_says_whose_it_is_and_what_it_stands_for(name):
    entry = DATASETS.get(name)
    assert entry.credit
    assert entry.licence
    assert len(entry.about) > 60
    assert all("{}" in template for template in entry.templates)
    assert all(asset in ASSETS for asset in entry.assets)
    if "openmoji" in entry.assets:
        assert "OpenMoji" in entry.credit
        assert entry.licence == "CC BY-SA 4.0"


def test_identities_differ_and_are_digests():
    identities = [DATASETS.get(name).identity() for name in NAMES]
    assert len(set(identities)) == len(NAMES)
    assert all(re.fullmatch("[0-9a-f]{64}", identity) for identity in identities)


def test_the_whole_lineup_stays_cheap_to_encode():
    """Pictures and texts that several entries share count once."""
    parts = [part for entry in DATASETS for part in entry.load().splits.values()]
    assert len({digest for part in parts if part.images for digest in part.images.digests()}) < 25_000
    assert len({text for part in parts for text in part.texts or ()}) < 12_000


# -- only drawings that the zoo never saw --------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHOW_DRAWINGS)
def test_only_evaluation_concepts_are_shown(name):
    evaluation = {item.id for item in openmoji.catalogue() if item.evaluation}
    dataset = DATASETS.get(name).load()
    for split in dataset.splits.values():
        for item in split.ids:
            codes = item.split("-", 1)[1] if name == "sentiment" else item.split("-", 1)[1].rsplit("-", 1)[0]
            assert set(codes.split("+")) <= evaluation, item


@pytest.mark.parametrize("series", ["train", "test", "recent"])
def test_posters_show_only_evaluation_concepts(series):
    listing = openmoji.catalogue()
    assert all(listing[row].evaluation for item in posters.posters(series) for row in item.rows)


def test_categories_and_sentiment_test_on_concepts_they_did_not_train_on():
    concepts = {item.id: item.concept for item in openmoji.catalogue()}
    for name in ("categories", "sentiment"):
        shown = {}
        for split, part in DATASETS.get(name).load().splits.items():
            codes = [re.sub(rf"^{split}-|-\d{{3}}$", "", item).split("+") for item in part.ids]
            shown[split] = {concepts[code] for pair in codes for code in pair}
        assert shown["train"].isdisjoint(shown["test"]), name


def test_posters_test_on_concepts_they_did_not_train_on():
    listing = openmoji.catalogue()
    seen = {
        series: {listing[row].concept for p in posters.posters(series) for row in p.rows}
        for series in ("train", "test")
    }
    assert seen["train"].isdisjoint(seen["test"])


def test_a_split_that_lost_its_concepts_is_refused():
    with pytest.raises(BadDataset, match=r"flags needs 60 unseen concepts, but there are 1; has the split changed\?"):
        drawn.one_a_class(drawn.unseen(lambda item: item.category == "Flags")[:1], 60, "flags")


# -- texts give no label away --------------------------------------------------------------------------------------


@pytest.mark.parametrize("series", ["train", "test", "recent"])
def test_neither_title_nor_plot_holds_a_labels_word(series):
    for item in posters.posters(series):
        words = set(re.findall(r"[a-z]+", f"{item.title} {item.plot}".lower()))
        assert not words & (set(posters.TAGS) | {f"{tag}s" for tag in posters.TAGS}), item


@given(st.lists(st.sampled_from([*sorted(posters.TELLTALE), "cat", "with", "tears-of-joy", "hand-made"]), max_size=6))
def test_a_name_without_telltales_has_none_of_their_words(words):
    assert not set(re.split(r"[\s-]", posters.without_telltales(" ".join(words)))) & posters.TELLTALE


def test_film_titles_do_not_name_a_genre_and_are_in_one_split():
    films = {split: titles.chosen(split) for split in titles.EACH}
    for shown in films.values():
        assert not any(genre.lower() in film.title.lower() for film in shown for genre in titles.GENRES)
    assert {f.title.lower() for f in films["train"]}.isdisjoint(f.title.lower() for f in films["test"])


@pytest.mark.parametrize(
    ("written", "said"), [("Kid, The", "The Kid"), ("Avventura, L'", "L'Avventura"), ("Me, Myself", "Me, Myself")]
)
def test_articles_stand_in_front(written, said):
    assert titles.spoken(written) == said


# -- masks ---------------------------------------------------------------------------------------------------------


def inside(box, shape):
    mask = np.zeros(shape[:2], dtype=bool)
    mask[box.top : box.bottom, box.left : box.right] = True
    return mask


def check_mask(draw, item):
    whole, box = draw(item)
    masked = box.paint(whole)
    mask = inside(box, whole.shape)
    differs = (whole != masked).any(axis=2)
    assert not (differs & ~mask).any(), "something outside the box changed"
    assert differs.any(), "the title was not painted over"
    assert len(np.unique(masked[mask], axis=0)) == 1, "something can still be read"


@pytest.mark.parametrize("index", range(0, 450, 40))
def test_masking_changes_the_titles_box_and_nothing_else(index):
    check_mask(titles.card, titles.chosen("test")[index])
    for series in ("train", "test", "recent"):
        check_mask(posters.poster, posters.posters(series)[index])


# SHA-256 over the items' digests (pixels and texts), of the code that drew the masked pictures itself.
MASKED = {
    "posters_masked": ("5523b549ae040cbe", "3cac1adfd3045f56"),
    "posters_title_masked": ("5af9b1a301338600", "714dad5a37455574"),
    "posters_plot_masked": ("3794ff848877d6ff", "ac45851bde3a7f2a"),
    "title_cards_masked": ("66cebd954b002397", "a927dcda6187c0af"),
}


@pytest.mark.parametrize("name", MASKED)
def test_masked_items_are_those_that_were_drawn_masked_before(name):
    dataset = DATASETS.get(name).load()
    for split, expected in zip(("train", "test"), MASKED[name], strict=True):
        part, hasher = dataset.split(split), hashlib.sha256()
        for row in range(len(part)):
            pixels = np.asarray(part.images.image(row))
            hasher.update(hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest().encode())
            hasher.update(b"" if part.texts is None else part.text_digest(row).encode())
        assert hasher.hexdigest()[:16] == expected, split


def test_variants_share_items_so_that_examples_pair():
    base = DATASETS.get("posters").load()
    for name in VARIANTS:
        other = DATASETS.get(name).load()
        assert {s: p.digest() for s, p in other.splits.items()} == {s: p.digest() for s, p in base.splits.items()}, name
    cards = [DATASETS.get(name).load().split("test") for name in ("title_cards", "title_cards_masked")]
    assert cards[0].digest() == cards[1].digest()
    recent = DATASETS.get("posters_recent").load()
    assert recent.split("train").digest() == base.split("train").digest()
    assert set(recent.split("test").ids).isdisjoint(base.split("test").ids)


# -- pixels --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist5k", "street_digits", "flags", "categories", "title_cards", "posters"])
def test_no_picture_is_in_both_splits(name):
    dataset = DATASETS.get(name).load()
    digests = {split: {part.images.digest(row) for row in range(len(part))} for split, part in dataset.splits.items()}
    assert digests["train"].isdisjoint(digests["test"])
    assert dataset.split("test").images.image(0).mode == "RGB"


def test_a_picture_rendered_again_is_the_same():
    for item in posters.posters("test")[:3]:
        np.testing.assert_array_equal(posters.poster(item)[0], posters.poster(item)[0])
    clothing = DATASETS.get("clothing").load().split("test").images
    np.testing.assert_array_equal(clothing._render()[:5], clothing.pixels[:5])


def test_sentiment_classes_follow_the_scores():
    scores = sentiment.scores()
    assert scores["1F602"] < scores["2764"], "tears of joy are less loved than a heart"
    assert all(-1 <= score <= 1 for score in scores.values())
    part = DATASETS.get("sentiment").load().split("test")
    means = [np.mean([scores[code] for code in item.removeprefix("test-").split("+")]) for item in part.ids]
    by_class = [np.array(means)[part.labels == label] for label in range(3)]
    assert by_class[0].max() <= by_class[1].min()
    assert by_class[1].max() <= by_class[2].min()


def test_classes_that_share_a_picture_lower_the_ceiling(monkeypatch):
    """Four drawings, two of them the same picture in different classes: three can be told, one is a guess."""
    twins = openmoji.drawings(72).pixels[[0, 1, 2, 2]]
    monkeypatch.setattr(openmoji, "drawings", lambda size: type("Drawings", (), {"pixels": twins}))
    groups = {"test": {"a": [0], "b": [1], "c": [2], "d": [3]}}
    recipe = drawn.Drawn("twins", lambda: groups, {"test": 1}, drawn.View())
    assert recipe.ceiling() == pytest.approx(75.0)


def test_more_tweets_raise_the_ceiling_of_sentiment(monkeypatch):
    codes, counts = sentiment.tweets()
    usual = sentiment.ceiling()
    assert 50 < usual < 95
    monkeypatch.setattr(sentiment, "tweets", lambda: (codes, counts * 10_000))
    assert sentiment.ceiling() > 98


def test_the_decade_of_a_film_tells_its_genre_only_where_genres_differ_by_decade(monkeypatch):
    films = [titles.Film(f"{genre} {year}", year, genre) for genre in range(7) for year in range(1930, 2000, 10)]
    monkeypatch.setattr(titles, "films", lambda: tuple(films))
    assert titles.ceiling_by_decade() == pytest.approx(100 / 7)
    own = [titles.Film(str(genre), 1930 + 10 * genre, genre) for genre in range(7)]
    monkeypatch.setattr(titles, "films", lambda: tuple(own))
    assert titles.ceiling_by_decade() == pytest.approx(100.0)


def test_every_drawing_of_a_poster_gives_one_of_its_tags():
    """What the posters' ceiling rests on: tags found again from the drawings, and a title that names some of them."""
    for item in posters.posters("test"):
        assert {posters._tag(row) for row in item.rows} == set(item.tags)
        assert any(str(posters._names(row)[0]) in item.title.lower() for row in item.rows)
    assert 0.5 < posters.ceiling_by_title("recent") < posters.ceiling_by_title("test") < 1
