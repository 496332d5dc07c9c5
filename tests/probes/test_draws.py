import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from mmbench.errors import NotEnoughShots
from mmbench.inputs.labelled import Labelled
from mmbench.probes.draws import cut_rows, draw_shots, drawn_share
from mmbench.probes.entry import PROBES
from mmbench.probes.logistic import LogisticSettings
from mmbench.probes.prototypes import PrototypeSettings
from mmbench.seeds import trial_seeds

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 5), st.integers(1, 4))
def test_draws_are_rows_of_their_class_without_repeats(seed, shots, trials):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(3), 6))
    draws = draw_shots(labels, shots, trials, seed)
    assert draws.shape == (trials, 3, shots)
    assert (labels[draws] == np.arange(3)[None, :, None]).all()
    assert all(len(set(rows)) == shots for trial in draws.tolist() for rows in trial)


@given(SEEDS)
def test_fewer_shots_and_fewer_trials_are_prefixes(seed):
    labels = np.arange(40) % 4
    many = draw_shots(labels, 10, 5, seed)
    assert (draw_shots(labels, 3, 5, seed) == many[:, :, :3]).all()
    assert (draw_shots(labels, 10, 2, seed) == many[:2]).all()


@given(SEEDS, st.permutations(range(4)))
def test_renaming_classes_moves_the_draws_with_the_names(seed, names):
    labels = np.arange(40) % 4
    renamed = draw_shots(np.array(names)[labels], 3, 2, seed)
    assert (renamed[:, names] == draw_shots(labels, 3, 2, seed)).all()


def test_one_label_a_row_draws_the_same_in_both_forms():
    labels = np.arange(30) % 3
    assert (draw_shots(np.eye(3, dtype=bool)[labels], 4, 3, 7) == draw_shots(labels, 4, 3, 7)).all()


def test_rows_drawn_for_a_label_carry_it():
    labels = np.random.default_rng(0).random((50, 4)) < 0.5
    draws = draw_shots(labels, 5, 6, 0)
    assert all(labels[draws[:, c], c].all() for c in range(4))


def test_every_row_of_a_class_is_as_likely_as_any_other():
    labels = np.repeat([0, 1], [7, 20])
    draws = draw_shots(labels, 2, 4000, 3)
    for own in (draws[:, 0], draws[:, 1] - 7):
        counts = np.bincount(own.ravel())
        assert chisquare(counts).pvalue > 0.001


def test_trials_differ_and_seeds_differ():
    labels = np.arange(400) % 4
    draws = draw_shots(labels, 5, 2, 0)
    assert (draws[0] != draws[1]).any()
    assert (draw_shots(labels, 5, 1, 1)[0] != draws[0]).any()
    assert len(set(trial_seeds(0, 100) + trial_seeds(1, 100))) == 200


def test_too_few_rows_name_the_class():
    labels = np.repeat([0, 1, 2], [9, 3, 9])
    with pytest.raises(NotEnoughShots) as error:
        draw_shots(labels, 5, 1, 0, ("cat", "dog", "emu"))
    assert str(error.value) == (
        "class 'dog' has 3 training rows and 5 shots are asked; ask for at most 3 shots or give more rows"
    )


def test_an_absent_class_is_named():
    with pytest.raises(NotEnoughShots, match="class 'emu' has 0 training rows and 1 shots are asked"):
        draw_shots(np.array([0, 1]), 1, 1, 0, ("cat", "dog", "emu"))


def test_a_rare_label_is_named():
    labels = np.array([[True, False], [True, True], [True, False]])
    with pytest.raises(NotEnoughShots, match="class 'b' has 1 training rows and 2 shots"):
        draw_shots(labels, 2, 1, 0, ("a", "b"))


@given(st.integers(2, 300), st.floats(0.01, 0.99), SEEDS)
def test_a_cut_parts_all_rows_and_leaves_neither_side_empty(rows, share, seed):
    kept, held = cut_rows(rows, share, seed)
    assert sorted([*kept, *held]) == list(range(rows))
    assert len(kept)
    assert len(held)


def test_one_row_cannot_be_cut():
    with pytest.raises(NotEnoughShots, match="needs two training rows, got 1"):
        cut_rows(1, 0.1, 0)


def pool_of(labels) -> Labelled:
    x = np.zeros((len(labels), 2), np.float32)
    return Labelled(x, labels, x[:1], labels[:1], ("a", "b"))


def test_the_share_that_a_trial_draws_is_the_mean_of_the_classes_shares():
    pool = pool_of(np.repeat([0, 1], [10, 40]))
    assert drawn_share(pool, PrototypeSettings(shots=5)) == (5 / 10 + 5 / 40) / 2
    several = pool_of(np.array([[True, True]] * 10 + [[False, True]] * 30))
    assert drawn_share(several, PrototypeSettings(shots=5)) == (5 / 10 + 5 / 40) / 2


def test_trials_with_all_rows_or_nearly_all_say_nothing_of_other_pools():
    pool = pool_of(np.repeat([0, 1], 20))
    assert drawn_share(pool, PrototypeSettings(shots=18)) == 0.9
    for shots in (19, 20):
        assert drawn_share(pool, PrototypeSettings(shots=shots)) is None
    assert drawn_share(pool, LogisticSettings()) is None
    assert drawn_share(pool, LogisticSettings(shots=5)) == 0.25


@pytest.mark.parametrize(
    "probe", [probe for probe in PROBES if hasattr(probe.settings(), "shots")], ids=lambda p: p.name
)
def test_every_probe_of_few_shots_says_what_it_draws(probe):
    assert probe.pool is not None
    assert probe.pool(pool_of(np.repeat([0, 1], 20)), probe.settings(shots=4)) == 0.2
