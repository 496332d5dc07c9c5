"""Pages on disk: in their folder, beside the record, and the committed ones are those of their record."""

import re
from pathlib import Path

import pytest

from mmbench.errors import MissingExtra
from mmbench.records.files import read_record
from mmbench.report.pages import write_latex, write_pages, write_pages_of, write_record_of

from ..made_records import EVIL

REPORTS = Path(__file__).parents[2] / "reports"
RUNS = sorted((REPORTS / "runs").rglob("[0-9]*.json"))


def write_run(record, folder):
    return (*write_record_of(record, folder), *write_pages_of(record, folder))


def test_pages_of_an_evil_label_stay_in_their_folder(make_record, tmp_path):
    written = write_run(make_record(label="../../x/.." + EVIL), tmp_path / "out")
    assert all(path.resolve().is_relative_to(tmp_path / "out") for path in written)


def test_pages_and_record_of_a_run(make_record, tmp_path):
    written = write_run(make_record(), tmp_path / ".mmbench")
    assert [path.suffix for path in written] == [".json", ".md", ".html"]
    assert all(path.is_file() for path in written)
    assert (tmp_path / ".mmbench" / ".gitignore").read_text() == "*\n"
    (link,) = re.findall(r"\]\((figures/[^)]+)\)", written[1].read_text())
    assert (written[1].parent / link).is_file()


def without_drawings(page):
    """The page without its SVG figures, which another version of matplotlib draws otherwise."""
    return re.sub(r"<svg (?!class=\"bar).*?</svg>", "<svg/>", page, flags=re.DOTALL)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_the_committed_pages_are_those_of_their_record(path, tmp_path):
    """Rendering the newest committed record of a label again gives the committed pages: they cannot drift."""
    record = read_record(path)
    newest = max((p for p in RUNS if p.stem[5:] == path.stem[5:]), key=lambda p: (read_record(p).started, p.stem))
    if path != newest:
        return  # an older record stays readable, which reading it has just shown
    for page in write_pages(record, tmp_path):
        committed = REPORTS / page.name
        assert without_drawings(page.read_text()) == without_drawings(committed.read_text())


def test_without_a_library_of_the_pages_the_record_is_kept(make_record, tmp_path, monkeypatch, capsys):
    def lacking(record, folder):
        raise MissingExtra("jinja2", "embedded", "a report page")

    monkeypatch.setattr("mmbench.report.pages.write_pages", lacking)
    (saved,) = write_run(make_record(), tmp_path)
    assert read_record(saved).verdicts == make_record().verdicts
    assert "the record is kept, and mmbench report renders it later" in capsys.readouterr().err


def test_the_latex_table_is_a_file_beside_the_pages(make_record, tmp_path):
    assert write_latex(make_record(), tmp_path) == tmp_path / "made.tex"
    assert (tmp_path / "made.tex").read_text().startswith(r"\begin{longtable}")
