"""WordNet, a corpus, questions and pairs of words in the formats in which they are published, a few entries each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

# Each noun with its first hypernym; the names are the first five classes of ImageNet and what is above them.
NOUNS = {
    "fish": "",
    "tench": "fish",
    "goldfish": "fish",
    "shark": "fish",
    "great_white_shark": "shark",
    "mackerel_shark": "shark",
    "tiger_shark": "mackerel_shark",
    "hammerhead": "shark",
    "red_fox": "",
}
LEXNAMES = ("adj.all", "adj.pert", "adv.all", "noun.Tops", "noun.act", "noun.animal")
COMMON = ("the", "a", "boy", "girl", "man", "woman", "go", "going", "run", "running", "see", "seeing", "blue", "green")
PAIRS = (("shark", "fish", 9.0), ("tench", "goldfish", 8.0), ("boy", "girl", 7.5), ("man", "woman", 8.3))
MORE_PAIRS = (("go", "run", 6.0), ("blue", "green", 5.5), ("man", "green", 0.5), ("boy", "run", 1.0))


def write(folder: Path) -> None:
    """Everything that the paper lineup takes for word vectors, below ``folder``."""
    wordnet(folder / "wordnet")
    corpus(folder / "wikipedia")
    (folder / "questions.txt").write_text(questions())
    (folder / "pairs.tsv").write_text(pairs())


def wordnet(folder: Path, nouns: Mapping[str, str] = NOUNS) -> Path:
    """A folder of WordNet's files, in its format (wndb(5WN), senseidx): one sense a noun, and no other words."""
    folder.mkdir(parents=True, exist_ok=True)
    lines, places = _data(nouns, {})
    lines, places = _data(nouns, places)  # places are known after the first pass, and have one width
    (folder / "data.noun").write_text("".join(lines))
    index = []
    for name in sorted(nouns):
        pointers = "1 @" if nouns[name] else "0"
        index.append(f"{name} n 1 {pointers} 1 0 {places[name]:08d}  \n")
    (folder / "index.noun").write_text("".join(index))
    for part in ("adj", "adv", "verb"):
        (folder / f"data.{part}").write_text("")
        (folder / f"index.{part}").write_text("")
    for part in ("adj", "adv", "verb", "noun"):
        (folder / f"{part}.exc").write_text("")
    (folder / "cntlist.rev").write_text("")
    (folder / "lexnames").write_text("".join(f"{n:02d}\t{name}\t3\n" for n, name in enumerate(LEXNAMES)))
    return folder


def _data(nouns: Mapping[str, str], places: Mapping[str, int]) -> tuple[list[str], dict[str, int]]:
    lines, found, at = [], {}, 0
    for name, above in nouns.items():
        pointer = f"001 @ {places.get(above, 0):08d} n 0000 " if above else "000 "
        line = f"{at:08d} 05 n 01 {name} 0 {pointer}| a thing  \n"
        found[name] = at
        lines.append(line)
        at += len(line)
    return lines, found


def corpus(folder: Path, documents: int = 60) -> Path:
    """One document a line, and a vocabulary of which the most frequent words come first."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(13)
    words = [*COMMON, *(name for name in NOUNS if "_" not in name)]
    lines = [" ".join(rng.choice(words, 30)) for _ in range(documents)]
    (folder / "articles.txt").write_text("\n".join(lines) + "\n")
    (folder / "vocab.txt").write_text("\n".join([*COMMON, "fish", "shark"]) + "\n")
    return folder


def questions() -> str:
    """Questions as Mikolov et al. write them, some with a word that has no vector."""
    family = (("boy", "girl"), ("man", "woman"), ("shark", "fish"), ("king", "queen"))
    grammar = (("go", "going"), ("run", "running"), ("see", "seeing"))
    lines = []
    for section, known in (("family", family), ("gram5-present-participle", grammar)):
        lines.append(f": {section}")
        lines += [" ".join((*one, *other)) for one in known for other in known if one != other]
    return "\n".join(lines) + "\n"


def pairs() -> str:
    """Pairs of words with ratings as WordSim-353 is written."""
    rows = [*PAIRS, *MORE_PAIRS, ("king", "cabbage", 0.2)]
    return "# Word 1\tWord 2\tHuman (mean)\n" + "".join(f"{a}\t{b}\t{rating}\n" for a, b, rating in rows)
