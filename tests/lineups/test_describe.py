"""A lineup as rows: who plays what, whether its files are here, and what is wrong with it."""

from __future__ import annotations

import pytest

from mmbench.lineups import describe, load_lineup

TEXT = """
[lineup]
name = "l"
[models.clip]
spec = "timm:resnet18@here.pth"
stand_in_for = "CLIP"
note = "a note"
[models.rn50]
spec = "timm:resnet18@missing.pth"
[models.random]
spec = "timm:resnet18?random=0"
[models.sin]
spec = "timm:resnet18.a1_in1k"
[models.bit_m]
spec = "timn:resnet18"
[models.bert_base]
spec = "minilm"
[unbound.models]
virtex = "nobody trained it"
[unbound.datasets]
cub = "no birds"
"""


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here.pth").write_bytes(b"12345")
    (tmp_path / "l.toml").write_text(TEXT)
    return {row["role"]: row for row in describe(load_lineup(tmp_path / "l.toml"))}


def test_every_role_has_one_row_of_the_same_fields(rows):
    assert list(rows) == ["clip", "rn50", "random", "sin", "bit_m", "bert_base", "virtex", "cub"]
    assert len({tuple(sorted(row)) for row in rows.values()}) == 1


def test_a_file_that_is_here(rows):
    row = rows["clip"]
    assert (row["here"], row["size"], row["source"]) == (True, 5, "timm resnet18")
    assert (row["kind"], row["spec"], row["stand_in_for"], row["note"]) == (
        "model",
        "timm:resnet18@here.pth",
        "CLIP",
        "a note",
    )


def test_a_file_that_is_missing(rows):
    assert (rows["rn50"]["here"], rows["rn50"]["size"], rows["rn50"]["problem"]) == (False, None, "")


def test_untrained_weights_need_no_file(rows):
    assert rows["random"]["here"] is True


def test_published_weights_that_no_load_has_found_yet_cannot_be_told(rows):
    assert rows["sin"]["here"] is None


def test_a_wheel_that_is_not_fetched_has_a_size_and_a_licence(rows):
    assert (rows["bert_base"]["here"], rows["bert_base"]["licence"]) == (False, "Apache-2.0")
    assert rows["bert_base"]["size"] > 80_000_000


def test_problems(rows):
    assert "no model source named 'timn'" in rows["bit_m"]["problem"]
    assert (rows["virtex"]["problem"], rows["virtex"]["kind"]) == ("nobody trained it", "model")
    assert (rows["cub"]["problem"], rows["cub"]["kind"]) == ("no birds", "dataset")
