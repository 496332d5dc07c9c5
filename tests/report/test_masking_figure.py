"""The figure of masked images: the first items by id, as they are, and what an OCR reads, where that was measured."""

import numpy as np
import pytest

from mmbench.datasets import text_left
from mmbench.datasets.entry import DATASETS
from mmbench.datasets.text_left import Left, Measured
from mmbench.datasets.text_removed import MEASURED
from mmbench.errors import MissingExtra
from mmbench.records.schema import Binding, LineupPart
from mmbench.report import masking_figure
from mmbench.report.masking_figure import groups_of, masking_figures, pictures, words
from mmbench.report.pages import write_pages

pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")
pytest.importorskip("matplotlib")


@pytest.fixture
def record(make_record):
    """A record whose lineup has title cards, masked and painted over, with the digests of today."""
    bound = {"book_covers": "title_cards", "book_covers_masked": "title_cards_text_removed"}
    bound["book_covers_painted_over"] = "title_cards_masked"
    parts = [Binding(role=role, spec=name, digest=DATASETS.get(name).identity()) for role, name in bound.items()]
    return make_record(lineup=LineupPart(name="made", datasets=tuple(parts)), cells=(), verdicts=())


def measured_for(group, **changes):
    names = [entry.name for entry in (group.original, group.masked, group.coded, group.control)]
    digests = ["o", group.digest, "c", "k"]
    reads = [0.9, 0.125, 0.25, 0.0]
    parts = zip(names, digests, reads, strict=True)
    versions = [Left(name, digest, read, read / 2, read, 0.3, 7 * (name == names[1])) for name, digest, read in parts]
    return Measured(
        **({"split": "test", "items": 200, "letters": 999, "by_chance": 0.08, "versions": tuple(versions)} | changes)
    )


def test_a_lineup_without_such_a_dataset_has_no_figure(make_record):
    assert masking_figures(make_record()) == ()


def test_the_first_items_by_id_are_shown_as_they_are(record):
    (group,) = groups_of(record)
    assert group.role == "book_covers_masked"
    assert group.same
    ids = DATASETS.get("title_cards").load().split("test").ids
    first = [ids.index(name) for name in sorted(ids)[:3]]
    for row, shown in zip(first, pictures(group, 3), strict=True):
        for name, pixels in zip(("title_cards", "title_cards_text_removed", "title_cards_masked"), shown, strict=True):
            whole = DATASETS.get(name).load().split("test").images.image(row)
            np.testing.assert_array_equal(pixels, np.asarray(whole))


def test_the_figure_has_a_picture_for_each_version_and_item(record):
    (figure,) = masking_figures(record)
    assert figure.svg.count("<image ") == 4 * masking_figure.ITEMS
    for label in ("original", "boxes found", "masked", "known box", "book_covers_masked"):
        assert f">{label}<" in figure.svg or label in figure.svg
    assert masking_figure.OTHERWISE not in figure.svg
    assert figure.svg.count(masking_figure.BOX.lower()) >= 3  # an outline for each box


def test_what_was_made_otherwise_than_for_the_record_is_called_so(record):
    other = record.lineup.datasets[1].model_copy(update={"digest": "another"})
    parts = (record.lineup.datasets[0], other, record.lineup.datasets[2])
    lineup = record.lineup.model_copy(update={"datasets": parts})
    (figure,) = masking_figures(record.model_copy(update={"lineup": lineup}))
    assert "made again by other code or libraries" in figure.svg


def test_the_shares_are_said_where_they_are_of_these_images(record):
    (group,) = groups_of(record)
    assert words(group, measured_for(group)) == (
        "book_covers_masked (title_cards): on 200 items an OCR reads 90.0% [45.0%, 90.0%] of the title's letters "
        "before, 12.5% [6.2%, 12.5%] after, 25.0% [12.5%, 25.0%] without the filter on saturation (reading code), and "
        "0.0% [0.0%, 0.0%] with the known box painted over; 8% by chance. In 7 of them no text was found. Masks "
        "change 30% of the pixels, the known box 30%."
    )
    others = measured_for(group)
    others = measured_for(group, versions=tuple(Left(**(vars(left) | {"identity": "x"})) for left in others.versions))
    for unknown in (None, others):
        assert words(group, unknown) == (
            "book_covers_masked: how much an OCR still reads was not measured on these very images (mmbench masks "
            "measures it)."
        )


def test_the_page_shows_the_figure(record, tmp_path):
    page, html = write_pages(record, tmp_path)
    assert (tmp_path / "figures" / f"{record.stem}-masking.svg").read_text().startswith("<svg")
    assert f"figures/{record.stem}-masking.svg" in page.read_text()
    assert masking_figure.TITLE in html.read_text().replace("&#39;", "'")


def test_without_a_library_there_is_a_line_and_no_figure(record, monkeypatch, capsys):
    def lacking(groups):
        raise MissingExtra("opencv-python-headless", "embedded", "removing text from images")

    monkeypatch.setattr(masking_figure, "_draw", lacking)
    assert masking_figures(record) == ()
    assert (
        "no figure of masked images: removing text from images needs opencv-python-headless" in capsys.readouterr().err
    )


# -- what is shipped -----------------------------------------------------------------------------------------------


def test_what_is_shipped_was_measured_on_these_datasets():
    """With the libraries of then the identities must be those of today: else measure again (mmbench masks --out)."""
    shipped = text_left.shipped()
    kept = [tuple(version.dataset for version in measured.versions) for measured in shipped.values()]
    assert kept == list(MEASURED)
    for measured in shipped.values():
        assert measured.items == text_left.ITEMS
        for version in measured.versions:
            assert 0 <= version.low <= version.read <= version.high <= 1
    if text_left.shipped_conditions() != text_left.conditions():
        pytest.skip("it was measured with other versions of OpenCV or ONNX Runtime, which count in identities")
    for measured in shipped.values():
        assert measured.versions[1].identity == DATASETS.get(measured.versions[1].dataset).identity()


def test_a_few_items_measured_again_agree_with_what_is_shipped():
    names = MEASURED[1]
    original, masked, control = (DATASETS.get(name) for name in (names[0], names[1], names[3]))
    again = text_left.measured(original, [masked, control], items=8)
    shipped = {version.dataset: version.read for version in text_left.shipped()[names[0]].versions}
    for version in again.versions:
        assert abs(version.read - shipped[version.dataset]) < 0.2  # eight of two hundred
