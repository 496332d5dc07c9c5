"""Lineup files: what they bind, what they refuse and in which words, and how ROLE=SPEC is laid over them."""

from __future__ import annotations

import pytest

from mmbench.errors import BadSpec, MissingAsset, UnknownName, Unmeasured
from mmbench.lineups import DATASET_ROLES, MODEL_ROLES, load_lineup

SMALL = """
[lineup]
name = "small"
about = "for tests"
[models.clip]
spec = "minilm"
stand_in_for = "CLIP"
note = "not even an image tower"
[models.rn50]
spec = "timm:resnet18@a.pth"
[unbound.models]
virtex = "nobody trained it"
[unbound.datasets]
cub = "no birds"
"""


@pytest.fixture
def small(tmp_path):
    return write(tmp_path, SMALL)


def write(folder, text, name="small.toml"):
    path = folder / name
    path.write_text(text)
    return path


class TestReading:
    def test_bindings_carry_what_the_file_says(self, small):
        lineup = load_lineup(small)
        clip = lineup.model("clip")
        assert (lineup.name, lineup.about) == ("small", "for tests")
        assert (clip.role, clip.spec, clip.stand_in_for, clip.note) == (
            "clip",
            "minilm",
            "CLIP",
            "not even an image tower",
        )
        assert clip.where == str(small)
        assert clip.entry.name == "minilm"

    def test_an_entry_is_resolved_once_and_not_before(self, tmp_path):
        lineup = load_lineup(write(tmp_path, '[lineup]\nname = "l"\n[models.clip]\nspec = "timn:no"\n'))
        with pytest.raises(BadSpec) as caught:
            _ = lineup.model("clip").entry
        said = (
            f"role 'clip' in {tmp_path}/small.toml: no model source named 'timn'. Did you mean 'timm'? (in 'timn:no')"
        )
        assert str(caught.value) == said
        good = load_lineup(write(tmp_path, SMALL)).model("clip")
        assert good.entry is good.entry

    def test_variables_in_a_specification_are_replaced_when_it_is_resolved(self, tmp_path, monkeypatch):
        text = "[lineup]\nname = 'l'\n[datasets.cifar10]\nspec = 'torchvision:CIFAR10?root=$MMBENCH_DATA'\n"
        binding = load_lineup(write(tmp_path, text)).dataset("cifar10")
        monkeypatch.setenv("MMBENCH_DATA", str(tmp_path / "data"))
        assert binding.spec == "torchvision:CIFAR10?root=$MMBENCH_DATA"
        with pytest.raises(MissingAsset, match=str(tmp_path / "data")):
            binding.entry.load()

    def test_roles_without_a_binding(self, small):
        lineup = load_lineup(small)
        with pytest.raises(Unmeasured) as caught:
            lineup.model("virtex")
        assert str(caught.value) == (
            "model role 'virtex' is not bound in lineup 'small': nobody trained it; bind it with "
            "--mmbench-model virtex=SPEC"
        )
        with pytest.raises(
            Unmeasured, match=r"lineup 'small': it has no \[models.tsm\]; bind it with --mmbench-model tsm="
        ):
            lineup.model("tsm")
        with pytest.raises(Unmeasured, match="dataset role 'cub' is not bound in lineup 'small': no birds"):
            lineup.dataset("cub")

    def test_unknown_roles_suggest_the_nearest(self, small):
        with pytest.raises(UnknownName, match=r"^no model role named 'bitm'. Did you mean 'bit_m'"):
            load_lineup(small).model("bitm")
        with pytest.raises(UnknownName, match=r"^no dataset role named 'cifr10'. Did you mean 'cifar10'"):
            load_lineup(small).dataset("cifr10")

    def test_what_it_covers(self, small):
        lineup = load_lineup(small)
        assert lineup.covers_model("clip")
        assert lineup.covers_model("virtex")
        assert not lineup.covers_model("tsm")
        assert lineup.covers_dataset("cub")
        assert not lineup.covers_dataset("mnist")


HEAD = '[lineup]\nname = "l"\n'


@pytest.mark.parametrize(("text", "words"), [
    ("[lineup\n", "{} is not TOML: "),
    ("", "{}: lineup is missing"),
    ("[lineup]\n", "{}: [lineup] name is missing"),
    ('[lineup]\nname = ""\n', "{}: [lineup] name: String should have at least 1 character, not ''"),
    ('[lineup]\nname = "l"\nabuot = "x"\n', "{}: [lineup] abuot is unknown; did you mean 'about'?"),
    (HEAD + "[model.clip]\nspec = 'x'\n", "{}: model is unknown; did you mean 'models'?"),
    (HEAD + "[models.clip]\nsepc = 'x'\n", "{}: [models.clip] spec is missing"),
    (HEAD + "[models.clip]\nspec = 'x'\nstandin_for = 'y'\n",
     "{}: [models.clip] standin_for is unknown; did you mean 'stand_in_for'?"),
    (HEAD + "[models.clip]\nspec = 'x'\nzzz = 'y'\n",
     "{}: [models.clip] zzz is unknown; known here: spec, stand_in_for, note, kind"),
    (HEAD + "[models.clip]\nspec = 3\n", "{}: [models.clip] spec: Input should be a valid string, not 3"),
    (HEAD + "[models]\nclip = 'x'\n", "{}: [models] clip should be a table, not 'x'"),
    (HEAD + "[unbound.model]\nclip = 'x'\n", "{}: [unbound] model is unknown; did you mean 'models'?"),
    (HEAD + "[models.bitm]\nspec = 'x'\n",
     "{}: no model role is named 'bitm'; did you mean 'bit_m'? (a role of your own goes into new_roles of [lineup])"),
    (HEAD + "[datasets.cifar_10]\nspec = 'x'\n", "{}: no dataset role is named 'cifar_10'; did you mean 'cifar10'?"),
    (HEAD + "[unbound.models]\nvirtx = 'x'\n", "{}: no model role is named 'virtx'; did you mean 'virtex'?"),
    (HEAD + "[models.clip]\nspec = 'x'\n[unbound.models]\nclip = 'y'\n",
     "{}: 'clip' stands in [models] and in [unbound.models]; keep one"),
    ('[lineup]\nname = "l"\nextends = "no/where.toml"\n', "there is no lineup file "),
    ('[lineup]\nname = "l"\nextends = "small.toml"\n',
     "{}: lineups extend each other in a circle: small.toml -> small.toml"),
])  # fmt: skip
def test_a_mistake_names_file_table_and_key(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(BadSpec) as caught:
        load_lineup(path)
    assert str(caught.value).startswith(words.format(path))


def test_new_roles_are_taken_when_they_resemble_none_or_are_declared(tmp_path):
    plain = load_lineup(write(tmp_path, HEAD + "[models.my_network]\nspec = 'minilm'\n"))
    assert plain.model("my_network").entry.name == "minilm"
    declared = '[lineup]\nname = "l"\nnew_roles = ["clip2"]\n[models.clip2]\nspec = "minilm"\n'
    assert load_lineup(write(tmp_path, declared)).model("clip2").spec == "minilm"


class TestFinding:
    def test_an_unknown_name_suggests(self):
        with pytest.raises(UnknownName) as caught:
            load_lineup("embeded")
        assert str(caught.value).startswith("no lineup named 'embeded'. Did you mean 'embedded'?")

    def test_a_missing_file_is_told_with_its_full_path(self, tmp_path):
        with pytest.raises(
            BadSpec, match=r"there is no lineup file /.*none.toml; give a path to a TOML file or one of: emb"
        ):
            load_lineup(tmp_path / "none.toml")


class TestExtending:
    def child(self, folder, text):
        write(folder, SMALL)
        return load_lineup(write(folder, f'[lineup]\nname = "child"\nextends = "small.toml"\n{text}', "child.toml"))

    def test_own_bindings_go_over_the_parents(self, tmp_path):
        child = self.child(tmp_path, '[models.clip]\nspec = "efficientnet_lite0"\n[models.virtex]\nspec = "minilm"\n')
        assert child.name == "child"
        assert child.model("clip").entry.name == "efficientnet_lite0"
        assert child.model("rn50").spec == "timm:resnet18@a.pth"
        assert child.model("virtex").spec == "minilm"
        assert not child.unbound_models

    def test_a_role_can_be_taken_away(self, tmp_path):
        child = self.child(tmp_path, '[unbound.models]\nclip = "not here"\n')
        with pytest.raises(Unmeasured, match="not here"):
            child.model("clip")


class TestBinding:
    def test_gives_a_new_lineup_that_says_so(self, small, tmp_path):
        lineup = load_lineup(small)
        weights = tmp_path / "b.pth"
        weights.write_bytes(b"any")
        bound = lineup.bind_model(f"virtex=timm:resnet18@{weights}?size=64")
        assert bound.model("virtex").spec == f"timm:resnet18@{weights}?size=64"
        assert bound.overrides == (f"virtex=timm:resnet18@{weights}?size=64",)
        assert "virtex" not in bound.unbound_models
        assert lineup.overrides == ()
        with pytest.raises(Unmeasured):
            lineup.model("virtex")

    def test_a_clearly_new_role_is_taken(self, small):
        assert load_lineup(small).bind_model("my_network = minilm").model("my_network").entry.name == "minilm"

    @pytest.mark.parametrize(("option", "words"), [
        ("clip", "--mmbench-model 'clip' is not ROLE=SPEC, such as clip=open_clip:RN50:openai"),
        ("=minilm", "--mmbench-model '=minilm' is not ROLE=SPEC"),
        ("clp=minilm", "--mmbench-model 'clp=minilm': no model role is named 'clp'; did you mean 'clip'?"),
        ("bit=minilm", "--mmbench-model 'bit=minilm': no model role is named 'bit'; did you mean 'bit_m'?"),
        ("clip=minilmm", "role 'clip' in --mmbench-model clip=minilmm: no model named 'minilmm'. Did you mean 'minil"),
        ("clip=open_clip:RN50", "role 'clip' in --mmbench-model clip=open_clip:RN50: model 'open_clip:RN50' names no"),
    ])  # fmt: skip
    def test_a_mistake_is_told_at_once(self, small, option, words):
        with pytest.raises(BadSpec) as caught:
            load_lineup(small).bind_model(option)
        assert str(caught.value).startswith(words)

    def test_a_dataset_is_bound_alike(self, small, tmp_path):
        lineup = load_lineup(small)
        bound = lineup.bind_dataset("cub=mnist5k")
        assert bound.dataset("cub").entry.name == "mnist5k"
        assert "cub" not in bound.unbound_datasets
        with pytest.raises(BadSpec, match="no dataset role is named 'cifr10'; did you mean 'cifar10'"):
            lineup.bind_dataset("cifr10=mnist5k")
        with pytest.raises(BadSpec, match="role 'cub' in --mmbench-dataset cub=mnist5kk: no dataset"):
            lineup.bind_dataset("cub=mnist5kk")


def test_roles_do_not_resemble_each_other_by_mistake():
    """Every known role is taken as itself, however near others are."""
    lineup = load_lineup("embedded")
    for role in MODEL_ROLES.names():
        assert lineup.bind_model(f"{role}=minilm").model(role).spec == "minilm"
    assert not {*MODEL_ROLES.names()} & {*DATASET_ROLES.names()}
