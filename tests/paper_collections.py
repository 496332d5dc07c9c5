"""MVSA, Book Covers and Plotster in their published layouts, a few items each."""

import csv
import pickle

import numpy as np
from PIL import Image

GENRE_IDS = {"Action": 28, "Drama": 18, "Western": 37, "Comedy": 35}
RNG = np.random.default_rng(0)


def picture(path, shade=None, *, of=None):
    """A picture of noise, drawn anew, or always the same one ``of`` a number; or of one shade of grey."""
    rng = RNG if of is None else np.random.default_rng([of, 0])
    pixels = rng.integers(0, 256, (9, 6, 3), dtype=np.uint8) if shade is None else np.full((9, 6, 3), shade, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def mvsa(root, rows, tweets=None):
    """``rows`` are lines of labels by id: a cell an annotator. ``tweets`` are bytes by id, of all ids unless given."""
    (root / "data").mkdir(parents=True, exist_ok=True)
    annotators = max(len(cells) for cells in rows.values())
    lines = ["\t".join(["ID", *["text,image"] * annotators])]
    lines += ["\t".join([item, *cells]) for item, cells in rows.items()]
    (root / "labelResultAll.txt").write_text("\n".join(lines) + "\n")
    for item in rows:
        picture(root / "data" / f"{item}.jpg")
        (root / "data" / f"{item}.txt").write_bytes((tweets or {}).get(item, f"tweet {item} \r\n".encode()))
    return root


def book_covers(root, books, *, listing=True, labels=True, folders=("covers",)):
    """``books`` by split: (file, title as bytes, class number)."""
    from mmbench.datasets.book_covers import CLASSES

    root.mkdir(parents=True, exist_ok=True)
    for split, rows in books.items():
        lines = [
            b'"%s","%s","http://images/%s","%s","An Author","%d","%s"'
            % (file[:-4].encode(), file.encode(), file.encode(), title, label, CLASSES[label].encode())
            for file, title, label in rows
        ]
        if listing:
            (root / f"book30-listing-{split}.csv").write_bytes(b"\n".join(lines) + b"\n")
        if labels:
            text = "".join(f"{file} {label}\n" for file, _, label in rows)
            (root / f"bookcover30-labels-{split}.txt").write_text(text)
        for file, _, _ in rows:
            for folder in folders:
                picture(root / folder / file)
    return root


def film(item, genres=("Drama",), *, title=None, plot="Someone meets Someone.", released="2001-02-03"):
    """A row of the table; genres as pandas writes a list of dictionaries."""
    told = str([{"id": GENRE_IDS[name], "name": name} for name in genres])
    title = f"Film {item}" if title is None else title
    row = {"id": item, "title": title, "genre": told, "Plot": plot, "rating": "6.1", "vote_count": "12"}
    return row | {"release_date": released}


def film_table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def plotster(root, rows, lists, *, folders=("posters",), protocol=3):
    """The table, a poster for each row, and the lists as pickles, as they were published."""
    film_table(root / "posters" / "movie_data", rows)
    for folder in folders:
        for row in rows:
            picture(root / folder / f"poster_{row['id']}.jpg")
    for split, items in lists.items():
        (root / f"list_clear_id_{split}").write_bytes(pickle.dumps(list(items), protocol=protocol))
    return root


def second_crawl(root, rows, ids=None):
    home = root / "poster_after_CLIP" / "posters"
    film_table(home / "movie_data_rating_after_CLIP", rows)
    for row in rows:
        picture(home / f"poster_AC_{row['id']}.jpg")
    if ids is not None:
        (root / "list_clear_id_test_after_CLIP.txt").write_bytes(pickle.dumps(list(ids), protocol=3))


# -- for the whole lineup: few pictures and texts, many items ------------------------------------------------------


def mvsa_in_small(root, count):
    """Tweets of three sentiments by turns."""
    words = ("negative", "neutral", "positive")
    (root / "data").mkdir(parents=True)
    lines = ["\t".join(["ID", *["text,image"] * 3])]
    for number in range(count):
        lines.append("\t".join([str(number), *[f"{words[number % 3]},{words[number % 3]}"] * 3]))
        picture(root / "data" / f"{number}.jpg", of=number // 3 % 3)
        (root / "data" / f"{number}.txt").write_text(f"tweet {number // 3 % 5}")
    (root / "labelResultAll.txt").write_text("\n".join(lines))


def books_in_small(root, shots, tests):
    """Books of all thirty classes: ``shots`` of each in train and ``tests`` in test."""
    books = {
        split: [(f"{split}{number}.jpg", b"A Book of %d" % (number % 5), number % 30) for number in range(30 * each)]
        for split, each in (("train", shots), ("test", tests))
    }
    book_covers(root, books, folders=())
    for shade, folder in enumerate(("covers", "covers_without_text")):
        for rows in books.values():
            for row, (file, _, _) in enumerate(rows):
                picture(root / folder / file, of=10 + 3 * shade + row % 3)


def films_in_small(root, counts):
    """Films of four genres each, the lists of their ids, a second crawl, and a list of all ids as that of others."""
    from mmbench.datasets.plotster import GENRES

    GENRE_IDS.update({name: number for number, name in GENRES.items()})
    names, ids = list(GENRES.values()), iter(range(1, 10**6))
    lists = {split: [str(next(ids)) for _ in range(count)] for split, count in counts.items()}
    later = [str(next(ids)) for _ in range(counts["test"])]

    def row(item):
        number = int(item)
        genres = [names[(number + step) % 19] for step in range(4)]
        text = {"title": f"The Film {number % 5}", "plot": f"In {number % 5}, someone meets someone."}
        return film(item, genres, **text, released="2021-06-07")

    everything = [item for items in lists.values() for item in items]
    plotster(root, [row(item) for item in everything], lists, folders=())
    second_crawl(root, [row(item) for item in later])
    for shade, folder in enumerate(("posters", "posters_without_text")):
        for item in everything:
            picture(root / folder / f"poster_{item}.jpg", of=20 + 3 * shade + int(item) % 3)
    for item in later:
        picture(root / "poster_after_CLIP" / "posters" / f"poster_AC_{item}.jpg", of=20 + int(item) % 3)
    (root / "mangolin_ids.txt").write_text("\n".join(everything))
