"""What a run leaves at its end: a file that cannot be written costs neither the summary nor the gate's decision."""

import errno
import json
import os

import pytest

from mmbench.records.files import read_record
from mmbench.scores import Scores


def records(stage):
    return sorted(stage.pytester.path.glob(".mmbench/runs/*/*.json"))


def test_a_conftest_with_a_fixture_of_these_names_changes_no_test(stage, forms):
    """Else test_cell[bit_m-cub] would measure what the conftest says."""
    stage.claim("a", forms["supported"])
    stage.pytester.makeconftest("import pytest\n\n@pytest.fixture\ndef model():\n    return 'clip'\n")
    stage.run("-k", "test_cell").assert_outcomes(passed=3, deselected=1)
    assert sorted({str(cell.models) for cell in stage.bench.asked}) == ["bit_m", "clip", "rn50"]


@pytest.mark.parametrize("gate", [False, True])
def test_a_report_folder_that_cannot_be_made(stage, forms, gate):
    stage.claim("a", forms["supported"])
    stage.run().assert_outcomes(passed=4)
    (record,) = records(stage)
    (stage.pytester.path / "file").write_text("")
    gating = ("--mmbench-gate", str(record)) if gate else ()
    result = stage.run("--mmbench-report", "file/below", *gating)
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["measured, lineup staged*", "the record could not be written to file/below: Not a directory; *"]
    )
    if gate:
        result.stdout.fnmatch_lines(["gate: pass"])
        result.stdout.fnmatch_lines(["the gate's decision could not be written to file/below: *"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_fault_while_pages_are_drawn_keeps_the_record(stage, forms, monkeypatch):
    def broken(record, folder):
        raise RuntimeError("no such colour")

    monkeypatch.setattr("mmbench.report.pages.write_pages", broken)
    stage.claim("a", forms["supported"])
    result = stage.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*the pages could not be written to *: RuntimeError: no such colour"])
    assert len(read_record(*records(stage)).cells) == 5


def test_a_file_system_without_hard_links_holds_records(stage, forms, monkeypatch):
    def refused(source, target):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    stage.claim("a", forms["supported"])
    for count in (1, 2):
        assert stage.run().ret == pytest.ExitCode.OK
        assert [path.name[:4] for path in records(stage)] == ["0001", "0002"][:count]
    assert [read_record(path).cells[0].outcomes.array.shape for path in records(stage)] == [(10, 400)] * 2
    assert not list(stage.pytester.path.rglob(".writing-*"))


def test_names_that_are_no_utf8_and_escape_sequences_reach_no_terminal_and_cost_no_record(stage, forms):
    stage.claim("a", forms["supported"])
    ask = stage.bench.scores

    def named(cell):
        found = ask(cell)
        return Scores(
            found.outcomes, found.metric, "caf\udce9", 0.1, found.provenance | {"left_out": "\x1b[2Jcaf\udce9"}
        )

    stage.bench.scores = named
    object.__setattr__(stage.bench.lineup.datasets["cub"], "note", "\x1b[31mred\ncaf\udce9")
    result = stage.run("-v")
    result.assert_outcomes(passed=4)
    (path,) = records(stage)
    assert "\x1b" not in path.read_text(encoding="utf-8")
    record = read_record(path)
    assert record.lineup.datasets[0].note == r"\x1b[31mred\ncaf\xe9"
    assert record.cells[0].made_of["left_out"] == r"\x1b[2Jcaf\xe9"


def test_a_dataset_that_breaks_when_asked_who_it_is_costs_no_record(stage, forms):
    def identity():
        raise UnicodeEncodeError("utf-8", "caf\udce9", 3, 4, "surrogates not allowed")

    stage.claim("a", forms["supported"])
    entry = stage.bench.lineup.datasets["cub"].entry
    object.__setattr__(entry, "identity", identity)
    assert stage.run().ret == pytest.ExitCode.OK
    assert json.loads(records(stage)[0].read_text())["lineup"]["datasets"][0]["digest"] is None
