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


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.setattr(Bench, "open", lambda *_, **__: Asked())

    def save(features=lambda pair: digest(*pair_of(pair).arrays())):
        cells = tuple(cell(*pair, features(pair)) for pair in itertools.combinations(ROLES, 2))
        record = Record(
            label="mine", machine=MACHINE, versions={}, lineup=LineupPart(name="mine"),
            started="2026-01-01T00:00:01Z", seconds=1.0, cells=cells,
        )  # fmt: skip
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
    assert "with roles bound on the command line cannot be drawn again" in said
