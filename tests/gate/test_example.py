"""The README's worked example: the committed records decide as it says, in the words that it shows."""

from pathlib import Path

import pytest

import mmbench
from mmbench.cli.main import main

ROOT = Path(mmbench.__file__).parents[1]
GATE = ROOT / "reports" / "gate"


@pytest.mark.parametrize(("stage", "code"), [("step0300", 1), ("step1100", 0)])
def test_the_early_stage_fails_and_the_late_one_passes(stage, code, capsys, tmp_path):
    page = tmp_path / "gate.md"
    assert main(["gate", str(GATE / "base.json"), str(GATE / f"{stage}.json"), "--markdown", str(page)]) == code
    assert page.read_text() == (GATE / f"{stage}.md").read_text()
    printed = capsys.readouterr().out.splitlines()
    readme = (ROOT / "README.md").read_text()
    command = f"$ mmbench gate reports/gate/base.json reports/gate/{stage}.json\n"
    shown = readme[readme.index(command) + len(command) :].split("\n...\n")[0].splitlines()
    assert len(shown) >= 2
    assert printed[: len(shown)] == shown


def test_the_baseline_with_a_planted_loss_fails(capsys):
    base = str(GATE / "base.json")
    assert main(["gate", base, base]) == 0
    assert main(["gate", base, base, "--inject", "accuracy=10"]) == 1
