"""What the gate prints and writes: the decision in every form, worst first, nothing of a record's text obeyed."""

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.gate.comparison import Gated
from mmbench.gate.decision import Compared, Decision, Margins
from mmbench.gate.pages import (
    FORMS,
    MOST_ROWS,
    Refused,
    decided_of,
    exit_code,
    gate_json,
    gate_junit,
    gate_lines,
    gate_markdown,
    needed,
    worst_first,
    write_gate,
)
from mmbench.records.comparing import Change
from mmbench.records.schema import LineupPart, Machine, Record, VerdictPart

from ..made_records import EVIL, verdict

MARGINS = Margins({"accuracy": 5.0, "f1_samples": 0.05})


def compared(cell="few_shot_5[clip, cub]", decided="pass", difference=-1.0, metric="accuracy", **changes):
    unit, scale = ("%", 1.0) if metric == "accuracy" else ("", 0.01)
    fields = {
        "cell": cell, "metric": metric, "unit": unit, "base": 70 * scale, "candidate": (70 + difference) * scale,
        "difference": difference * scale, "low": (difference - 2) * scale, "high": (difference + 2) * scale,
        "margin": 5 * scale, "trials": 10, "examples": 400, "p_worse": 0.5, "p_not_worse": 0.5, "holm_worse": 0.5,
        "holm_not_worse": 0.5, "decided": decided,
    }  # fmt: skip
    return Compared(**fields | changes)


CELLS = (
    compared("a[x, y]"),
    compared("b[x, y]", "fail", -20.0),
    compared("c[x, y]", "inconclusive", -5.0, needed_examples=12_345, needed_trials=40),
    compared("d[x, y]", "fail", -30.0, "f1_samples"),
)


def change(claim="a-claim", before="supported", after="refuted"):
    return Change(claim, "measured", VerdictPart(**verdict(claim, before)), VerdictPart(**verdict(claim, after)))


@pytest.fixture
def gated(make_record):
    def make(outcome="fail", cells=CELLS, missing=(), **rest):
        return Gated(make_record(), make_record(), Decision(outcome, cells, MARGINS, 0.95, missing), **rest)

    return make


@pytest.mark.parametrize(("outcome", "code"), [("pass", 0), ("fail", 1), ("inconclusive", 2)])
def test_exit_codes(gated, outcome, code):
    assert exit_code(gated(outcome)) == code
    assert json.loads(gate_json(gated(outcome)))["exit_code"] == code


def test_what_could_not_be_compared_is_3_in_every_form():
    refused = Refused("preprocessing differs")
    assert (decided_of(refused), exit_code(refused)) == ("not comparable", 3)
    assert gate_lines(refused)[0][0] == "gate: not comparable: preprocessing differs"
    assert json.loads(gate_json(refused)) == {
        "schema": 2,
        "decided": "not comparable",
        "exit_code": 3,
        "reason": "preprocessing differs",
    }
    assert "preprocessing differs" in gate_markdown(refused)
    suite = ElementTree.fromstring(gate_junit(refused)).find("testsuite")
    assert (suite.get("errors"), suite.get("tests")) == ("1", "1")


def test_worst_first_across_metrics(gated):
    assert [cell.cell[0] for cell in worst_first(gated())] == ["d", "b", "c", "a"]


def test_the_terminal_lists_every_cell_when_verbose_and_else_what_is_not_well(gated):
    brief = [text for text, _ in gate_lines(gated())]
    assert brief[:2] == ["gate: fail", "cells: 2 worse by more than the margin, 1 undecided, 1 not worse"]
    assert "  inconclusive  c[x, y]  70.0 -> 65.0 %  -5.00 [-7.00, -3.00], margin 5; " in "\n".join(brief)
    assert "would be decided by 12,345 examples or 40 trials" in "\n".join(brief)
    assert "  and 1 more cells" in brief
    verbose = [text for text, _ in gate_lines(gated(), verbose=True)]
    assert [line.split()[1][0] for line in verbose[3:7]] == ["d", "b", "c", "a"]


def test_a_brief_listing_is_cut_and_says_so(gated):
    cells = tuple(compared(f"n{i}[x, y]", "fail", -20.0 - i) for i in range(MOST_ROWS + 7))
    lines = [text for text, _ in gate_lines(gated(cells=cells))]
    assert sum(line.startswith("  fail") for line in lines) == MOST_ROWS
    assert "  and 7 more cells" in lines
    page = gate_markdown(gated(cells=cells))
    head, _, folded = page.partition("<details>")
    assert head.count("**fail** |") == MOST_ROWS
    assert "and 7 more, in the list of all cells below" in head
    assert folded.count("**fail** |") == MOST_ROWS + 7


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"needed_examples": 1200}, "1,200 examples"),
        ({"needed_trials": 30}, "30 trials"),
        ({}, "no number of examples: the difference lies at the margin"),
    ],
)
def test_what_would_decide(changes, said):
    assert needed(compared(decided="inconclusive", **changes)) == said
    assert needed(compared(decided="pass", **changes)) == ""


def test_markdown_is_short_with_the_rest_folded(gated):
    page = gate_markdown(gated(flips=(change(),), notes=("versions differ",), same=("s[x, y]",), added=("n[x, y]",)))
    head, _, folded = page.partition("<details>")
    assert head.startswith("## Gate: fail\n\n**fail**; cells: 2 worse by more than the margin")
    assert "Margins: accuracy 5 %, f1_samples 0.05." in head
    assert "| d\\[x, y\\] | 0.700 | 0.400 | -0.300 [-0.320, -0.280] | 0.05 | **fail** |  |" in head
    assert "12,345 examples or 40 trials" in head
    assert "a\\[x, y\\]" not in head
    assert "| a-claim | supported (+4) | refuted (+4) |" in head
    assert "- versions differ" in head
    for text in ("All 4 compared cells, worst first", "a\\[x, y\\]", "s\\[x, y\\]", "n\\[x, y\\]"):
        assert text in folded
    assert page.count("<details>") == page.count("</details>") == page.count("<summary>") == 3
    assert "\n</details>" in folded
    assert re.search(r"</summary>\n\n\|", folded), "Markdown inside details needs an empty line before it"


def test_a_clean_pass_is_a_few_lines(gated):
    page = gate_markdown(gated("pass", cells=(), same=("s[x, y]",)))
    assert page.partition("<details>")[0].count("\n") < 8
    assert "1 the same model with the same outcomes" in page


def test_missing_cells_come_with_their_reason(gated):
    result = gated("inconclusive", (CELLS[0],), ("m[x, y]", "o[x, y]"), reasons={"m[x, y]": "next.pt is not here"})
    assert "  missing       m[x, y]: next.pt is not here" in [text for text, _ in gate_lines(result)]
    assert "- m\\[x, y\\]: next.pt is not here" in gate_markdown(result)
    assert json.loads(gate_json(result))["missing"][1]["reason"] == "the candidate's run has no such cell"
    suite = ElementTree.fromstring(gate_junit(result)).find("testsuite")
    assert [c.get("name") for c in suite if c.find("failure") is not None] == ["m[x, y]", "o[x, y]"]


def test_junit_has_a_case_a_cell_and_its_counts_are_right(gated):
    suite = ElementTree.fromstring(gate_junit(gated(same=("s[x, y]",)))).find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", "3", "0")
    kinds = {case.get("name"): case.find("failure").get("type") for case in suite if case.find("failure") is not None}
    assert kinds == {"b[x, y]": "fail", "d[x, y]": "fail", "c[x, y]": "inconclusive"}
    (failure,) = (case.find("failure") for case in suite if case.get("name") == "b[x, y]")
    assert "-20.0 [-22.0, -18.0], margin 5" in failure.text


def test_json_says_everything_and_no_infinity(gated):
    cells = (compared(low=float("-inf"), high=float("nan")), *CELLS[1:])
    found = json.loads(gate_json(gated(cells=cells, flips=(change(),))), parse_constant=pytest.fail)
    assert [cell["cell"][0] for cell in found["cells"]] == ["d", "b", "c", "f"]
    assert found["cells"][-1]["low"] is None
    assert found["flips"][0]["before"] == {"outcome": "supported", "estimate": 4.0}
    assert (found["margins"], found["confidence"]) == ({"accuracy": 5.0, "f1_samples": 0.05}, 0.95)


@given(st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_no_text_of_a_record_breaks_a_form(make_gated, name, other):
    result = make_gated(name, other)
    suite = ElementTree.fromstring(gate_junit(result)).find("testsuite")
    assert len(suite) == 3  # the compared cell, the missing one, the same one
    assert all("\n" not in text and text.isprintable() for text, _ in gate_lines(result, verbose=True))
    assert json.loads(gate_json(result))["cells"][0]["cell"] == name
    for line in gate_markdown(result).splitlines():
        assert not re.search(r"<(?!/?(details|summary)>)", line)
        if line.startswith("| ") and "[95 %" not in line:
            assert len(re.findall(r"(?<!\\)\|", re.sub(r"\\\\", "", line))) in (4, 8)


@pytest.fixture(scope="module")
def make_gated():
    """A gate whose every text is the two given ones."""

    def make(name, other):
        machine = Machine(cpu=other, cores=1, os=other, architecture=other, python=other)
        record = Record(
            label=name,
            commit=other,
            machine=machine,
            versions={},
            lineup=LineupPart(name=name),
            started=other,
            seconds=1,
        )
        decision = Decision("fail", (compared(name, "fail", -9.0),), MARGINS, 0.95, (name + other,))
        return Gated(
            record, record, decision, (name,), (other,), (change(name),), (other,), reasons={name + other: other}
        )  # fmt: skip

    return make


def test_an_evil_name_is_shown_not_obeyed(make_gated):
    result = make_gated(EVIL, EVIL + "\x1b[31m")
    page = gate_markdown(result)
    assert "<script" not in page
    assert "\n# head" not in page
    assert "[y](javascript" not in page
    assert "\x1b" not in "".join(text for text, _ in gate_lines(result, verbose=True)) + page


def test_forms_are_written_where_asked_over_what_was_there(gated, tmp_path):
    old = tmp_path / "deep" / "gate.json"
    write_gate(gated(), {"json": old})
    written = write_gate(Refused("no"), {"json": old, "junit": None, "markdown": tmp_path / "gate.md"})
    assert written == [old, tmp_path / "gate.md"]
    assert json.loads(old.read_text())["decided"] == "not comparable"
    assert set(FORMS) == {"junit", "json", "markdown"}
