"""Plotster in the layout that its public code leaves: table, posters, pickled lists, and the second crawl."""

import pickle
import warnings

import paper_collections as small
import pytest
from paper_collections import film

from mmbench.datasets.notes import DatasetWarning
from mmbench.datasets.plotster import GENRES, SIZES, genres_of
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec, MissingAsset, UnknownName

LISTS = {"train": ["1", "2", "3", "4"], "valid": ["5"], "test": ["6", "7"]}
FILMS = [
    film("1", ("Drama",), title="The First"),
    film("2", ("Action", "Comedy")),
    film("3", ("Western", "Drama", "Action")),
    film("4"),
    film("5"),
    film("6", ("Comedy",), released="2021-01-05"),
    film("7", ("Action",), released="2021-01-06"),
]
RECENT = [film("8", ("Drama",), released="2021-02-03"), film("2", ("Action", "Comedy"), released="2021-05-01")]


def resolved(root, more="", name="films"):
    return resolve(f"plotster:{name}?root={root}&lists=own{more}")


@pytest.fixture
def root(tmp_path):
    return small.plotster(tmp_path, FILMS, LISTS, folders=("posters", "posters_without_text"))


def silent(entry):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return entry.load()


def told_by(entry):
    with pytest.warns(DatasetWarning) as told:
        dataset = entry.load()
    return dataset, {str(each.message) for each in told}


def test_posters_with_several_genres(root):
    entry = resolved(root)
    assert (entry.classes, entry.task, entry.modalities) == (19, "multi", ("image",))
    dataset = silent(entry)
    assert dataset.classes[:3] == ("Action", "Adventure", "Animation")
    assert dataset.classes[18] == "Western"
    train = dataset.split("train")
    assert {split: part.ids for split, part in dataset.splits.items()} == {s: tuple(i) for s, i in LISTS.items()}
    named = [{dataset.classes[place] for place in row.nonzero()[0]} for row in train.labels]
    assert named == [{"Drama"}, {"Action", "Comedy"}, {"Western", "Drama", "Action"}, {"Drama"}]
    assert train.texts is None
    assert train.images.image(0).size == (6, 9)


def test_titles_and_plots_in_small_letters(root):
    titled, plotted = resolved(root, "&text=title"), resolved(root, "&text=plot")
    assert titled.modalities == plotted.modalities == ("image", "text")
    assert silent(titled).split("train").texts[:2] == ("the first", "film 2")
    assert silent(plotted).split("test").texts == ("someone meets someone.",) * 2
    assert silent(resolved(root, "&text=title&lower=0")).split("train").texts[0] == "The First"


def test_all_variants_have_the_same_items(root):
    plain = silent(resolved(root))
    for more in ("&text=title", "&text=plot", "&images=posters_without_text", "&text=plot&images=posters_without_text"):
        other = silent(resolved(root, more))
        assert all(other.split(split).digest() == plain.split(split).digest() for split in plain.splits)
    masked = silent(resolved(root, "&images=posters_without_text")).split("test")
    assert masked.images.digest(0) != plain.split("test").images.digest(0)


def test_train_and_valid_as_one_split(root):
    dataset = silent(resolved(root, "&together=1"))
    assert list(dataset.splits) == ["train", "test"]
    assert dataset.split("train").ids == ("1", "2", "3", "4", "5")
    assert SIZES["train"] + SIZES["valid"] == 189_185  # as the thesis counts


def test_published_lists_are_counted(root):
    with pytest.raises(BadDataset, match=r"list_clear_id_train has 4 ids, expected 187,105; .* Say lists=own if"):
        resolve(f"plotster:films?root={root}").load()
    assert sum(SIZES.values()) == 207_902


def test_lists_of_the_published_sizes_pass(tmp_path):
    """Lists as long as the published ones, of films that were not all collected: those left out are counted."""
    ids = iter(range(1, 10**6))
    lists = {split: [str(next(ids)) for _ in range(size)] for split, size in SIZES.items()}
    rows = [film(items[0]) for items in lists.values()]
    root = small.plotster(tmp_path, rows, lists)
    dataset, told = told_by(resolve(f"plotster:films?root={root}"))
    assert [len(part) for part in dataset.splits.values()] == [1, 1, 1]
    (line,) = told
    assert line.startswith("plotster:films: 207,899 films left out (no row in movie_data): ")


def test_films_that_are_not_complete_are_counted(tmp_path):
    rows = [film("1"), film("2", plot=" "), film("3", title=""), film("4", ()), *FILMS[4:], film("99")]
    lists = LISTS | {"train": [*LISTS["train"], "10", "11"]}
    root = small.plotster(tmp_path, [*rows, film("10")], lists)
    (root / "posters" / "poster_10.jpg").unlink()
    dataset, told = told_by(resolved(root))
    assert dataset.split("train").ids == ("1",)
    assert told == {
        "plotster:films: 1 films left out (no plot): '2'",
        "plotster:films: 1 films left out (no title): '3'",
        "plotster:films: 1 films left out (no genre): '4'",
        "plotster:films: 1 films left out (in no list of ids): '99'",
        "plotster:films: 1 films left out (no row in movie_data): '11'",
        "plotster:films: 1 films left out (no poster): '10'",
    }


def test_a_poster_of_one_colour_is_a_poster(root):
    small.picture(root / "posters" / "poster_1.jpg", shade=255)
    assert silent(resolved(root)).split("train").images.image(0).getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("[{'id': 18", "expected the text of a list of {'id': NUMBER"),
        ("Drama", "expected the text of a list"),
        ("['Drama']", "expected the text of a list"),
        ("[{'name': 'Drama'}]", "expected the text of a list"),
        ("[{'id': '18', 'name': 'Drama'}]", "expected the text of a list"),
        ("[{'id': 10759, 'name': 'Reality'}]", "the genre 10759 is not one of TMDb's 19 genres of films"),
        ("[" * 2_000, "expected the text of a list"),
        ("[" + "{'id': 18}," * 400 + "]", "they have more than 4,096 characters"),
        ("__import__('os').system('touch ran')", "expected the text of a list"),
    ],
)
def test_genres_are_parsed_and_never_run(root, cell, message, monkeypatch):
    monkeypatch.chdir(root)
    small.film_table(root / "posters" / "movie_data", [*FILMS[:6], FILMS[6] | {"genre": cell}])
    with pytest.raises(BadDataset) as caught:
        resolved(root).load()
    assert "movie_data, line 8 has the genres" in str(caught.value)
    assert message in str(caught.value)
    assert not (root / "ran").exists()


def test_the_order_of_genres():
    for place, (number, name) in enumerate(GENRES.items()):
        assert genres_of(str([{"id": number, "name": name}])) == (place,)
    assert genres_of("[]") == ()
    assert len(GENRES) == 19


def test_ids_given_twice_are_refused(root):
    small.film_table(root / "posters" / "movie_data", [*FILMS, FILMS[0]])
    with pytest.raises(BadDataset, match="line 9 has the id '1' a second time; remove one of the rows"):
        resolved(root).load()
    small.plotster(root, FILMS, LISTS | {"valid": ["5", "1"]})
    with pytest.raises(BadDataset, match="list_clear_id_valid has the id '1', which is in the list of train already"):
        resolved(root).load()
    small.plotster(root, FILMS, LISTS | {"train": ["1", "2", "1"]})
    with pytest.raises(BadDataset, match="list_clear_id_train has the id '1', which is in the list of train already"):
        resolved(root).load()


def test_tables_of_another_form_are_refused(root):
    table = root / "posters" / "movie_data"
    small.film_table(table, [{k: v for k, v in row.items() if k != "genre"} for row in FILMS])
    with pytest.raises(BadDataset, match="line 2 has no column 'genre'; it has 'id', 'title', 'Plot'"):
        resolved(root).load()
    small.film_table(table, FILMS)
    table.write_text(table.read_text() + "9,Cut\n")
    with pytest.raises(BadDataset, match="line 9 has fewer cells than the heading has columns; copy the table again"):
        resolved(root).load()
    table.write_bytes("id,title,genre,Plot,release_date\n1,Café,[],x,y\n".encode("latin-1"))
    with pytest.raises(BadDataset, match="movie_data is not UTF-8 text"):
        resolved(root).load()


def test_what_is_not_there(root):
    with pytest.raises(UnknownName, match="no set of Plotster named 'series'"):
        resolved(root, name="series")
    with pytest.raises(BadSpec, match="after is a date such as 2021-01-05, not '2021'"):
        resolved(root, "&after=2021")
    with pytest.raises(MissingAsset, match=r"movie_data_rating_after_CLIP does not exist|poster_after_CLIP/posters"):
        resolved(root, name="recent").load()
    (root / "list_clear_id_valid.txt").write_text("5\n")
    with pytest.raises(BadDataset, match=r"list_clear_id_valid and list_clear_id_valid\.txt are there; keep one"):
        resolved(root).load()
    for file in root.glob("list_clear_id_valid*"):
        file.unlink()
    with pytest.raises(MissingAsset, match=r"list_clear_id_valid does not exist; .* in Plotster's layout"):
        resolved(root).load()


def test_lists_as_text_are_the_same(root):
    before = silent(resolved(root))
    for split, items in LISTS.items():
        (root / f"list_clear_id_{split}").unlink()
        (root / f"list_clear_id_{split}.txt").write_text("\n".join(items))
    assert all(silent(resolved(root)).split(split).digest() == before.split(split).digest() for split in LISTS)


# -- later films ---------------------------------------------------------------------------------------------------


def test_films_released_later_by_their_date(root):
    dataset, told = told_by(resolved(root, "&after=2021-01-05"))
    assert dataset.split("test").ids == ("7",)
    assert dataset.split("train").ids == ("1", "2", "3", "4")
    assert told == {"plotster:films: 1 films left out (released by 2021-01-05): '6'"}
    with pytest.raises(BadDataset, match="has no film left in 'test'; left out were 2 with released by 2022-01-01"):
        resolved(root, "&after=2022-01-01").load()


def test_the_second_crawl_is_tested_on(root):
    small.second_crawl(root, [*RECENT, film("9", released="2020-12-31"), film("10", released="")])
    dataset, told = told_by(resolved(root, name="recent"))
    assert dataset.split("train").ids == ("1", "2", "3", "4")
    assert dataset.split("valid").ids == ("5",)
    assert dataset.split("test").ids == ("8", "2")
    assert told == {
        "plotster:recent: 1 films of the second crawl left out (released by 2021-01-05): '9'",
        "plotster:recent: 1 films of the second crawl left out (no date of release): '10'",
        "plotster:recent: 1 films of the second crawl are in Plotster's lists too: '2'",
    }
    titled, _ = told_by(resolved(root, "&text=title", "recent"))
    assert titled.split("test").texts == ("film 8", "film 2")


def test_the_second_crawl_with_a_list_and_with_a_column_plot(root):
    rows = [{("plot" if key == "Plot" else key): value for key, value in row.items()} for row in RECENT]
    small.second_crawl(root, rows, ids=["8"])
    dataset, told = told_by(resolved(root, name="recent"))
    assert dataset.split("test").ids == ("8",)
    assert told == {"plotster:recent: 1 films of the second crawl left out (in no list of ids): '2'"}


def test_the_identity_follows_files_and_choices(root, own_notes):
    small.second_crawl(root, RECENT)
    variants = [
        resolved(root, more, name)
        for name in ("films", "recent")
        for more in ("", "&text=title", "&together=1", "&after=2020-01-01", "&lower=0")
    ]
    assert len({entry.identity() for entry in variants}) == len(variants)
    before = resolved(root, name="recent").identity()
    (root / "list_clear_id_test_after_CLIP").write_bytes(pickle.dumps(["8"]))
    assert resolved(root, name="recent").identity() != before
    before = resolved(root).identity()
    small.picture(root / "posters" / "poster_1.jpg")
    assert resolved(root).identity() != before
