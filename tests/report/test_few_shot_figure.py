"""Figure 5.3: lines over the numbers of samples that were measured, both metrics, and none without them."""

import pytest

from mmbench.claims._common import STANDARD6
from mmbench.probes.neighbours import NEIGHBOURS
from mmbench.records.schema import VerdictPart
from mmbench.report.few_shot_figure import few_shot_figures, panels_of
from mmbench.report.render import render_markdown

from ..made_records import cell, verdict


def measured(role, dataset, mean, shots, reading="paper"):
    protocol = NEIGHBOURS.at(shots=shots)
    protocol = protocol if reading == "paper" else protocol.code
    made = cell(role, dataset, mean, protocol=protocol.name, probe="neighbours")
    return made.model_copy(update={"fingerprint": protocol.fingerprint(), "reading": reading})


@pytest.fixture
def record(make_record):
    cells = [
        measured(role, "mvsa", mean + shots, shots)
        for role, mean in (("clip", 40.0), ("rn50", 30.0))
        for shots in (20, 100)
    ]
    cells += [measured("clip", "mvsa", 35.0 + shots, shots, "code") for shots in (20, 100)]
    cells += [measured("clip", dataset, 10.0 * n, shots) for n, dataset in enumerate(STANDARD6) for shots in (1, 5)]
    cells += [measured("clip", "mnist", 50.0, 10)]  # not on the other five
    cells += [measured("clip", "plotster", 50.0, 1)]  # one number of samples is no line
    return make_record(cells=tuple(cells))


def test_points_are_means_at_the_numbers_that_every_set_has(record):
    standard, tweets = panels_of(record)
    assert standard.title == "mean of 6 standard sets"
    (line,) = standard.lines
    assert [(shots, mean) for shots, mean, _, _ in line.points] == [(1, 25.0), (5, 25.0)]
    low, high = line.points[0][2:]
    assert high - low == pytest.approx(4 / 6**0.5)  # each set's interval is 4 wide; they are independent
    assert [(line.role, line.reading) for line in tweets.lines] == [
        ("rn50", "paper"),
        ("clip", "paper"),
        ("clip", "code"),
    ]
    assert tweets.lines[1].points == ((20, 60.0, 58.0, 62.0), (100, 140.0, 138.0, 142.0))
    assert tweets.chance == 10.0
    assert standard.chance is None


def test_the_figure_says_who_is_highest_and_who_stands_in(record):
    (figure,) = few_shot_figures(record)
    assert "mvsa: clip*" in figure.alt
    assert "* played by a stand-in" in figure.alt
    assert figure.svg.count("Euclidean distance") == 1
    assert "few_shot_neighbours" in render_markdown(record, (figure,))
    assert figure.claims == ()


def test_claims_on_nearest_neighbours_alone_stand_beside_it(record):
    few = "bielawski2022-fewshot-clip-best-human-centric"
    names = (few, "bielawski2022-domain-interaction", "bielawski2022-domain-interaction-few-shot")
    verdicts = tuple(VerdictPart(**verdict(name)) for name in names)
    (figure,) = few_shot_figures(record.model_copy(update={"verdicts": verdicts}))
    assert figure.claims == (few, "bielawski2022-domain-interaction-few-shot")  # the other has a linear probe too


def test_a_record_without_these_cells_has_no_figure(make_record):
    assert few_shot_figures(make_record()) == ()
