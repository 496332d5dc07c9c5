"""mmbench gate, gate-timing and explain as a CI job meets them: exit codes, files, one line where all is not well."""

import json
import os
import re
import subprocess
import sys

import pytest
from PIL import Image

from mmbench.cli.gate import CODES
from mmbench.cli.main import main
from mmbench.gate.decision import DEFAULT_MARGINS, default_margins
from mmbench.gate.timed_models import time_models
from mmbench.metrics import METRICS
from mmbench.records.files import save_record

from ..made_records import PREPROCESS, measured, model_role


@pytest.fixture
def saved(make_run, tmp_path):
    """``saved(accuracy of clip, ...)``: path of a record with two models, the other one always the same."""

    def save(accuracy=0.6, weights="next", **options):
        cells = [measured("clip", "cub", accuracy), measured("bit_m", "cub", 0.7, seed=1)]
        return str(save_record(make_run(cells, clip=weights, **options), tmp_path))

    return save


def exit_code(*arguments):
    try:
        return main(arguments)
    except SystemExit as stopped:
        return stopped.code


@pytest.mark.parametrize(
    ("accuracy", "code", "said"),
    [(0.7, 0, "gate: pass"), (0.3, 1, "gate: fail"), (0.56, 2, "gate: inconclusive")],
)
def test_exit_codes_of_a_decision(saved, capsys, accuracy, code, said):
    assert exit_code("gate", saved(weights="base"), saved(accuracy)) == code
    out = capsys.readouterr().out
    assert out.startswith(said)
    assert "few_shot[clip, cub]" in out
    assert ("would be decided by" in out) == (code == 2)


def test_the_margin_decides(saved):
    pair = (saved(weights="base"), saved(0.56))
    assert exit_code("gate", *pair, "--margin", "accuracy=15") == 0
    assert exit_code("gate", *pair, "--margin", "accuracy=0.5") == 1


def test_further_seeds_are_averaged(saved, capsys):
    base, bad, good, other = (saved(a, w) for a, w in ((0.6, "base"), (0.4, "bad"), (0.75, "good"), (0.75, "other")))
    assert exit_code("gate", base, bad) == 1
    assert exit_code("gate", base, bad, "--seeds", good, other) == 0
    out = capsys.readouterr().out
    assert "cells with 1 of the base and 3 of the candidate" in out
    assert "bit_m" not in out.split("note")[0]  # the same weights in every record: no further seed, and set apart
    assert exit_code("gate", good, base, "--base-seeds", other) == 1
    assert exit_code("gate", base, bad, "--seeds", bad) == 3
    assert "has no other weights in any cell; name another" in capsys.readouterr().err


def test_a_record_against_itself_passes_and_fails_with_a_planted_loss(saved, capsys):
    path = saved()
    assert exit_code("gate", path, path) == 0
    assert exit_code("gate", path, path, "--inject", "accuracy=12") == 1
    assert "a loss was planted" in capsys.readouterr().out


def test_part_of_the_cells_is_compared_when_asked(saved, make_run, tmp_path, capsys):
    base = saved(weights="base")
    part = str(save_record(make_run([measured("clip", "cub", 0.7)], clip="next"), tmp_path))
    assert exit_code("gate", base, part) == 2
    assert "missing       few_shot[bit_m, cub]" in capsys.readouterr().out
    assert exit_code("gate", base, part, "--partial") == 0


def test_a_missing_cell_comes_with_the_reason_that_the_candidates_run_gave(saved, make_run, tmp_path, capsys):
    base = saved(weights="base")
    why = "clip needs next.pt; the file is not there"
    lost = {"few_shot[bit_m, cub]": why, "few_shot[vit, cub]": "of no concern here"}
    run = make_run([measured("clip", "cub", 0.7)], clip="next", lost=lost)
    assert exit_code("gate", base, str(save_record(run, tmp_path))) == 2
    out = capsys.readouterr().out
    assert f"  missing       few_shot[bit_m, cub]: {why}\n" in out
    assert "of no concern" not in out
    none = make_run([measured("vit", "cub")], lost={"few_shot[vit, cub]": "of no concern here"})
    assert exit_code("gate", base, str(save_record(none, tmp_path))) == 3
    assert "have no cell in common" in capsys.readouterr().err


def test_preprocessing_is_refused_unless_allowed(saved, capsys):
    other = saved(0.7, models=[model_role("clip", "next", preprocess=PREPROCESS | {"size": 96})])
    assert exit_code("gate", saved(weights="base"), other) == 3
    assert "clip size 64 and 96" in capsys.readouterr().err
    assert exit_code("gate", saved(weights="base"), other, "--allow-preprocessing") == 0


def test_files_for_the_ci_job(saved, tmp_path):
    files = {name: tmp_path / "out" / f"gate.{name}" for name in ("junit", "json", "markdown")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    assert exit_code("gate", saved(weights="base"), saved(0.3), *options) == 1
    assert json.loads(files["json"].read_text())["decided"] == "fail"
    assert files["markdown"].read_text().startswith("## Gate: fail")
    assert '<failure type="fail"' in files["junit"].read_text()
    # What an earlier gate left is not taken for the answer of one that could not compare.
    assert exit_code("gate", "none.json", saved(0.3), *options) == 3
    assert json.loads(files["json"].read_text())["decided"] == "not comparable"
    assert files["markdown"].read_text().startswith("## Gate: not comparable")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "arguments are required: BASE, CANDIDATE"),
        (("one.json",), "arguments are required: CANDIDATE"),
        (("--plan",), "arguments are required: BASE"),
        (("one.json", "two.json", "--plan"), "--plan takes BASE alone, with -k and --runs; it compares nothing"),
        (("one.json", "--plan", "--runs", "0"), "--runs must be at least 1, got 0"),
        (("one.json", "two.json", "-k", "cub"), "-k and --runs belong to --plan"),
        (("one.json", "two.json", "--seeds"), "expected at least one argument"),
        (("one.json", "two.json", "--seeds", "three.json"), "there is no record at one.json"),
        (("one.json", "two.json", "three.json"), "unrecognized arguments: three.json"),
        (("one.json", "two.json", "--margins", "accuracy=2"), "unrecognized arguments: --margins"),
        (("one.json", "two.json", "--margin"), "expected one argument"),
        (("one.json", "two.json"), "there is no record at one.json"),
        (("torn.json", "torn.json"), "torn.json is not a record"),
        (("binary.json", "binary.json"), "binary.json is not a record"),
        ((".", "."), "is not a record"),
        (("one.json", "two.json", "--margin", "acuracy=2"), "Did you mean 'accuracy'?"),
        (("one.json", "two.json", "--margin", "accuracy=nan"), "out of range"),
        (("one.json", "two.json", "--margin", "accuracy=2", "--margin", "accuracy=3"), "give it once"),
        (("one.json", "two.json", "--inject", "accuracy=-1"), "out of range"),
        (("one.json", "two.json", "--inject", "much"), "ends in no number"),
    ],
)
def test_wrong_usage_and_unreadable_records_are_3(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "torn.json").write_text('{"schema": 2, "cel')
    (tmp_path / "binary.json").write_bytes(b"\x80\x02}q\x00.")
    assert exit_code("gate", *arguments) == 3
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_a_file_that_cannot_be_written_is_3_not_a_failed_model(saved, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    pair = (saved(weights="base"), saved(0.3))
    assert exit_code("gate", *pair, "--junit", str(tmp_path / "file" / "gate.xml")) == 3
    assert "could not compare" in capsys.readouterr().err


def test_an_answer_that_nobody_could_read_is_3(saved):
    command = [sys.executable, "-m", "mmbench.cli.main", "gate", saved(weights="base"), saved(0.7)]
    read, write = os.pipe()
    os.close(read)
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment, timeout=100, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (3, b"")


def test_an_accident_is_3_not_a_failed_model(saved, monkeypatch, capsys):
    def breaks(*_, **__):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("mmbench.gate.comparison.gate_records", breaks)
    assert exit_code("gate", saved(), saved()) == 3
    assert "a fault of ours" in capsys.readouterr().err


def test_other_commands_keep_their_code_for_wrong_usage():
    assert exit_code("report", "--bogus") == 2
    assert exit_code("explain") == 2


def test_help_documents_codes_and_the_margins_that_hold(capsys):
    assert exit_code("gate", "--help") == 0
    out = capsys.readouterr().out
    assert CODES in out
    defaults = " ".join(f"{metric}={DEFAULT_MARGINS[metric]:g}" for metric in ("accuracy", "f1_samples"))
    assert f"(default: 5 % of a metric's range, which is {defaults})" in re.sub(r"\s+", " ", out)
    for metric in METRICS:
        assert default_margins()[metric.name] == pytest.approx(0.05 * (metric.high - metric.low) * metric.scale)
    assert exit_code("gate-timing", "--help") == 0
    assert "3  could not compare" in capsys.readouterr().out


def test_explain_says_where_two_records_part(saved, capsys):
    assert exit_code("explain", saved(weights="base"), saved(0.5)) == 0
    out = capsys.readouterr().out
    assert out.startswith("the runs differ first at: features (1 of 2 cells")
    assert "weights of clip: clip-base and clip-next" in out
    assert exit_code("explain", "none.json", saved()) == 1


LINEUP = """
[lineup]
name = "squares"
about = "for a test"
[models.random]
spec = "zoo:random"
[datasets.cub]
spec = "imagefolder:{folder}"
"""


@pytest.fixture
def squares(tmp_path):
    """A lineup file with an untrained network and eight small images."""
    for split in ("train", "test"):
        for name in ("red", "blue"):
            (tmp_path / "cub" / split / name).mkdir(parents=True)
            for number in range(2):
                Image.new("RGB", (64, 64), name).save(tmp_path / "cub" / split / name / f"{number}.png")
    path = tmp_path / "squares.toml"
    path.write_text(LINEUP.format(folder=tmp_path / "cub"))
    return str(path)


@pytest.fixture
def clocked(monkeypatch):
    """Times of rounds instead of a stopwatch; both models really encode once."""

    def clock(ratio):
        def interleave(base, candidate, rounds=20, warm_up=2):
            assert base().shape == candidate().shape == (4, 256)
            seconds = [1.0 + 0.01 * (n % 3) for n in range(rounds)]
            return seconds, [ratio * s * (1 + 0.001 * (n % 2)) for n, s in enumerate(seconds)]

        monkeypatch.setattr("mmbench.gate.timing.interleave", interleave)

    return clock


@pytest.mark.parametrize(("ratio", "code"), [(0.8, 0), (1.0, 0), (1.1, 2), (1.5, 1)])
def test_the_timing_gate_judges_a_ratio(squares, clocked, capsys, ratio, code):
    clocked(ratio)
    options = ("--lineup", squares, "--dataset", "cub", "--slower-by", "1.1005")
    assert exit_code("gate-timing", "random", "zoo:random", *options) == code
    out = capsys.readouterr().out
    assert out.startswith(f"timing gate: {('pass', 'fail', 'inconclusive')[code]}")
    assert f"zoo:random takes {ratio * 1.0005:.3f}" in out  # the mean of alternating 1 and 1.001
    assert "95 % interval" in out


@pytest.mark.parametrize("code", [0, None, 2, "done"])
def test_a_model_whose_file_ends_the_program_passes_no_timing_gate(squares, monkeypatch, capsys, code):
    """0 means pass, and 2 inconclusive."""
    monkeypatch.setattr("mmbench.gate.timed_models.time_models", lambda *given, **how: sys.exit(code))
    assert exit_code("gate-timing", "random", "zoo:random", "--lineup", squares, "--dataset", "mnist") == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert (
        said.err == f"mmbench: could not compare: code that was run for a model or dataset called sys.exit({code!r})\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("random",), "arguments are required: MODEL_B"),
        (("random", "random"), "arguments are required: --dataset"),
        (("random", "zoo:none", "--dataset", "cub"), "zoo:none"),
        (("random", "random", "--dataset", "cubs"), "cubs"),
        (("random", "random", "--dataset", "cub", "--rounds", "2"), "at least 5 rounds"),
        (("random", "random", "--dataset", "cub", "--rounds", "many"), "invalid int value"),
        (("random", "random", "--dataset", "cub", "--items", "0"), "at least one item"),
        (("random", "random", "--dataset", "cub", "--slower-by", "0.5"), "a ratio of at least 1"),
        (("random", "random", "--dataset", "cub", "--slower-by", "nan"), "a ratio of at least 1"),
        (("random", "zoo:clip_t", "--dataset", "cub"), "encodes texts and cub has none"),
    ],
)
def test_what_the_timing_gate_cannot_do_is_3(squares, capsys, arguments, message):
    assert exit_code("gate-timing", *arguments, "--lineup", squares) == 3
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_an_image_that_cannot_be_read_is_3(squares, tmp_path, capsys):
    (tmp_path / "cub" / "test" / "red" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert exit_code("gate-timing", "random", "random", "--lineup", squares, "--dataset", "cub") == 3
    assert "0.png" in capsys.readouterr().err


def test_both_models_are_timed_in_turn(squares, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "mmbench.features.encode.forward", lambda encoder, batch, device, precision, name: calls.append(name)
    )
    decision = time_models("random", "zoo:random", "cub", lineup=squares, items=2, rounds=5, slower_by=1e9)
    assert calls[-10:] == ["random", "zoo:random", "zoo:random", "random"] * 2 + ["random", "zoo:random"]
    assert (decision.rounds, decision.decided) == (5, "pass")
