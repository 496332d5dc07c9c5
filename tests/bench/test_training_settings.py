"""Settings of a training that a lineup states: they decide the weights and their key, and mistakes are named."""

import dataclasses

import pytest

from mmbench.bench.bench import Bench
from mmbench.bench.trainings import settings_of, training_key
from mmbench.errors import BadSpec, UnknownName
from mmbench.features.store import Store
from mmbench.lineups import load_lineup
from mmbench.protocol import Roles
from mmbench.training.entry import TRAININGS

from ..tiny_lineup import tiny_lineup

PAIR = Roles("clip", "clip_t")


@pytest.fixture
def opened(tmp_path):
    def make(**trainings):
        lineup = dataclasses.replace(tiny_lineup(), trainings=trainings)
        return Bench(lineup, Store(tmp_path / "store"), progress=False)

    return make


def test_they_replace_the_registered_ones_and_are_in_the_key(opened):
    plain, stated = opened(), opened(linear_map={"epochs": 2, "learning_rate": 1})
    training = TRAININGS.get("linear_map")
    assert settings_of(plain.source, training) == training.settings
    assert settings_of(stated.source, training) == dataclasses.replace(training.settings, epochs=2, learning_rate=1)
    keys = [training_key(bench.source, "linear_map", PAIR, "cifar10") for bench in (plain, stated)]
    assert None not in keys
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("trainings", "error", "message"),
    [
        ({"linear_mapp": {"epochs": 2}}, UnknownName, "no training named 'linear_mapp'. Did you mean"),
        ({"linear_map": {"epoch": 2}}, BadSpec, r"\[trainings.linear_map\] epoch = 2: the training has no such "
         "setting; did you mean 'epochs'"),
        ({"linear_map": {"epochs": 2.5}}, BadSpec, r"epochs = 2.5: expected a value such as 30"),
        ({"linear_map": {"epochs": "many"}}, BadSpec, r"epochs = 'many': expected a value such as 30"),
    ],
)  # fmt: skip
def test_mistakes_are_named(opened, trainings, error, message):
    with pytest.raises(error, match=message):
        opened(**trainings)


def test_a_lineup_file_states_them_and_its_children_inherit_them(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[lineup]\nname = "mine"\nextends = "embedded"\n\n[trainings.linear_map]\nepochs = 3\n')
    lineup = load_lineup(str(file))
    assert lineup.trainings["linear_map"] == {"epochs": 3}
    assert lineup.trainings["caption_decoder"] == load_lineup("embedded").trainings["caption_decoder"]
