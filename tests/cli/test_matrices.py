"""``mmbench matrices``: from a record and the store to the figure on the record's page."""

import itertools

import numpy as np
import pytest

from mmbench.bench.bench import Bench
from mmbench.bench.keys import digest
from mmbench.cli.main import main
from mmbench.inputs.pair import Pair, Side
from mmbench.probes.rdm import RSA
from mmbench.records.files import save_record
from mmbench.records.schema import CellPart, LineupPart, Record
from mmbench.report.matrices import pairs_of
from mmbench.report.similarity import compared

from .conftest import MACHINE

ROLES = ("clip", "bit_m", "rn50", "sin", "ar_l2")
NAMES = tuple("abcdef")


def pair_of(models):
    labels = np.repeat(np.arange(6), 3)
    rng = np.random.default_rng(0)
    x = {role: rng.standard_normal((18, 4)).astype(np.float32) for role in ROLES}
    return Pair(tuple(Side(role, x[role], labels) for role in models), NAMES)


class Asked:
    """A bench that gathers what it is asked for."""

    def inputs(self, cell):
        return pair_of(cell.models)


def cell(one, other, features):
    return CellPart(
        protocol="rsa", probe="rdm", fingerprint=RSA.fingerprint(), reading="paper", models=(one, other),
        dataset="imagenet", metric="rdm_pearson", trials=(0.5,), mean=0.5, chance=0.0, examples=6,
        made_of={"features": features},
    )  # fmt: skip


def record_of(cells):
    return Record(
        label="mine", machine=MACHINE, versions={}, lineup=LineupPart(name="mine"), started="2026-01-01T00:00:01Z",
        seconds=1.0, cells=tuple(cells),
    )  # fmt: skip


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.setattr(Bench, "open", lambda *_, **__: Asked())

    def save(features=lambda pair: digest(*pair_of(pair).arrays())):
        record = record_of(cell(*pair, features(pair)) for pair in itertools.combinations(ROLES, 2))
        return str(save_record(record, tmp_path / "runs"))

    return save


def test_the_figure_is_written_and_shown_on_the_page(saved, tmp_path, capsys):
    assert main(["matrices", saved(), "--out", str(tmp_path / "pages")]) == 0
    figure, markdown, _ = capsys.readouterr().out.split()
    assert figure.endswith("mine-rsa-matrices.svg")
    assert "mine-rsa-matrices.svg" in (tmp_path / "pages" / "mine.md").read_text()
    assert markdown.endswith("mine.md")


def test_features_of_another_run_are_refused(saved, tmp_path, capsys):
    assert main(["matrices", saved(lambda pair: "old"), "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "expected the features that the record was made from, old, found" in said
    assert "its lineup (--lineup), and the roles that were bound on the command line (--model, --dataset)" in said


def test_a_lineup_of_a_file_and_roles_bound_by_hand_are_given_again(saved, tmp_path, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr(Bench, "open", lambda *given, **more: opened.append((given, more)) or Asked())
    made = saved()
    options = ["--lineup", "own/mine.toml", "--model", "clip=zoo:clip@x", "--dataset", "imagenet=concepts"]
    assert main(["matrices", made, "--out", str(tmp_path), *options]) == 0
    ((lineup,), more) = opened[0]
    assert lineup == "own/mine.toml"
    assert (more["models"], more["datasets"]) == (["clip=zoo:clip@x"], ["imagenet=concepts"])


def test_a_lineup_that_does_not_come_with_mmbench_is_asked_for(saved, tmp_path, capsys, monkeypatch):
    monkeypatch.undo()
    assert main(["matrices", saved(), "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "is of the lineup 'mine', which does not come with mmbench; give its file with --lineup" in said


def test_matrices_of_one_dataset_and_one_setting_are_shown_together(saved, tmp_path, capsys):
    """Cells of the same pairs on another dataset, which come later, are no part of the figure."""
    digests = lambda pair: digest(*pair_of(pair).arrays())  # noqa: E731
    further = [
        cell(*pair, "other").model_copy(update={"dataset": "cub"}) for pair in itertools.combinations(ROLES[:4], 2)
    ]
    others = [one.model_copy(update={"dataset": "imagenet", "fingerprint": "0" * 16}) for one in further]
    record = record_of((*(cell(*pair, digests(pair)) for pair in itertools.combinations(ROLES, 2)), *further, *others))
    of = compared(record, {})
    assert {part.dataset for part in pairs_of(record, of)} == {"imagenet"}
    assert {part.fingerprint for part in pairs_of(record, of)} == {RSA.fingerprint()}
    assert main(["matrices", str(save_record(record, tmp_path / "runs")), "--out", str(tmp_path / "pages")]) == 0
