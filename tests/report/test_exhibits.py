"""Printed tables beside the cells measured under the same protocol; and what a dataset gives away."""

from mmbench.claims import CLAIMS
from mmbench.records.schema import VerdictPart
from mmbench.report.exhibits import exhibits_of, floors_of
from mmbench.report.render import render_html, render_markdown

from ..made_records import cell, lineup_with, measured, verdict


def printed_claim():
    """A claim with a printed table whose cells a probe makes, that table, and one of its cells."""
    for claim in CLAIMS:
        for table in claim.published:
            for asked in table.cells:
                if not claim.made_up and not asked.protocol.printed_only:
                    return claim, table, asked
    raise AssertionError("no claim has a printed table")


def test_a_measured_cell_stands_beside_the_printed_one(make_record):
    claim, table, asked = printed_claim()
    part = measured().model_copy(
        update={
            "fingerprint": asked.protocol.fingerprint(),
            "models": tuple(asked.models),
            "dataset": asked.dataset,
        }
    )
    parts = (VerdictPart(**verdict(claim.id)),)
    found = exhibits_of(make_record(verdicts=parts, cells=(part,)))
    (exhibit,) = [exhibit for exhibit in found if exhibit.title == f"{table.place.study}, {table.name}"]
    assert exhibit.measured == 1
    found = [entry for _, entries in exhibit.rows for entry in entries if entry[1] is not None]
    assert found == [(table.cells[asked], part)]
    other = part.model_copy(update={"fingerprint": "another"})  # another setting is no measurement of the printed cell
    assert all(e.measured == 0 for e in exhibits_of(make_record(verdicts=parts, cells=(other,))))


def test_tables_of_claims_that_were_not_judged_are_left_out(make_record):
    assert exhibits_of(make_record(verdicts=())) == ()


def test_scores_to_compare_a_dataset_with(make_record):
    code = cell("random", "cub", 99.0).model_copy(update={"reading": "code"})
    (floor,) = floors_of(make_record(cells=(code, *make_record().cells)))
    assert (floor.binding.role, floor.chance, floor.unit, floor.examples) == ("cub", 10.0, "%", 500)
    assert floor.untrained == (("few_shot_5", 20.0),)
    (empty,) = floors_of(make_record(cells=()))
    assert (empty.chance, empty.unit, empty.untrained, empty.examples) == (None, "", (), None)


def test_an_untrained_role_of_the_lineups_own_is_a_floor(make_record):
    record = make_record()
    bound = record.lineup.models[0].model_copy(update={"role": "mine", "kind": "untrained"})
    changed = record.model_copy(
        update={"lineup": lineup_with(record, bound), "cells": (cell("mine", "cub", 5.0), cell("clip", "cub", 60.0))}
    )
    floors = {floor.binding.role: floor for floor in floors_of(changed)}
    assert [mean for _, mean in floors["cub"].untrained] == [5.0]


def test_a_page_says_how_many_items_were_left_out(make_record):
    left_out = "178 of 353 items have a word without a vector"
    parts = [part.model_copy(update={"made_of": {"left_out": left_out}}) for part in make_record().cells]
    record = make_record(cells=tuple(parts))
    assert floors_of(record)[0].left_out == left_out
    assert left_out in render_markdown(record)
    assert left_out in render_html(record)
    assert floors_of(make_record())[0].left_out == ""


def exhibit_of(make_record, name, *cells):
    """The exhibit of a printed table of the thesis, with these cells measured."""
    claims = [c for c in CLAIMS if c.study == "bielawski2022" and any(table.name == name for table in c.published)]
    record = make_record(verdicts=(VerdictPart(**verdict(claims[0].id)),), cells=cells)
    return next(exhibit for exhibit in exhibits_of(record) if exhibit.title == f"bielawski2022, {name}")


def headings(exhibit):
    return [("+".join(h.roles), h.words) for h in exhibit.columns], [
        ("+".join(h.roles), h.words) for h, _ in exhibit.rows
    ]


def test_the_thesis_tables_stand_as_it_prints_them(make_record):
    """Image encoders down, text encoders across: positions and numbers of Tables 5.1 and 5.3."""
    tweets, films = exhibit_of(make_record, "Table 5.1"), exhibit_of(make_record, "Table 5.3")
    texts = [("bert_base", ""), ("bert_large", ""), ("clip_t", "")]
    images = [("rn50", ""), ("bit_m", ""), ("clip", "")]
    assert headings(tweets) == ([("", "no text"), *texts], [("", "no image"), *images])
    value = [[None if p is None else p.value for p, _ in entries] for _, entries in tweets.rows]
    assert value[0] == [None, 63.33, 64.02, 64.6]
    assert value[3] == [63.07, 66.03, 66.03, 65.58]
    across, down = headings(films)
    assert across == [("", "no text"), *((role, kind) for kind in ("title", "plot") for role, _ in texts)]
    assert down == [("", "no image"), *((role, kind) for kind in ("standard", "masked") for role, _ in images)]
    assert films.rows[6][1][3][0].value == 0.564  # masked posters, CLIP with CLIP-T on titles
    kinds = ("plotster", "plotster_title", "plotster_plot")
    assert {*films.datasets} == {name + mask for name in kinds for mask in ("", "_masked")}


def test_every_printed_cell_has_a_place_of_its_own(make_record):
    tables = {(table.place.study, table.name): table for claim in CLAIMS for table in claim.published}
    crossed = [table for table in tables.values() if table.places]
    assert len(crossed) == 3
    for table in crossed:
        assert set(table.places) == set(table.cells)
        assert len(set(table.places.values())) == len(table.cells)


def test_pages_name_the_stand_ins_of_crossed_tables(make_record):
    claim = CLAIMS.get("bielawski2022-mvsa-vision-clip-best")
    record = make_record(verdicts=(VerdictPart(**verdict(claim.id)),))
    bound = record.lineup.models[0].model_copy(update={"role": "bit_m", "spec": "zoo:x", "stand_in_for": "BiT-M"})
    record = record.model_copy(update={"lineup": lineup_with(record, bound)})
    assert "| bit_m (played by: zoo:x) " in render_markdown(record).replace("\\_", "_")
    assert "bit_m (played by: zoo:x)" in render_html(record)
