"""Roles: one entry in one place says what a report must know."""

import pytest

from mmbench.errors import BadSpec, DuplicateName
from mmbench.lineups import load_lineup
from mmbench.lineups.roles import DATASET_ROLES, KINDS, MODEL_ROLES, Role, kind_of, untrained_models
from mmbench.protocol import Roles
from mmbench.report.figures import COLOURS

KIND = {
    "labels": {
        *("rn50", "bit_m", "sin", "sin_in", "sin_in_fin", "ar_l2", "ar_li4", "ar_li8", "vit", "efficientnet"),
        *("vit_unimodal", "limber_beit_ft", "limber_nfrn50"),
        *("noisy_student_l2", "efficientnet_b7", "bit_m_r152x2", "ig_resnext", "resnet101", "resnet152"),
        *("bit_m_seed1", "bit_m_seed2", "rn50_seed1", "rn50_seed2", "sin_seed1", "sin_seed2"),
    },
    "language": {
        *("clip", "tsm", "virtex", "icmlm", "slip", "clip_vitb32", "clip_seed1", "clip_seed2", "slip_seed1"),
        *("clip_vitl14_336", "clip_vitl14", "clip_vitb16", "clip_rn101", "clip_rn50x4", "clip_rn50x16"),
        *("clip_rn50x64", "clip_yfcc_rn50"),
    },
    "images": {"simclr", "dino", "beit", "dino_vitb16", "limber_beit"},
    "text": {"clip_t", "bert", "bert_base", "bert_large", "gpt2", "smollm2", "clip_vitl14_336_t", "clip_yfcc_rn50_t"},
    "baseline": {"free_words", "pixels"},
    "untrained": {"random"},
}


def test_every_role_has_the_kind_of_its_training():
    found = {kind: {MODEL_ROLES.get(name).kind for name in names} for kind, names in KIND.items()}
    assert found == {kind: {kind} for kind in KIND}
    assert untrained_models() == {"random"}


def test_every_role_says_what_it_is_and_has_a_name_of_its_own():
    assert all(role.about for role in (*MODEL_ROLES, *DATASET_ROLES))
    assert not {*MODEL_ROLES.names()} & {*DATASET_ROLES.names()}
    assert {role.kind for role in DATASET_ROLES} == {"unstated"}


def test_every_kind_has_a_colour_of_its_own():
    assert list(COLOURS) == list(KINDS)
    assert len({*COLOURS.values()}) == len(KINDS)


def test_a_role_is_added_in_one_place(monkeypatch):
    monkeypatch.setattr(MODEL_ROLES, "_entries", dict(MODEL_ROLES._entries))
    assert kind_of(Roles("flamingo")) == "unstated"
    MODEL_ROLES.add(Role("flamingo", "a language model that sees", "language"))
    assert kind_of(Roles("flamingo")) == "language"
    with pytest.raises(BadSpec, match="no model role is named 'flamingos'; did you mean 'flamingo'"):
        load_lineup("embedded").bind_model("flamingos=minilm")
    with pytest.raises(DuplicateName, match="model role 'flamingo' is already registered"):
        MODEL_ROLES.add(Role("flamingo", "another"))


def test_a_kind_that_does_not_exist_is_refused():
    message = (
        "^role 'x' has the kind 'sound', expected one of labels, language, images, unstated, text, joined, baseline, "
        "untrained$"
    )
    with pytest.raises(BadSpec, match=message):
        Role("x", "y", "sound")


def test_kinds_are_stated_or_registered_or_follow_the_modality(tmp_path):
    (tmp_path / "l.toml").write_text(
        '[lineup]\nname = "l"\n'
        '[models.mine]\nspec = "zoo:clip"\nkind = "language"\n'
        '[models.clip]\nspec = "zoo:random"\nkind = "untrained"\n'
        '[models.bit_m]\nspec = "zoo:bit_m"\n'
        '[models.plain]\nspec = "zoo:bit_m"\n'
        '[models.words]\nspec = "minilm"\n'
    )
    lineup = load_lineup(tmp_path / "l.toml")
    kinds = {role: bound.kind for role, bound in lineup.models.items()}
    expected = {"mine": "language", "clip": "untrained", "bit_m": "labels", "plain": "unstated", "words": "text"}
    assert kinds == expected
    assert lineup.bind_model("other=minilm").model("other").kind == "text"
    assert kind_of(Roles("clip"), {"clip": "untrained"}) == "untrained"
    assert kind_of(Roles("clip", "clip_t"), {"clip": "untrained"}) == "joined"


def test_a_lineup_cannot_state_another_kind(tmp_path):
    path = tmp_path / "l.toml"
    path.write_text('[lineup]\nname = "l"\n[models.mine]\nspec = "zoo:clip"\nkind = "sound"\n')
    with pytest.raises(BadSpec) as caught:
        load_lineup(path)
    assert str(caught.value) == (
        f"{path}: [models.mine] kind should be one of labels, language, images, unstated, text, joined, baseline, "
        "untrained, not 'sound'"
    )
    path.write_text('[lineup]\nname = "l"\n[datasets.mine]\nspec = "flags"\nkind = "labels"\n')
    with pytest.raises(BadSpec, match=r"\[datasets.mine\] kind is unknown; known here: spec, stand_in_for, note"):
        load_lineup(path)
