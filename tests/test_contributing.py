"""CONTRIBUTING.md names every room of the house, and nothing that is not there."""

import re
from pathlib import Path

import mmbench

PACKAGE = Path(mmbench.__file__).parent
TEXT = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
MARK = "<!-- check -->"  # on a row whose folder or call is not there yet
ROWS = re.findall(r"^\| `([\w./]+)` \| (.+) \|$", TEXT.split("## What happens")[0], flags=re.MULTILINE)


def is_there(place):
    return any((PACKAGE / name).exists() for name in (place, f"{place}.py"))


def test_every_folder_is_on_the_map():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert len(folders) > 10
    assert folders <= {place.rstrip("/") for place, _ in ROWS}


def test_the_map_has_no_place_that_does_not_exist():
    assert len(ROWS) > 20
    assert [place for place, row in ROWS if MARK not in row and not is_there(place)] == []


def test_files_that_the_page_names_exist():
    """Paths without a placeholder in capitals, from the repository's root or from mmbench/."""
    named = set(re.findall(r"`((?:mmbench|tests|benchmarks|claims)/[\w./]+)`", TEXT))
    rows = [line for line in TEXT.splitlines() if MARK in line]
    marked = {path for line in rows for path in re.findall(r"`([\w./]+)`", line)}
    sure = {path for path in named - marked if not re.search(r"[A-Z]{3}", path)}
    assert sure
    assert [path for path in sure if not ((PACKAGE.parent / path).exists() or (PACKAGE / path).exists())] == []


def test_the_page_is_short():
    assert len(TEXT.splitlines()) < 150
