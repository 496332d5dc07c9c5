"""What each verdict does to a test, and what is recorded of it."""

import xml.etree.ElementTree as ElementTree

import pytest

from mmbench.errors import MissingAsset, NoGradients, NotEnoughShots, UnknownLayer
from mmbench.forms import Above
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell
from mmbench.records.files import read_record
from mmbench.session.judged import without_cell

NEVER = "[[outcome]]\nclaim = 'a'\nevidence = 'measured'\nverdict = '{verdict}'\nestimate = {estimate}\n"
KNOWN = NEVER + "low = {low}\nhigh = {high}\nreason = 'the stand-in is small'\n"


def records(stage):
    return [read_record(path).model_dump() for path in sorted(stage.pytester.path.glob(".mmbench/runs/*/*.json"))]


def test_supported_passes_and_is_recorded(stage, forms):
    stage.claim("a", forms["supported"])
    result = stage.run("-k", "test_claim")
    result.assert_outcomes(passed=1, deselected=3)
    (record,) = records(stage)
    (verdict,) = record["verdicts"]
    assert (verdict["claim"], verdict["outcome"], verdict["standing"]) == ("a", "supported", "new")
    assert verdict["low"] > 0
    assert {cell["models"] for cell in record["cells"]} == {("bit_m",), ("clip",)}
    assert record["lineup"]["name"] == "staged"


def test_refuted_fails_and_prints_its_rows(stage, forms):
    stage.claim("a", forms["refuted"])
    result = stage.run("-k", "test_claim")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines(["*a: refuted (measured*", "*clip 5*bit_m 7*"])


def test_inconclusive_is_an_expected_failure_and_says_what_would_settle_it(stage, forms):
    stage.claim("a", forms["inconclusive"])
    result = stage.run("-k", "test_claim", "-rx")
    result.assert_outcomes(xfailed=1, deselected=3)
    result.stdout.fnmatch_lines(["XFAIL*inconclusive: ?*"])


def test_inconclusive_fails_when_strict(stage, forms):
    stage.claim("a", forms["inconclusive"])
    result = stage.run("-k", "test_claim", "--mmbench-strict")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines(["*--mmbench-strict asks for more*"])


def test_unmeasured_skips_and_names_what_is_missing(stage, forms):
    stage.claim("a", forms["unmeasured"])
    result = stage.run("-k", "test_claim", "-rs")
    result.assert_outcomes(skipped=1, deselected=3)
    result.stdout.fnmatch_lines(["*unmeasured: *'virtex'*--mmbench-model virtex=SPEC*"])


def test_a_missing_file_skips_and_says_how_to_get_it(stage, forms):
    stage.claim("a", forms["supported"])
    stage.bench.accuracies["bit_m"] = MissingAsset("bit_m.safetensors is not here; run mmbench fetch")
    result = stage.run("-rs")
    result.stdout.fnmatch_lines(["*unmeasured: *run mmbench fetch*"])
    result.assert_outcomes(passed=2, skipped=2)  # clip and rn50 are measured, the cell and the claim of bit_m are not


def test_equal_reasons_of_skips_are_printed_once_with_their_number(stage, forms):
    stage.claim("a", forms["supported"])
    for name in ("bit_m", "rn50"):
        stage.bench.accuracies[name] = MissingAsset("all.safetensors is not here; run mmbench fetch")
    result = stage.run("-rs")
    result.assert_outcomes(passed=1, skipped=3)
    result.stdout.fnmatch_lines(["SKIPPED [[]3[]] *: unmeasured: all.safetensors is not here; run mmbench fetch"])
    assert result.stdout.str().count("all.safetensors") == 1


@pytest.mark.parametrize(
    ("reason", "short"),
    [
        ("mlp_head[clip+clip_t, mvsa]: no file", "no file"),
        ("mlp_head[clip, mvsa] (code): no file", "no file"),
        ("it waits for captioning", "it waits for captioning"),
        ("a [b]: c", "a [b]: c"),
    ],
)
def test_a_reason_is_said_without_its_cell(reason, short):
    assert without_cell(reason) == short


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UnknownLayer("layer of mine", "stage1", ["output"], list_all=True), "no layer of mine named 'stage1'*output*"),
        (NoGradients("gradients to pixels are needed, and mine has none"), "gradients to pixels are needed*"),
    ],
)
def test_what_a_bound_model_cannot_give_is_unmeasured(stage, forms, error, line):
    stage.claim("a", forms["supported"])
    stage.bench.accuracies["bit_m"] = error
    result = stage.run("-rs")
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.fnmatch_lines([f"*unmeasured: *{line}"])


@pytest.mark.parametrize(
    ("test", "line"),
    [("test_claim", "a cannot be judged: class*"), ("test_cell and bit_m", "bit_m on cub cannot be measured: class*")],
)
def test_a_broken_cell_fails_with_one_line(stage, forms, test, line):
    stage.claim("a", forms["supported"])
    error = stage.bench.accuracies["bit_m"] = NotEnoughShots("class 'wren' has 3 rows and 5 are drawn")
    error.__cause__ = ValueError("what broke at first")
    result = stage.run("-k", test)
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines([line])
    assert result.stdout.str().count("class 'wren' has 3 rows") == 1
    for words in ("*Traceback*", "*another exception*", "*what broke at first*"):
        result.stdout.no_fnmatch_line(words)


def test_a_run_whose_only_claim_broke_is_recorded_as_one_of_its_lineup(stage, forms):
    stage.claim("a", forms["supported"])
    stage.bench.accuracies["bit_m"] = stage.bench.accuracies["clip"] = NotEnoughShots("class 'wren' has 3 rows")
    stage.run("-k", "test_claim").assert_outcomes(failed=1, deselected=3)
    (record,) = records(stage)
    assert (record["label"], record["cells"]) == ("staged", ())


def test_known_refuted_is_an_expected_failure_with_its_reason(stage, forms):
    stage.claim("a", forms["refuted"])
    stage.expect(KNOWN.format(verdict="refuted", estimate=-20.0, low=-25.0, high=-15.0))
    result = stage.run("-k", "test_claim", "-rx")
    result.assert_outcomes(xfailed=1, deselected=3)
    result.stdout.fnmatch_lines(["*refuted, as recorded: the stand-in is small*"])
    assert records(stage)[0]["verdicts"][0]["outcome"] == "refuted"


@pytest.mark.parametrize(("form", "known"), [("supported", "refuted"), ("refuted", "supported")])
def test_a_turned_verdict_fails_whatever_its_interval(stage, forms, form, known):
    stage.claim("a", forms[form])
    stage.expect(KNOWN.format(verdict=known, estimate=0.0, low=-99.0, high=99.0))
    result = stage.run("-k", "test_claim")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines([f"changed verdict: a was {known} at 0*and is now {form}*mmbench expect*"])
    result.stdout.fnmatch_lines(["changed verdicts, to be looked at:", f"*{form}*measured*a*"])


def test_a_drift_inside_the_recorded_interval_is_reported_not_failed(stage, forms):
    stage.claim("a", forms["supported"])
    stage.expect(KNOWN.format(verdict="inconclusive", estimate=15.0, low=-1.0, high=31.0))
    result = stage.run("-k", "test_claim")
    result.assert_outcomes(passed=1, deselected=3)
    result.stdout.fnmatch_lines(["drifted within the recorded interval:", "*supported*measured*a*"])


def test_a_refutation_that_only_just_crosses_the_edge_is_reported_not_failed(stage, forms):
    """Another processor adds in another order: a claim at the edge of a verdict may turn either way."""
    stage.claim("a", forms["refuted"])
    stage.expect(KNOWN.format(verdict="inconclusive", estimate=-15.0, low=-31.0, high=1.0))
    result = stage.run("-k", "test_claim", "-rx")
    result.assert_outcomes(xfailed=1, deselected=3)
    result.stdout.fnmatch_lines(["drifted within the recorded interval:", "*refuted*measured*a*"])
    result.stdout.fnmatch_lines(["*a was inconclusive at -15*and is now refuted*"])


def test_a_refuted_claim_that_was_unmeasured_before_fails(stage, forms):
    stage.claim("a", forms["refuted"])
    stage.expect('[[outcome]]\nclaim = "a"\nevidence = "measured"\nverdict = "unmeasured"\nreason = ""\n')
    stage.run("-k", "test_claim").assert_outcomes(failed=1, deselected=3)


def test_a_difference_outside_the_recorded_interval_fails(stage, forms):
    stage.claim("a", forms["supported"])
    stage.expect(KNOWN.format(verdict="inconclusive", estimate=1.0, low=-1.0, high=3.0))
    result = stage.run("-k", "test_claim")
    result.assert_outcomes(failed=1, deselected=3)


def test_a_lost_verdict_fails(stage, forms):
    stage.claim("a", forms["supported"])
    stage.expect(KNOWN.format(verdict="supported", estimate=20.0, low=15.0, high=25.0))
    stage.bench.accuracies["bit_m"] = MissingAsset("bit_m.safetensors is not here")
    result = stage.run("-k", "test_claim")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines(["changed verdict: a was supported*is now unmeasured*", "*bit_m.safetensors*"])


def test_known_outcomes_do_not_bind_a_role_that_was_bound_anew(stage, forms):
    stage.claim("a", forms["refuted"])
    stage.expect(KNOWN.format(verdict="supported", estimate=20.0, low=15.0, high=25.0))
    object.__setattr__(stage.bench.lineup, "overrides", ("clip=staged:other",))
    result = stage.run("-k", "test_claim")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.no_fnmatch_line("*changed verdict*")


def test_published_evidence_opens_no_bench(stage, forms):
    stage.claim("a", forms["supported"], published={"bit_m": (70.0, 1.0), "clip": (50.0, 1.0)})
    stage.monkeypatch.setattr("mmbench.bench.bench.Bench.open", None)
    result = stage.run("--mmbench-evidence", "published", "-v")
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["*test_claim?a-published? PASSED*"])
    assert records(stage)[0]["label"] == "published"


def test_both_kinds_of_evidence_are_two_tests(stage, forms):
    stage.claim("a", forms["refuted"], published={"bit_m": (50.0, 1.0), "clip": (70.0, 1.0)})
    result = stage.run("-k", "test_claim", "-v")
    result.stdout.fnmatch_lines(["*test_claim?a-published? PASSED*", "*test_claim?a-measured? FAILED*"])
    result.stdout.fnmatch_lines(["published tables  * 1  * 0  * 0  * 0", "measured, lineup staged* 0 * 1 * 0 * 0"])


def test_cells_come_in_any_order_and_once(stage, forms):
    stage.claim("a", forms["supported"])
    result = stage.run()
    result.assert_outcomes(passed=4)  # three cells and a claim
    asked = [cell for cell in stage.bench.asked if cell == Cell(FEW_SHOT, "bit_m", "cub")]
    assert len(asked) == 3  # the bench answers the verdict, and the test of the readings, from what it knows
    (record,) = records(stage)
    fresh = [cell for cell in record["cells"] if cell["fresh"]]
    assert sorted(cell["models"][0] for cell in fresh if cell["reading"] == "paper") == ["bit_m", "clip", "rn50"]
    assert sorted(cell["models"][0] for cell in fresh if cell["reading"] == "code") == ["bit_m", "clip"]


def test_junit_has_the_verdict_as_properties(stage, forms):
    stage.claim("a", forms["supported"])
    stage.run("-k", "test_claim", "--junitxml", "out.xml")
    tree = ElementTree.parse(stage.pytester.path / "out.xml")
    found = {node.get("name"): node.get("value") for node in tree.iter("property")}
    assert {"claim": "a", "outcome": "supported", "evidence": "measured"}.items() <= found.items()
    assert float(found["estimate"]) == pytest.approx(20, abs=5)
    assert {"low", "high", "p_support", "p_refute"} <= found.keys()


@pytest.mark.parametrize(
    ("options", "marked"),
    [
        ((), True),
        (("test_staged.py::test_claim", "test_staged.py::test_cell"), True),  # planned, and not yet measured
        (("-k", "test_claim"), False),
    ],
)
def test_the_untrained_network_is_a_floor_where_the_run_measures_it(stage, forms, options, marked):
    """bit_m leads clip, and an untrained network is above both. A run that asks for one claim does not measure it."""
    stage.bench = type(stage.bench)({"clip": 0.3, "bit_m": 0.5, "rn50": 0.3, "random": 0.7})
    stage.claim("a", forms["supported"])
    result = stage.run(*options)
    (record,) = records(stage)
    (verdict,) = record["verdicts"]
    assert verdict["outcome"] == "supported"
    assert verdict.get("uninformative", "") == ("neither side is better than the untrained network" if marked else "")
    assert ("1 verdict is uninformative" in result.stdout.str()) is marked


def test_a_verdict_says_in_the_record_what_it_is_about_and_how_its_readings_stand(stage, forms):
    stage.claim("a", forms["supported"])
    stage.run("-k", "test_claim")
    (verdict,) = records(stage)[0]["verdicts"]
    about = {"networks": "these networks", "examples": "400 examples", "training": "this training pool"}
    assert about.items() <= verdict["about"].items()
    assert {"difference", "low", "high", "p"} <= verdict["readings"].keys()


def test_misspelt_claim_is_a_usage_error_before_any_test(stage, forms):
    stage.claim("staged-bit-m-best", forms["supported"])
    stage.claims = ["staged-bit-m-bets"]
    result = stage.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *no claim named 'staged-bit-m-bets'. Did you mean 'staged-bit-m-best'?"])
    assert stage.bench.asked == []


def test_a_misspelt_claim_after_k_is_told_the_nearest(stage, forms):
    stage.claim("staged-bit-m-best", forms["supported"])
    result = stage.run("-k", "staged-bit-m-bets")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["no claim is named 'staged-bit-m-bets'; did you mean 'staged-bit-m-best'?"])
    for found in ("staged-bit-m-best", "something else"):
        stage.run("-k", found).stdout.no_fnmatch_line("*did you mean*")


def test_a_claim_refuted_by_a_swap_of_its_sides(stage):
    """A planted liar: the same scores, the claim turned round."""
    stage.claim("honest", Above("bit_m", "rn50"))
    stage.claim("swapped", Above("rn50", "bit_m"))
    result = stage.run("-k", "test_claim")
    result.assert_outcomes(passed=1, failed=1, deselected=3)
