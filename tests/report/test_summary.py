"""The terminal's summary of a record."""

import re
from pathlib import Path

import pytest

from mmbench.records.files import read_record
from mmbench.records.schema import Binding, CostPart, LineupPart, VerdictPart
from mmbench.records.verdicts import adjusted
from mmbench.report.summary import MOST_REFUTED, WIDTH, summary_lines, verdict_line

from ..made_records import cell, verdict


def said(record, **options):
    return "\n".join(line for line, _ in summary_lines(record, **options))


def test_summary_counts_and_names_the_refuted(make_record):
    parts = [verdict("a-1"), verdict("a-2", "refuted", standing="as recorded"), verdict("a-3", standing="changed")]
    record = make_record(verdicts=tuple(VerdictPart(**part) for part in parts))
    text = "\n".join(line for line, _ in summary_lines(record))
    assert re.search(r"measured, lineup made +2 +1 +0 +0 +0", text)
    assert "refuted (1 of 1 as recorded" in text
    assert "changed verdicts, to be looked at:\n  supported    measured  a-3" in text
    assert "2 roles of this lineup are played by stand-ins, which say nothing about a paper" in text


@pytest.mark.parametrize(
    ("encoded", "twice", "said", "markup"),
    [
        (76, 0, ", 76 items encoded, none of them twice, ", ()),
        (76, 3, ", 76 items encoded, 3 of them twice, ", ("red", "bold")),
        (76, None, ", 76 items encoded, 12", ()),  # a record of before
        (0, 0, ", 0 items encoded, 12", ()),
    ],
)
def test_summary_says_what_was_encoded_twice(make_record, encoded, twice, said, markup):
    lines = summary_lines(make_record(encoded=encoded, encoded_twice=twice))
    ((text, found),) = [line for line in lines if "items encoded" in line[0]]
    assert said in text
    assert found == markup


def test_summary_says_once_what_to_fetch(make_record, tmp_path, monkeypatch):
    """Files of roles that are here, and of runs without unmeasured claims, are not asked for."""
    monkeypatch.setenv("MMBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.delenv("MMBENCH_DATA", raising=False)
    (tmp_path / "here.pth").write_bytes(b"weights")
    models = {"clip": "timm:resnet18@here.pth", "bit_m": "timm:resnet18@gone.pth", "rn50": "timm:resnet18@gone.pth"}
    posters = {f"plotster{end}": "table:$MMBENCH_DATA/posters.csv?text=title&label=genre" for end in ("", "_a", "_b")}
    lineup = LineupPart(
        name="made",
        models=tuple(Binding(role=role, spec=spec) for role, spec in models.items()),
        datasets=tuple(Binding(role=role, spec=spec) for role, spec in posters.items()),
    )
    parts = [VerdictPart(**verdict(f"a-{number}", "unmeasured")) for number in range(3)]
    lines = [line for line, _ in summary_lines(make_record(lineup=lineup, verdicts=tuple(parts)))]
    start = lines.index("not on this machine, so that claims stay unmeasured (3 in all):")
    assert "from -> to" in lines[start + 1]
    assert re.fullmatch(rf"  model +unknown  bit_m, rn50 +timm resnet18 -> {tmp_path}/gone\.pth", lines[start + 2])
    assert re.fullmatch(
        r"  dataset +unknown  plotster and 2 more +your own .* -> \$MMBENCH_DATA/posters\.csv", lines[start + 3]
    )
    assert lines[start + 4] == "  MMBENCH_DATA is not set; mmbench lineup made says more about each"
    assert not any("clip" in line for line in lines)
    measured = make_record(lineup=lineup, verdicts=(VerdictPart(**verdict()),))
    assert not any("not on this machine" in line for line, _ in summary_lines(measured))


def test_many_refuted_claims_are_counted(make_record):
    parts = [VerdictPart(**verdict(f"a-{n}", "refuted")) for n in range(MOST_REFUTED + 3)]
    text = said(make_record(verdicts=tuple(parts)))
    assert "  and 3 more" in text
    assert "a-14" not in text
    assert "a-14" in said(make_record(verdicts=tuple(parts)), verbose=True)


def test_readings_are_counted_by_state_and_the_opposite_ones_named(make_record):
    differs = {"difference": -3.0, "low": -5.0, "high": -1.0, "p": 0.004}
    parts = [
        VerdictPart(**verdict("a-1", other_reading={"outcome": "refuted"}, readings=differs)),
        VerdictPart(**verdict("a-2", other_reading={"outcome": "supported"})),
        VerdictPart(**verdict("a-3", other_reading={"outcome": "unmeasured"})),
        VerdictPart(**verdict("a-4", other_reading={"outcome": "inconclusive"}, readings=differs | {"p": 0.4})),
        VerdictPart(**verdict("a-5", "inconclusive", other_reading={"outcome": "inconclusive"}, readings=differs)),
    ]
    lines = said(make_record(verdicts=tuple(parts))).splitlines()
    start = lines.index("paper's and code's reading: 1 same, 2 open, 1 opposite, 1 not comparable")
    assert lines[start + 1] == "  a-1: paper supported, code refuted; differs: -3 [-5, -1], p 0.004"
    assert lines[start + 2] == "  a-5: paper inconclusive, code inconclusive; differs: -3 [-5, -1], p 0.004"
    assert not any(line.startswith(("  a-3", "  a-4")) for line in lines)
    assert "reading: " not in said(make_record())


def test_points_have_a_column_and_are_not_among_the_tested(make_record):
    """Signs that pass as tests: 2 supported and 1 refuted by sign beside 1 and 1 that are tested."""
    sign = {"evidence": "published", "point": True, "p_support": None, "p_refute": None, "low": None, "high": None}
    parts = [verdict("a-1", **sign), verdict("a-2", **sign), verdict("a-3", "refuted", **sign)]
    parts += [verdict("a-4", evidence="published"), verdict("a-5", "refuted", evidence="published")]
    text = said(make_record(verdicts=tuple(VerdictPart(**part) for part in parts)))
    assert re.search(
        r"claims judged on +supported +refuted +point +inconclusive +unmeasured\npublished tables +1 +1 +3 +0 +0\n",
        text,
    )
    assert (
        "3 verdicts are points: the sign of printed numbers without spread, which is no test (2 for the claim, "
        "1 against)" in text
    )
    assert "refuted (0 of 1 as recorded, with a reason in the report):\n  refuted      published a-5" in text
    assert (
        "against the claim by sign only (0 of 1 as recorded, with a reason in the report):\n"
        "  refuted      published a-3" in text
    )
    assert "a-3  +4 (sign only, no test)" in text


def test_what_many_verdicts_mean_together_is_said(make_record):
    parts = [verdict(f"a-{n}", p_support=0.03) for n in range(3)] + [verdict("a-3", p_support=0.001)]
    parts[0] |= {"uninformative": "neither side is better than chance", "at_chance": 1}
    text = said(make_record(verdicts=tuple(VerdictPart(**part) for part in adjusted(parts))), verbose=True)
    assert (
        "4 verdicts are tests, at 5 % a side without adjustment: 4 decided, of which at most 0.2 are expected to be "
        "false; 1 still decided after Holm's adjustment by study"
    ) in text
    assert "1 verdict is uninformative (1 decided): neither side" in text
    assert "a-0  +4 [+1, +7] (UNINFORMATIVE, not after Holm)" in text
    assert "a-1  +4 [+1, +7] (not after Holm)" in text
    assert "a-3  +4 [+1, +7]\n" in text


def test_the_interval_says_what_it_is_about():
    about = {"networks": "these networks", "examples": "219 drawings", "training": "this training pool"}
    line = verdict_line(VerdictPart(**verdict("a-1", about=about)))
    assert line.endswith("a-1  +4 [+1, +7] about these networks, 219 drawings, this pool")


def test_a_line_of_a_verdict_fits_and_keeps_what_decides():
    """The longest of a real run had 261 columns."""
    about = {
        "networks": "the training recipes (seeds of 9 networks), these networks and published checkpoints",
        "examples": "135 to 138 concepts of each of 2 datasets",
        "training": "this training pool",
    }
    name = "bielawski2022-swap-to-clip-vision-without-bert-large"
    numbers = {"estimate": -0.0669, "low": -0.0986, "high": -0.00226, "unit": "points"}
    whole = VerdictPart(**verdict(name, "refuted", about=about, uninformative="neither", **numbers))
    start = f"refuted      measured  {name}  -0.0669 points [-0.0986, -0.00226]"
    assert verdict_line(whole, 1000) == (
        f"{start} about recipes, these networks, 135 to 138 concepts of each of 2 datasets, this pool (UNINFORMATIVE)"
    )
    for cut, width in (("about recipes, … ", 33), ("about recipes, these networks, … ", 60)):
        assert verdict_line(whole, len(start) + width) == f"{start} {cut}(UNINFORMATIVE)"
    assert verdict_line(whole) == f"{start} (UNINFORMATIVE)"
    assert all(len(verdict_line(whole, width)) <= width for width in range(len(start) + 16, 250))


def test_a_margin_has_its_unit_and_one_of_an_older_record_none():
    assert " -2 r [+1, +7]" in verdict_line(VerdictPart(**verdict(estimate=-2.0, unit="r")))
    assert " -2 [+1, +7]" in verdict_line(VerdictPart(**verdict(estimate=-2.0)))


def test_every_line_of_a_verdict_of_the_newest_committed_run_fits():
    root = Path(__file__).parents[2] / "reports" / "runs"
    record = read_record(max(root.glob("*/*.json"), key=lambda path: path.stem))
    lines = [verdict_line(each) for each in record.verdicts]
    assert len(lines) > 100
    assert all(len(line) <= WIDTH for line in lines if " about " in line)
    assert sum(len(line) > WIDTH for line in lines) < len(lines) / 10  # two long marks behind a long id
    assert max(map(len, lines)) < WIDTH + 30


def test_the_longest_work_is_listed_cells_and_features_together(make_record):
    cells = (
        cell("clip", "cub", 60.0).model_copy(update={"seconds": 3.0, "fresh": True}),
        cell("clip", "mnist", 60.0).model_copy(update={"seconds": 9.0, "fresh": False}),
    )
    costs = (CostPart(kind="features", name="zoo:clip on cub/test", seconds=5.0, fresh=True, items=9),)
    *_, counted, first, second = said(make_record(cells=cells, costs=costs)).splitlines()
    assert counted.startswith("1 cells measured, 1 reused")
    assert first.split() == "5.00 s features zoo:clip on cub/test".split()
    assert second.split() == "3.00 s cell few_shot_5[clip, cub]".split()


def test_a_verdict_in_one_line():
    line = verdict_line(VerdictPart(**verdict("a-1", "refuted", estimate=-1.23456)))
    assert line == "refuted      measured  a-1  -1.23 [+1, +7]"


def test_nothing_is_said_without_a_record():
    assert summary_lines(None) == []
