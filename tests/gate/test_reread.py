"""Weights and data are read again before a gate says that two models, or two datasets, are the same."""

import contextlib
import json
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from mmbench import files
from mmbench.cli.main import main
from mmbench.gate.comparison import gate_records
from mmbench.gate.decision import NotComparable
from mmbench.gate.reread import reread
from mmbench.lineups import load_lineup
from mmbench.models.checkpoints import file_digest
from mmbench.records.files import write_record
from mmbench.records.schema import Binding

from ..made_records import measured, model_role


def old_stamp(monkeypatch):
    """A disk that changes bytes and leaves size, times and inode as they were; as much of it as a test can have."""
    monkeypatch.setattr(files, "_JUST_NOW", -1)

    @contextlib.contextmanager
    def silently(path):
        status = path.stat()
        yield
        real = type(path).stat

        def stat(self, **options):
            return status if self == path else real(self, **options)

        monkeypatch.setattr(type(path), "stat", stat)
        assert files.stamp(path) == (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    return silently


def forget(monkeypatch):
    """A new process: nothing is remembered but what stands in notes."""
    monkeypatch.setattr(files, "_read", {})
    monkeypatch.setattr(files, "sha256_of", files.remembered(files.sha256_of.__wrapped__))


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A lineup file with one checkpoint, whose digest an earlier process noted, and which rotted since."""
    path = tmp_path / "a.safetensors"
    save_file({"weight": np.zeros(4, np.float32)}, path)
    silently = old_stamp(monkeypatch)
    noted = file_digest(path)
    with silently(path):
        raw = bytearray(path.read_bytes())
        raw[-1] ^= 1
        path.write_bytes(raw)
    forget(monkeypatch)
    return path, noted


def test_a_note_counts_in_a_run_without_a_gate_and_not_before_a_decision(weights, monkeypatch):
    path, noted = weights
    assert file_digest(path) == noted
    assert not files.read_in_this_run(path)
    with files.hashed_afresh():
        found = file_digest(path)
        assert found != noted
        assert files.read_in_this_run(path)
        monkeypatch.setattr(files.hashlib, "file_digest", None)  # a second reading in this run would fail
        assert file_digest(path) == found
    assert file_digest(path) == found  # the note is mended


def test_workers_of_one_run_read_a_file_once(weights, monkeypatch):
    path, _ = weights
    with files.hashed_afresh() as began:
        found = file_digest(path)
    forget(monkeypatch)  # another worker
    monkeypatch.setattr(files.hashlib, "file_digest", None)
    with files.hashed_afresh(began):
        assert file_digest(path) == found


def test_a_large_file_has_the_digest_that_a_small_reading_gives(tmp_path, monkeypatch):
    path = tmp_path / "big"
    path.write_bytes(bytes(range(256)) * 20)
    whole = files.sha256_of(path)
    forget(monkeypatch)
    monkeypatch.setattr(files, "BIG", 1)
    monkeypatch.setattr(files, "_BLOCK", 1000)
    monkeypatch.setattr(files.hashlib, "file_digest", None)
    assert files.sha256_of(path) == whole


@pytest.mark.parametrize("hashed", [True, False, None])
def test_only_digests_of_bytes_make_the_same_model(make_run, hashed):
    base = make_run([measured("clip", "cub")])
    models = (model_role("clip").model_copy(update={"hashed": hashed}),)
    found = gate_records(base, make_run(base.cells, models=models))
    assert found.same == (("few_shot[clip, cub]",) if hashed else ())
    assert any("did not take from the bytes" in note and "clip" in note for note in found.notes) is not bool(hashed)
    assert found.decision.decided == "pass"


def test_a_dataset_whose_digest_was_noted_is_named(make_run):
    base = make_run([measured("clip", "cub")])
    data = Binding(role="cub", spec="flags", digest="cub-1", hashed=False)
    (note,) = [n for n in gate_records(base, make_run(base.cells, datasets=(data,))).notes if "bytes" in n]
    assert "cub" in note


@pytest.fixture
def runs(weights, make_run, tmp_path):
    """A base and a candidate record of one lineup file; the candidate's digests come from notes."""
    path, noted = weights
    lineup = tmp_path / "mine.toml"
    spec = f"open_clip:RN50@{path}"
    lineup.write_text(f'[lineup]\nname = "mine"\n[models.clip]\nspec = "{spec}"\n')
    identity = load_lineup(lineup).models["clip"].entry.identity()
    assert identity.weights == noted
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))

    def made(*, hashed, digest=noted, started=now):
        bound = Binding(role="clip", spec=spec, digest=digest, identity={"architecture": "RN50"}, hashed=hashed)
        return make_run([measured("clip", "cub")], models=(bound,), options={"lineup": str(lineup)}, started=started)

    return path, made


def test_a_candidate_of_other_bytes_than_its_digest_says_is_refused(runs):
    _, made = runs
    base, candidate = made(hashed=True), made(hashed=False)
    with files.hashed_afresh(), pytest.raises(NotComparable, match=r"clip .* by the bytes of its files now"):
        reread(base, candidate)


def test_a_file_written_after_the_run_says_nothing_of_it(runs):
    _, made = runs
    base, candidate = made(hashed=True), made(hashed=False, started="2026-01-02T03:04:05Z")
    with files.hashed_afresh():
        assert reread(base, candidate).lineup.models[0].hashed is False


def test_bytes_that_are_here_make_the_digest_believed(runs):
    path, made = runs
    with files.hashed_afresh():
        digest = file_digest(path)
        found = reread(made(hashed=True, digest=digest), made(hashed=False, digest=digest))
    assert found.lineup.models[0].hashed is True
    assert gate_records(made(hashed=True, digest=digest), found).same == ("few_shot[clip, cub]",)


def test_the_command_reads_the_files_again(runs, tmp_path, capsys):
    _, made = runs
    base, candidate = tmp_path / "base.json", tmp_path / "candidate.json"
    write_record(made(hashed=True), base)
    write_record(made(hashed=False), candidate)
    assert main(["gate", str(base), str(candidate), "--json", str(tmp_path / "gate.json")]) == 3
    assert json.loads((tmp_path / "gate.json").read_text())["decided"] == "not comparable"
    assert "by the bytes of its files now" in capsys.readouterr().err
