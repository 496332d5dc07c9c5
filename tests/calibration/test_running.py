"""A design that is done is kept: a killed run goes on, and what decides the result is in the key."""

import json
from pathlib import Path

import pytest

from mmbench.calibration import running
from mmbench.calibration.running import GATE, Job, by_seconds, made

JOBS = [Job(f"printed correlation of {n} pairs, normal", 5, 0) for n in (12, 50)]


def silent(text: str) -> None:
    pass


def test_what_is_done_is_read_and_not_made_again(tmp_path: Path, monkeypatch) -> None:
    first = made(JOBS, tmp_path, 1, say=silent)
    monkeypatch.setattr(Job, "make", lambda self: pytest.fail(f"{self.name} is made again"))
    assert made(JOBS, tmp_path, 1, say=silent) == first


def test_a_killed_run_goes_on(tmp_path: Path, monkeypatch) -> None:
    whole = Job.make

    def killed(self):
        if self == JOBS[1]:
            raise KeyboardInterrupt
        return whole(self)

    monkeypatch.setattr(Job, "make", killed)
    with pytest.raises(KeyboardInterrupt):
        made(JOBS, tmp_path, 1, say=silent)
    monkeypatch.setattr(Job, "make", lambda self: whole(self) if self == JOBS[1] else pytest.fail(self.name))
    found = made(JOBS, tmp_path, 1, say=silent)
    assert [each["runs"] for each in found.values()] == [5, 5]
    assert found[JOBS[0].name]["rows"] == whole(JOBS[0])["rows"]


def test_asked_anew_it_is_made_again(tmp_path: Path, monkeypatch) -> None:
    made(JOBS[:1], tmp_path, 1, say=silent)
    monkeypatch.setattr(Job, "make", lambda self: {"seconds": 0.0, "rows": ["anew"]})
    assert made(JOBS[:1], tmp_path, 1, anew=True, say=silent)[JOBS[0].name]["rows"] == ["anew"]


def test_the_key_holds_name_runs_seed_and_program(monkeypatch) -> None:
    keys = {job.key() for job in (*JOBS, Job(JOBS[0].name, 6, 0), Job(JOBS[0].name, 5, 1), Job(GATE, 5, 0))}
    assert len(keys) == 5
    before = JOBS[0].key()
    asked = []
    monkeypatch.setattr(running, "program_digest", lambda module, rooms: asked.append((module, rooms)) or "other")
    assert JOBS[0].key() != before
    ((module, rooms),) = asked
    assert module == "mmbench.calibration.designs.printed"
    assert {"stats", "verdict", "probes", "metrics", "calibration"} <= rooms


def test_a_file_of_another_program_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / JOBS[0].file
    path.write_text(json.dumps({"key": "old", "made": {"rows": "old"}}))
    assert made(JOBS[:1], tmp_path, 1, say=silent)[JOBS[0].name]["rows"] != "old"
    assert json.loads(path.read_text())["key"] == JOBS[0].key()


def test_every_job_has_a_file_of_its_own() -> None:
    files = [Job(name, 1, 0).file for name in (*running.DESIGNS.names(), GATE)]
    assert len(set(files)) == len(files)


def test_the_longest_go_first_and_those_of_unknown_length_before_them() -> None:
    jobs = [Job(name, 1, 0) for name in "abc"]
    assert [job.name for job in by_seconds(jobs, {"a": 1.0, "b": 5.0})] == ["c", "b", "a"]


@pytest.mark.slow
def test_two_processes_find_the_same(tmp_path: Path) -> None:
    alone = made(JOBS, tmp_path / "alone", 1, say=silent)
    together = made(JOBS, tmp_path / "together", 2, say=silent)
    for name, each in alone.items():
        assert together[name]["rows"] == each["rows"]
