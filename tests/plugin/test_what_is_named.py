"""What the command line names must be there: an error with the nearest name, never a skip and never green."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

MODULE = """
import pytest
from mmbench.probes.prototypes import FEW_SHOT

pytestmark = pytest.mark.mmbench(FEW_SHOT)

def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)
"""
LINEUP = """
[lineup]
name = "named"
[models.bit_m]
spec = "{model}"
[datasets.cub]
spec = "imagefolder:pets"
"""


@pytest.fixture
def project(tmp_path):
    """Two classes of six pictures, an untrained network, and a lineup that binds both."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / "pets" / split / name).mkdir(parents=True)
            for number in range(6):
                picture = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
                picture.save(tmp_path / "pets" / split / name / f"{number}.png")
    (tmp_path / "test_named.py").write_text(MODULE)
    (tmp_path / "lineup.toml").write_text(LINEUP.format(model="zoo:random"))

    def run(*options):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *options]
        command += ["--mmbench-lineup", "lineup.toml", "--mmbench-store", "store", "--mmbench-offline"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False)

    return tmp_path, run


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--mmbench-model=bit_m=timm:resnet10t@bets.pt", r"did you mean 'best.pt'?"),
        ("--mmbench-model=bit_m=open_clip:RN50@bets.pt", r"did you mean 'best.pt'?"),
        ("--mmbench-dataset=cub=table:film.csv?image=image&label=label", r"did you mean 'films.csv'?"),
        ("--mmbench-dataset=cub=webdataset:shard", r"did you mean 'shards'?"),
        ("--mmbench-dataset=cub=imagefolder:pest", r"pest is not a folder"),
        ("--mmbench-model=clop=zoo:random", r"no model role is named 'clop'; did you mean 'clip'?"),
        ("--mmbench-dataset=cup=imagefolder:pets", r"no dataset role is named 'cup'; did you mean 'cub'?"),
        ("--mmbench-gate=bass.json", r"there is no record at bass.json"),
    ],
)
def test_a_mistyped_name_is_an_error_before_any_test(pytester, loaded, monkeypatch, option, said):
    for name in ("best.pt", "films.csv"):
        (pytester.path / name).write_text("")
    (pytester.path / "shards").mkdir()
    monkeypatch.delenv("MMBENCH_WEIGHTS", raising=False)
    pytester.makepyfile(test_unrelated="def test_nothing():\n    pass\n")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()


def test_a_model_that_cannot_be_loaded_skips_in_a_lineup_and_fails_where_it_was_named(project):
    """Published weights are looked for when the model is loaded; a lineup may name what this machine does not have."""
    folder, run = project
    spec = "timm:resnet10t.c3_in1k"
    named = run(f"--mmbench-model=bit_m={spec}")
    assert named.returncode == 1, named.stdout + named.stderr
    assert "bit_m was bound on the command line and is not there" in named.stdout
    (folder / "lineup.toml").write_text(LINEUP.format(model=spec))
    listed = run()
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert "1 skipped" in listed.stdout


def test_timings_that_are_asked_for_are_taken_on_a_warm_store(project):
    folder, run = project
    cold = run()
    assert "1 passed" in cold.stdout, cold.stdout + cold.stderr
    warm = run("--benchmark-json", "times.json")
    assert warm.returncode == 0, warm.stdout + warm.stderr
    text = (folder / "times.json").read_text()
    assert "test_cell[bit_m-cub]" in text
    (folder / "times.json").unlink()
    assert "1 passed" in run().stdout
    assert not (folder / "times.json").exists()
