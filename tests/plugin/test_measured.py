"""The whole way on real files: images in a folder, an untrained network, a claim, a cold store and a warm one."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmbench.records.files import read_record

CLAIM = """
from mmbench.claims import CLAIMS, Claim, Place
from mmbench.forms import AtLeast
from mmbench.probes.prototypes import FEW_SHOT

for name, value in (("test-red-from-blue", 90.0), ("test-beyond-reach", 150.0)):
    CLAIMS.add(Claim(name, "An untrained network tells red from blue.", Place("test", "0"), AtLeast("bit_m", value),
                     (FEW_SHOT,), ("cub",), ("bit_m",)))
"""
MODULE = """
import pytest
from mmbench.probes.prototypes import FEW_SHOT

pytestmark = pytest.mark.mmbench(FEW_SHOT, claims=("test-red-from-blue", "test-beyond-reach"))

def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)

def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
"""
LINEUP = """
[lineup]
name = "colours"
about = "for a test"
[models.bit_m]
spec = "zoo:random"
stand_in_for = "BiT-M"
[datasets.cub]
spec = "imagefolder:{folder}"
stand_in_for = "CUB"
"""


@pytest.fixture
def folder(tmp_path):
    """Red and blue squares: 8 of each to draw from, 30 to test on."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 30)):
        for channel, name in ((0, "red"), (2, "blue")):
            place = tmp_path / "colours" / split / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 60, (64, 64, 3), dtype=np.uint8)
                pixels[:, :, channel] += 180
                Image.fromarray(pixels).save(place / f"{number}.png")
    (tmp_path / "conftest.py").write_text(CLAIM)
    (tmp_path / "test_colours.py").write_text(MODULE)
    (tmp_path / "lineup.toml").write_text(LINEUP.format(folder=tmp_path / "colours"))
    return tmp_path


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "--mmbench-lineup"]
    command += ["lineup.toml", "--mmbench-store", "store", "--mmbench-offline", "-rsx", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500, check=False)


def newest(folder: Path) -> dict:
    return read_record(max(folder.glob(".mmbench/runs/*/*.json"))).model_dump()


@pytest.mark.slow
def test_one_claim_in_a_cold_store_then_everything_then_warm(folder):
    alone = run(folder, "-k", "red-from-blue")
    assert "1 passed, 2 deselected" in alone.stdout, alone.stdout + alone.stderr
    cold = newest(folder)
    assert cold["encoded"] == 76  # each image once, for both readings of the protocol
    assert cold["encoded_twice"] == 0
    assert "76 items encoded, none of them twice" in alone.stdout
    assert {(cell["reading"], cell["fresh"]) for cell in cold["cells"]} == {("paper", True), ("code", True)}
    assert cold["verdicts"][0]["other_reading"]["outcome"] == "supported"

    full = run(folder, "--mmbench-retime")
    assert "1 failed, 2 passed" in full.stdout, full.stdout + full.stderr
    assert "test_cell[bit_m-cub]" in full.stdout
    record = newest(folder)
    assert record["encoded"] == 0
    assert not any(cell["fresh"] for cell in record["cells"])
    (timing,) = record["timings"]
    assert timing["warm_up"] == 1
    assert timing["median"] > 0

    warm = run(folder)
    assert newest(folder)["timings"] == ()  # a cache hit is never timed
    assert "1 failed, 2 passed" in warm.stdout, warm.stdout + warm.stderr
    numbers = [[(v["claim"], v["estimate"], v["low"]) for v in r["verdicts"]] for r in (record, newest(folder))]
    assert numbers[0] == numbers[1]


@pytest.mark.slow
def test_two_workers_are_gated_once_by_what_both_measured(folder):
    run(folder)
    (base,) = folder.glob(".mmbench/runs/*/*.json")
    same = run(folder, "-n", "2", "--mmbench-gate", str(base))
    assert "2 passed, 1 xfailed" in same.stdout, same.stdout + same.stderr
    assert same.stdout.count("gate: pass") == 1
    assert same.returncode == 0
    # As if the baseline had been other weights: 60 examples that all agree cannot show a loss below 4 points.
    base.write_text(base.read_text().replace(json.loads(base.read_text())["lineup"]["models"][0]["digest"], "other"))
    other = run(folder, "-n", "2", "--mmbench-gate", str(base), "--mmbench-margin", "accuracy=4")
    assert other.stdout.count("gate: inconclusive\ncells: 2 undecided") == 1, other.stdout + other.stderr
    assert "would be decided by" in other.stdout
    assert other.returncode == 1


@pytest.mark.slow
def test_fewer_rows_than_shots_names_the_class(folder):
    for path in (folder / "colours" / "train" / "blue").glob("[4-7].png"):
        path.unlink()
    done = run(folder)
    assert "3 failed" in done.stdout, done.stdout + done.stderr
    assert "'blue'" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_table_of_seeds_that_cannot_be_read_is_a_clean_failure(stage, forms, tmp_path):
    """No crash of pytest, and no verdict that leaves seeds out in silence."""
    broken = tmp_path / "mine.seeds.json"
    broken.write_text("{")
    object.__setattr__(stage.bench.lineup, "seeds", broken)
    stage.claim("a", forms["supported"])
    result = stage.run("--mmbench-evidence", "measured")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*a cannot be judged: *mine.seeds.json is no table of seed scores that can be read*"])
