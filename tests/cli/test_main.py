"""The mmbench command: what it prints, for people and for programs, and how it fails."""

import subprocess
import sys

import pytest

from mmbench.cli.main import main
from mmbench.records.files import save_record

MACHINE = {"cpu": "a processor", "cores": 2, "os": "Linux 6", "architecture": "x86_64", "python": "3.11.7"}
CLAIM = "bielawski2022-mvsa-vision-clip-best"


def test_help_is_fast_and_loads_nothing_heavy():
    code = "import sys; from mmbench.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'numpy', 'torch', 'pydantic', 'pytest'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "pytest benchmarks" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["claims", CLAIM[:-1]], f"no claim named '{CLAIM[:-1]}'. Did you mean '{CLAIM}'"),
        (["claims", "--study", "devilers2021"], "Did you mean 'devillers2021'"),
        (["lineup", "embeded"], "no lineup named 'embeded'. Did you mean 'embedded'?"),
        (["report", "none.json"], "there is no record at none.json"),
        (["expect", "none.json"], "there is no record at none.json"),
        (["zoo", "train", "rn51"], "Did you mean"),
    ],
)
def test_errors_are_one_line_and_exit_1(arguments, message, capsys):
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mmbench: ")
    assert message in line


def test_a_folder_that_cannot_be_written_is_one_line(capsys, tmp_path, make_record):
    (tmp_path / "file").write_text("")
    record = save_record(make_record(), tmp_path)
    assert main(["report", str(record), "--out", str(tmp_path / "file" / "pages")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"mmbench: {tmp_path / 'file' / 'pages'}: Not a directory"


@pytest.mark.parametrize("arguments", [[], ["clams"], ["zoo", "feed"]])
def test_a_wrong_command_line_exits_2(arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
