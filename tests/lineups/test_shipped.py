"""The lineups that come with mmbench: complete, resolvable, honest about stand-ins, and cheap to read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mmbench.errors import MissingAsset
from mmbench.lineups import DATASET_ROLES, MODEL_ROLES, lineup_names, load_lineup
from mmbench.models.entry import ModelEntry

LINEUPS = ("embedded", "paper", "paper_224", "paper_hub_robust", "paper_clip2021")
OWN = {role.name for role in MODEL_ROLES if role.own}
PAPER_MODELS = {*MODEL_ROLES.names()} - OWN - {*load_lineup("paper").unbound_models}
WIDTHS = {
    **dict.fromkeys(("rn50", "bit_m", "sin", "sin_in", "sin_in_fin", "ar_l2", "ar_li4", "ar_li8"), 2048),
    **dict.fromkeys(("tsm", "virtex", "icmlm", "limber_nfrn50"), 2048),
    **dict.fromkeys(("clip", "clip_t", "bert_large", "limber_beit", "limber_beit_ft"), 1024),
    **dict.fromkeys(("bert", "bert_base", "gpt2", "vit_unimodal", "dino_vitb16"), 768),
    "clip_vitb32": 512,
}


def bindings():
    found = []
    for name in LINEUPS:
        lineup = load_lineup(name)
        for kind, bound in (("model", lineup.models), ("dataset", lineup.datasets)):
            found += [pytest.param(name, kind, role, id=f"{name}-{role}") for role in bound]
    return found


def test_all_are_tested():
    assert set(lineup_names()) == set(LINEUPS)


@pytest.mark.parametrize("name", LINEUPS)
def test_every_role_is_bound_or_the_lineup_says_why_not(name):
    lineup = load_lineup(name)
    assert {*lineup.models, *lineup.unbound_models} == {*MODEL_ROLES.names()}
    assert {*lineup.datasets, *lineup.unbound_datasets} == {*DATASET_ROLES.names()}
    assert all({**lineup.unbound_models, **lineup.unbound_datasets}.values())


@pytest.mark.parametrize(("name", "kind", "role"), bindings())
def test_every_binding_resolves_without_loading(name, kind, role):
    binding = getattr(load_lineup(name), kind)(role)
    assert binding.entry.name
    if kind == "model":
        assert binding.entry.modality == ("text" if binding.kind == "text" or role == "free_words" else "image")


def test_paper_binds_every_model_of_the_papers():
    assert set(load_lineup("paper").models) == PAPER_MODELS
    assert set(WIDTHS) <= PAPER_MODELS


@pytest.mark.parametrize("name", ["paper", "paper_224"])
def test_paper_has_no_stand_ins_and_declares_every_width(name):
    lineup = load_lineup(name)
    assert not any(binding.stand_in_for for binding in (*lineup.models.values(), *lineup.datasets.values()))
    widths = {role: lineup.model(role).entry.dim for role in lineup.models}
    assert {role: widths[role] for role in WIDTHS} == WIDTHS
    assert all(widths.values())


def test_the_thesis_ran_its_networks_at_224():
    assert "size=224" in load_lineup("paper_224").model("rn50").spec
    assert "size=256" in load_lineup("paper").model("rn50").spec
    assert load_lineup("paper_224").model("clip").spec == load_lineup("paper").model("clip").spec


def test_the_hubs_robust_networks_stand_in_for_the_papers():
    """They are other weights (D-21)."""
    paper, hub = load_lineup("paper"), load_lineup("paper_hub_robust")
    changed = {role for role in paper.models if paper.model(role).spec != hub.model(role).spec}
    assert changed == {"ar_l2", "ar_li4", "ar_li8"}
    assert all(hub.model(role).stand_in_for for role in changed)


def test_embedded_calls_its_stand_ins_so():
    lineup = load_lineup("embedded")
    named = {role for role in lineup.models if role not in {*OWN, "free_words"}}  # they stand in for nothing
    assert {role for role, binding in lineup.models.items() if binding.stand_in_for} == named
    assert all(binding.stand_in_for and binding.note for binding in lineup.datasets.values())
    assert all(binding.note for binding in lineup.models.values())


@pytest.mark.parametrize("role", sorted(PAPER_MODELS - {"free_words"}))
def test_without_the_files_a_model_of_the_paper_says_what_is_missing(role, tmp_path, monkeypatch):
    import huggingface_hub.constants
    import torch

    monkeypatch.setenv("MMBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("mmbench.models.timm.build", no_build)  # a large network would be initialised for nothing
    monkeypatch.setattr("mmbench.models.torchvision.build", no_build)
    entry: ModelEntry = load_lineup("paper").model(role).entry
    assert entry.identity().weights is None
    with pytest.raises(MissingAsset, match=r"(the file is not there|or name a (file|folder): )"):
        entry.load()


def no_build(*args):
    import torch

    module = torch.nn.Sequential()
    module.fc = torch.nn.Linear(2048, 10)
    return module


@pytest.mark.parametrize("name", LINEUPS)
def test_reading_and_describing_import_no_torch(name, tmp_path):
    code = (
        "import sys\n"
        "from mmbench.lineups import describe, load_lineup\n"
        f"rows = describe(load_lineup({name!r}))\n"
        "assert len(rows) > 30, len(rows)\n"
        "heavy = {'torch', 'timm', 'open_clip', 'transformers', 'torchvision', 'sklearn', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    env = {"PATH": "", "MMBENCH_CACHE": str(tmp_path), "HF_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
