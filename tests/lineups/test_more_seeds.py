"""Further trainings on the command line: which role each plays, and what is refused."""

import pytest

from mmbench.errors import BadSpec
from mmbench.lineups import load_lineup
from mmbench.lineups.more_seeds import bind_seeds, first_seed, with_more_seeds
from mmbench.protocol import Roles


@pytest.fixture(scope="module")
def bound():
    return load_lineup("embedded").bind_model("bit_m=zoo:bit_m")


@pytest.mark.parametrize("option", ["zoo:bit_m_seed1,zoo:bit_m_seed2", "bit_m=zoo:bit_m_seed1, zoo:bit_m_seed2"])
def test_each_training_plays_a_role_of_its_own(bound, option) -> None:
    found = bind_seeds(bound, option)
    assert [(r, b.spec) for r, b in found.models.items() if b.seed_of == "bit_m"] == [
        ("bit_m#2", "zoo:bit_m_seed1"),
        ("bit_m#3", "zoo:bit_m_seed2"),
    ]
    assert found.models["bit_m#2"].kind == "labels"
    assert {option.partition("=")[0] for option in found.overrides} == {"bit_m", "bit_m#2", "bit_m#3"}


def test_a_second_option_counts_on(bound) -> None:
    found = bind_seeds(bind_seeds(bound, "zoo:bit_m_seed1"), "zoo:bit_m_seed2")
    assert "bit_m#3" in found.models


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "clip=zoo:clip_seed1",
            "clip is not bound by --mmbench-model; bind its first training with --mmbench-model clip=",
        ),
        ("zoo:bit_m_seed1,", "has an empty specification; write ROLE=SPEC,SPEC"),
        ("zoo:bit_m_seed1,zoo:bit_m_seed1", "zoo:bit_m_seed1 plays bit_m already; name each training once"),
        ("zoo:bit_m", "zoo:bit_m plays bit_m already"),
        ("zoo:nothing", "nothing"),
    ],
)
def test_what_is_refused(bound, option, message) -> None:
    with pytest.raises(BadSpec, match=message):
        bind_seeds(bound, option)


def test_without_a_role_it_must_be_clear_which() -> None:
    lineup = load_lineup("embedded")
    with pytest.raises(BadSpec, match="names no role, and of the roles of --mmbench-model none is"):
        bind_seeds(lineup, "zoo:bit_m_seed1")
    two = lineup.bind_model("bit_m=zoo:bit_m").bind_model("clip=zoo:clip")
    with pytest.raises(BadSpec, match="2 are: bit_m, clip; write ROLE=SPEC,SPEC"):
        bind_seeds(two, "zoo:bit_m_seed1")


def test_a_seed_is_asked_for_what_the_first_is_asked_for(bound) -> None:
    lineup = bind_seeds(bound, "zoo:bit_m_seed1")
    pairs = with_more_seeds([(Roles("bit_m", "bert_base"), "cub"), (Roles("clip"), "cub")], lineup)
    seed = Roles("bit_m#2", "bert_base")
    assert list(pairs) == [(Roles("bit_m", "bert_base"), "cub"), (seed, "cub"), (Roles("clip"), "cub")]
    assert first_seed(seed, lineup) == Roles("bit_m", "bert_base")
