"""Two readings, one table: what becomes of each conclusion, for any study."""

from mmbench.records.schema import VerdictPart
from mmbench.report.both_readings import both_readings
from mmbench.report.render import render_html, render_markdown

from ..made_records import verdict


def both(claim, paper, code, **readings):
    other = {"reading": "code", "outcome": code}
    if code != "unmeasured":
        other |= {"estimate": 2.0, "low": 0.5, "high": 3.0, "unit": "points"}
    return VerdictPart(**verdict(claim, paper, other_reading=other, readings=readings or None))


def test_each_study_has_its_table_and_decided_conclusions_come_first(make_record):
    parts = (
        both("devillers2021-a", "inconclusive", "supported", untested="a cell has no spread"),
        both("devillers2021-b", "supported", "refuted", difference=-2.0, low=-3.0, high=-1.0, p=0.0004),
        both("devillers2021-c", "refuted", "refuted", difference=0.1, low=-0.2, high=0.4, p=0.5),
        both("devillers2021-d", "supported", "unmeasured"),
        both("bielawski2022-a", "supported", "supported", difference=0.0, low=-0.2, high=0.2, p=1.0),
        VerdictPart(**verdict("hu2022-no-second-reading")),
    )
    first, second = both_readings(make_record(verdicts=parts))
    assert (first.study, second.study) == ("bielawski2022", "devillers2021")
    assert [row.claim[-1] for row in second.rows] == ["c", "b", "a", "d"]
    assert [row.fate.partition(":")[0] for row in second.rows] == ["the same", "the opposite", "open", "not comparable"]
    assert second.sums == (
        "4 conclusions are judged under both readings: 1 are decided the same way by both, 1 the opposite way, "
        "1 stay open, 1 cannot be compared"
    )
    assert second.rows[1].difference == "-2 [-3, -1], p < 0.001"
    assert second.rows[1].paper == "supported, margin +4 [+1, +7]"
    assert second.rows[1].code == "refuted, margin +2 points [+0.5, +3]"
    assert second.rows[2].difference == "not tested: a cell has no spread"
    assert second.entries == ()


def test_the_ledger_is_named_where_the_probes_of_the_claims_differ(make_record):
    """Also of another study, whose protocols are asked for."""
    ids = ("devillers2021-rsa-distance-order", "bielawski2022-mvsa-vision-clip-best", "matched2026-a-made-up-claim")
    record = make_record(verdicts=tuple(both(claim, "supported", "refuted") for claim in ids))
    mvsa, rsa, none = both_readings(record)
    assert {entry.code for entry in mvsa.entries} == {"D-10", "D-11"}
    assert {entry.code for entry in rsa.entries} == {"D-07a", "D-07b", "D-07c", "D-08b"}
    assert none.entries == ()
    for page in (render_markdown(record), render_html(record)):
        assert page.count("The readings differ in D-") == 2
        assert "differ in ;" not in page


def test_pages_show_it_and_a_record_of_one_reading_has_none(make_record):
    record = make_record(verdicts=(both("devillers2021-b", "supported", "refuted", difference=-2.0, p=0.01),))
    for page in (render_markdown(record), render_html(record)):
        assert "Two readings, one table" in page
        assert "the opposite" in page
    bare = make_record(verdicts=(VerdictPart(**verdict()),))
    assert both_readings(bare) == ()
    assert "Two readings" not in render_markdown(bare)
