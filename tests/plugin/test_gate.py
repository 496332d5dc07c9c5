"""The gate under pytest: the baseline is a record of an earlier run, the run as a whole passes or fails."""

import hashlib
import json
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import pytest

from mmbench import files
from mmbench.bench.bench import Bench
from mmbench.errors import MissingAsset, NotEnoughShots, NotFinite
from mmbench.lineups import Lineup
from mmbench.lineups.more_seeds import bind_seeds
from mmbench.models.checkpoints import file_digest
from mmbench.models.entry import Identity, ModelEntry, Preprocess

CELLS = ("-k", "test_cell")
PREPROCESS = Preprocess(64, 64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def records(stage):
    return sorted(stage.pytester.path.glob(".mmbench/runs/*/*.json"))


def bound(stage, role, weights, preprocess=PREPROCESS):
    """Another checkpoint in a role of the staged lineup."""
    identity = Identity(weights, "staged", "last", preprocess)
    entry = ModelEntry(f"staged-{role}", "image", 4, lambda: None, lambda: identity)
    stage.bench.lineup.models[role].__dict__["entry"] = entry


@pytest.fixture
def gated(stage, forms):
    """A stage with a baseline: clip 0.5, bit_m 0.7, rn50 0.5 on 400 examples in 10 trials."""
    stage.claim("a", forms["supported"])
    for role in stage.bench.accuracies:
        bound(stage, role, f"{role}-before")
    stage.run(*CELLS).assert_outcomes(passed=3, deselected=1)
    (record,) = records(stage)
    baseline = stage.pytester.path / "baseline.json"
    for suffix in (".json", ".safetensors"):
        record.with_suffix(suffix).rename(baseline.with_suffix(suffix))

    def run(*options, gate=baseline):
        return stage.run("--mmbench-gate", str(gate), *options)

    def candidate(accuracy, role="clip", **changes):
        stage.bench.accuracies[role] = accuracy
        bound(stage, role, f"{role}-after", **changes)

    return SimpleNamespace(stage=stage, run=run, candidate=candidate, baseline=baseline)


def said(gated):
    return json.loads((gated.stage.pytester.path / ".mmbench" / "gate.json").read_text())


def test_the_same_models_pass(gated):
    result = gated.run(*CELLS)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["gate: pass", "cells: 3 the same model with the same outcomes"])
    assert (said(gated)["decided"], said(gated)["exit_code"]) == ("pass", 0)


def of_file(stage, role, path):
    """A model whose weights are identified by the digest of a file, as every source of models does."""
    entry = ModelEntry(
        f"staged-{role}", "image", 4, lambda: None, lambda: Identity(file_digest(path), "staged", "last", PREPROCESS)
    )
    stage.bench.lineup.models[role].__dict__["entry"] = entry


def test_weights_are_read_again_before_they_are_called_the_same(gated, tmp_path, monkeypatch):
    path, note = tmp_path / "weights", tmp_path / "note.json"
    path.write_bytes(b"one")
    monkeypatch.setattr(files, "_JUST_NOW", -1)  # as if it had lain there for a while
    note.write_text(
        json.dumps({**files.stamp(path)._asdict(), "sha256": "clip-before"})
    )  # what an earlier process noted
    monkeypatch.setattr("mmbench.models.checkpoints._note_path", lambda key: note)
    of_file(gated.stage, "clip", path)
    assert file_digest(path) == "clip-before"
    result = gated.run(*CELLS)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["gate: pass", "cells: 1 not worse, 2 the same model with the same outcomes"])
    clip = json.loads(records(gated.stage)[-1].read_text())["lineup"]["models"][0]
    assert (clip["digest"], clip["hashed"]) == (hashlib.sha256(b"one").hexdigest(), True)
    assert file_digest(path) == hashlib.sha256(b"one").hexdigest()  # the note is mended for runs without a gate


def test_a_run_without_a_gate_says_that_a_digest_was_noted_earlier(gated, tmp_path, monkeypatch):
    path, note = tmp_path / "weights", tmp_path / "note.json"
    path.write_bytes(b"one")
    note.write_text(json.dumps({**files.stamp(path)._asdict(), "sha256": "clip-before"}))
    monkeypatch.setattr("mmbench.models.checkpoints._note_path", lambda key: note)
    of_file(gated.stage, "clip", path)
    gated.stage.run(*CELLS)
    bound = {b["role"]: b["hashed"] for b in json.loads(records(gated.stage)[-1].read_text())["lineup"]["models"]}
    assert bound == {"clip": False, "bit_m": True, "rn50": True}


def test_weights_replaced_during_the_run_decide_nothing(gated, tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    of_file(gated.stage, "clip", path)
    asked = gated.stage.bench.scores

    def replaced(cell):
        known = gated.stage.bench.identity(gated.stage.bench.model("clip"))
        path.write_bytes(b"two")
        gated.stage.monkeypatch.setattr(gated.stage.bench, "identity", lambda model: known)
        return asked(cell)

    gated.stage.monkeypatch.setattr(gated.stage.bench, "scores", replaced)
    result = gated.run("-k", "test_cell and clip")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stderr.no_fnmatch_line("*Traceback*")
    assert said(gated)["decided"] == "fail"
    assert "files of clip were replaced during this run" in json.dumps(said(gated))


def test_a_better_candidate_passes(gated):
    gated.candidate(0.6)
    result = gated.run(*CELLS)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["gate: pass", "cells: 1 not worse, 2 the same model with the same outcomes"])
    result.assert_outcomes(passed=3, deselected=1)


def test_a_worse_candidate_fails_the_run_and_is_named_with_numbers(gated):
    gated.candidate(0.3)
    result = gated.run(*CELLS)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=3, deselected=1)
    result.stdout.fnmatch_lines(["gate: fail", "written: *gate.md", "written: *gate.json", "written: *gate.xml"])
    numbers = r"\d\d\.\d -> \d\d\.\d %  -\d\d\.\d \[-\d\d\.\d, -\d\d\.\d\], margin \d"
    result.stdout.re_match_lines([rf"  fail          few_shot\[clip, cub\]  {numbers}"])
    (cell,) = said(gated)["cells"]
    assert (cell["cell"], cell["decided"]) == ("few_shot[clip, cub]", "fail")
    assert cell["low"] < cell["difference"] < cell["high"] < -cell["margin"]
    tree = ElementTree.parse(gated.stage.pytester.path / ".mmbench" / "gate.xml")
    assert [case.get("name") for case in tree.iter("testcase") if case.find("failure") is not None] == [cell["cell"]]
    assert "**fail**" in (gated.stage.pytester.path / ".mmbench" / "gate.md").read_text()


def test_the_margin_decides(gated):
    gated.candidate(0.47)
    assert gated.run(*CELLS, "--mmbench-margin", "accuracy=10").ret == pytest.ExitCode.OK
    assert gated.run(*CELLS, "--mmbench-margin", "accuracy=0.1").ret == pytest.ExitCode.TESTS_FAILED


def test_an_inconclusive_gate_fails_unless_told_otherwise(gated):
    gated.candidate(0.47)
    options = (*CELLS, "--mmbench-margin", "accuracy=3")
    result = gated.run(*options)
    assert said(gated)["decided"] == "inconclusive"
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  inconclusive  few_shot*would be decided by * examples*"])
    assert gated.run(*options, "--mmbench-gate-inconclusive", "pass").ret == pytest.ExitCode.OK
    gated.candidate(0.2)
    assert gated.run(*options, "--mmbench-gate-inconclusive", "pass").ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("error", [MissingAsset("next.pt is not here"), NotEnoughShots("class 'wren' has 3 rows")])
@pytest.mark.parametrize("kind", ["test_cell", "test_claim"])
def test_a_candidate_that_cannot_be_measured_does_not_pass(gated, error, kind):
    gated.candidate(error)
    result = gated.run("-k", kind)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert said(gated)["decided"] == "inconclusive"
    result.stdout.fnmatch_lines([f"  missing       few_shot[[]clip, cub[]]: {error}"])
    assert json.loads(records(gated.stage)[-1].read_text())["lost"] == {"few_shot[clip, cub]": str(error)}


def test_a_candidate_that_gives_no_numbers_fails_in_one_line(gated):
    gated.candidate(NotFinite("next.pt holds weights that are no numbers"))
    result = gated.run(*CELLS)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert (said(gated)["decided"], said(gated)["exit_code"]) == ("fail", 1)
    result.stdout.fnmatch_lines(["gate: fail: next.pt holds weights that are no numbers (1 cells of the baseline)"])
    page = (gated.stage.pytester.path / ".mmbench" / "gate.md").read_text()
    assert page.startswith("## Gate: fail\n\nnext.pt holds weights")


def test_a_run_of_some_cells_is_gated_on_those(gated):
    gated.candidate(0.3)
    assert gated.run("-k", "test_cell and bit_m").ret == pytest.ExitCode.OK
    assert said(gated)["same"] == ["few_shot[bit_m, cub]"]


def test_a_refuted_claim_leaves_the_decision_to_the_gate_and_is_listed(gated):
    assert gated.stage.run("-k", "test_claim").ret == pytest.ExitCode.OK
    base = records(gated.stage)[-1]
    gated.candidate(0.9)  # better, and so "bit_m above clip" is refuted
    result = gated.run(gate=base)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=3, xfailed=1)
    result.stdout.fnmatch_lines(["  claim flips   a (measured): supported (*) -> refuted (*)"])
    assert [flip["claim"] for flip in said(gated)["flips"]] == ["a"]
    assert gated.stage.run("-k", "test_claim").ret == pytest.ExitCode.TESTS_FAILED  # without a gate


def test_other_preprocessing_is_refused_unless_allowed(gated):
    gated.candidate(0.6, preprocess=Preprocess(96, 96, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)))
    result = gated.run(*CELLS)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["gate: not comparable: preprocessing differs*clip size 64 and 96*"])
    assert gated.run(*CELLS, "--mmbench-gate-allow-preprocessing").ret == pytest.ExitCode.OK


def test_a_run_without_cells_is_not_taken_for_a_pass(gated):
    gated.stage.pytester.makepyfile(test_other="def test_nothing():\n    pass\n")
    result = gated.stage.pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "--mmbench-gate", str(gated.baseline), "test_other.py"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["gate: not comparable: this run measured no cell*"])


def test_collecting_decides_nothing(gated):
    result = gated.run("--collect-only")
    assert result.ret == pytest.ExitCode.OK
    assert not (gated.stage.pytester.path / ".mmbench" / "gate.json").exists()


def test_a_stopped_run_keeps_its_exit_code_and_gets_no_decision(gated):
    pytester = gated.stage.pytester
    pytester.makepyfile(test_other="def test_stopped():\n    raise KeyboardInterrupt\n")
    options = ("-p", "no:cacheprovider", "--mmbench-gate", str(gated.baseline), "test_staged.py", "test_other.py")
    result = pytester.runpytest_inprocess(*options, no_reraise_ctrlc=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["gate: not decided, as the run did not finish"])
    assert not (pytester.path / ".mmbench" / "gate.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mmbench-gate", "none.json"], "there is no record at none.json"),
        (["--mmbench-gate", "torn.json"], "torn.json is not a record"),
        (["--mmbench-gate", "old.json"], "keeps no outcomes by trial and example"),
        (["--mmbench-gate", "away/baseline.json"], "outcomes by trial and example are missing: away/baseline.json"),
        (["--mmbench-gate", "baseline.json", "--mmbench-margin", "acuracy=2"], "Did you mean 'accuracy'?"),
        (["--mmbench-gate", "baseline.json", "--mmbench-margin", "accuracy=-1"], "is out of range"),
        (["--mmbench-gate", "baseline.json", "--mmbench-margin", "accuracy"], "ends in no number"),
        (["--mmbench-margin", "accuracy=2"], "name its baseline with --mmbench-gate"),
        (["--mmbench-gate-inconclusive", "perhaps"], "invalid choice: 'perhaps'"),
    ],
)
def test_bad_options_are_usage_errors_before_any_test(gated, options, message):
    path = gated.stage.pytester.path
    raw = json.loads(gated.baseline.read_text())
    (path / "old.json").write_text(json.dumps(raw | {"outcomes": None}))
    (path / "away").mkdir()
    (path / "away" / "baseline.json").write_text(json.dumps(raw))
    (path / "torn.json").write_text('{"schema": 2')
    gated.stage.bench.asked.clear()
    result = gated.stage.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()
    assert gated.stage.bench.asked == []


# Several trainings of the candidate


@pytest.fixture
def seeded(gated, monkeypatch):
    """A gate whose candidate clip is the mean of trainings with these accuracies, bound as on the command line."""
    monkeypatch.setattr(Lineup, "bind_model", lambda lineup, option: lineup)

    def opened(*args, models=(), seeds=(), **options):
        bench = gated.stage.bench
        lineup = bench.lineup
        object.__setattr__(lineup, "overrides", tuple(models))
        for option in seeds:
            lineup = bind_seeds(lineup, option)
        bench.lineup = lineup
        for role in lineup.models:
            if role.startswith("clip#"):
                bound(gated.stage, role, f"{role}-after")
        return bench

    monkeypatch.setattr(Bench, "open", opened)

    def run(accuracy, *others, extra=()):
        gated.candidate(accuracy)
        gated.stage.bench.accuracies |= {f"clip#{n}": other for n, other in enumerate(others, start=2)}
        specs = ",".join(f"zoo:clip_seed{n}" for n, _ in enumerate(others, start=1))
        return gated.run(*CELLS, "--mmbench-model", "clip=zoo:clip", "--mmbench-seeds", specs, *extra)

    return run


def test_the_mean_of_three_trainings_is_gated(gated, seeded):
    """One training of three is far below its margin; their mean is not."""
    result = seeded(0.4, 0.55, 0.55)
    (cell,) = said(gated)["cells"]
    assert (cell["cell"], cell["seeds"]) == ("few_shot[clip, cub]", [1, 3])
    assert cell["candidate"] == pytest.approx(50.0, abs=1.5)
    assert cell["decided"] == "pass"
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=5, deselected=1)  # each training is measured by a test of its own
    result.stdout.fnmatch_lines(["*means over seeds: 1 cells with 1 of the base and 3 of the candidate*"])
    record = json.loads(records(gated.stage)[-1].read_text())
    assert {b["role"]: b["seed_of"] for b in record["lineup"]["models"] if b["seed_of"]} == {
        "clip#2": "clip",
        "clip#3": "clip",
    }


def test_a_mean_below_the_margin_fails(gated, seeded):
    assert seeded(0.5, 0.3, 0.3).ret == pytest.ExitCode.TESTS_FAILED
    (cell,) = said(gated)["cells"]
    assert (cell["decided"], cell["seeds"]) == ("fail", [1, 3])


def test_a_record_with_several_trainings_is_a_base_of_several(gated, seeded):
    seeded(0.5, 0.5)
    base = records(gated.stage)[-1]
    for role in ("clip#2", "clip#3"):
        gated.stage.bench.lineup.models.pop(role, None)
    gated.candidate(0.5)
    bound(gated.stage, "clip", "clip-next")
    gated.run(*CELLS, gate=base)
    assert ["few_shot[clip, cub]"] == [cell["cell"] for cell in said(gated)["cells"] if cell["seeds"] == [2, 1]]


def test_seeds_of_a_role_that_is_not_bound_are_a_clean_error(pytester):
    pytester.makepyfile("")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--mmbench-seeds", "zoo:clip_seed1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mmbench-seeds 'zoo:clip_seed1' names no role*write ROLE=SPEC,SPEC"])
