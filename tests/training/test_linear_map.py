"""The linear map recovers planted relations, repeats itself, and goes on where it was stopped."""

from typing import get_args

import numpy as np
import pytest

from mmbench.errors import BadDataset, BadFeatures
from mmbench.protocol import Roles
from mmbench.source import Takes
from mmbench.training import linear_map
from mmbench.training.entry import TRAININGS, Checkpoint, check_weights
from mmbench.training.linear_map import LinearMapSettings, PairedFeatures, centred, fit, map_images

SETTINGS = LinearMapSettings(epochs=40)


def planted(rows=400, noise=0.0, seed=0):
    """Texts that are a linear function of the images, with noise."""
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((rows, 12)).astype(np.float32)
    text = image @ np.linalg.qr(rng.standard_normal((12, 6)))[0] + noise * rng.standard_normal((rows, 6))
    return PairedFeatures(image, text.astype(np.float32))


def cosines(a, b):
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


class Memory:
    """Keeps states in memory, and stops the fit when it has kept so many."""

    def __init__(self, most=None):
        self.state, self.kept, self.most = None, 0, most

    def load(self):
        return self.state

    def save(self, state):
        self.state, self.kept = dict(state), self.kept + 1
        if self.kept == self.most:
            raise KeyboardInterrupt


def test_a_planted_relation_is_found_on_new_rows():
    pairs = planted(rows=600)
    old, new = (PairedFeatures(pairs.image[rows], pairs.text[rows]) for rows in (slice(400), slice(400, None)))
    weights = fit(old, SETTINGS, 0, Checkpoint())
    assert np.median(cosines(map_images(weights, new.image), centred(weights, new.text))) > 0.97
    shuffled = PairedFeatures(old.image, np.random.default_rng(1).permutation(old.text))
    lost = fit(shuffled, SETTINGS, 0, Checkpoint())
    assert abs(np.median(cosines(map_images(lost, new.image), centred(lost, new.text)))) < 0.3


def test_it_comes_close_to_scikit_learns_least_squares():
    from sklearn.linear_model import LinearRegression

    pairs = planted(rows=1500, noise=0.3)
    weights = fit(pairs, LinearMapSettings(epochs=100), 0, Checkpoint())
    x = (pairs.image - weights["mean"]) / weights["scale"]
    y = centred(weights, pairs.text)
    best = LinearRegression().fit(x, y).predict(x)
    ours = map_images(weights, pairs.image)
    assert np.square(ours - y).mean() < 1.02 * np.square(best - y).mean()


def test_a_seed_repeats_itself_and_another_one_differs():
    first, again, other = (fit(planted(), SETTINGS, seed, Checkpoint())["weight"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("stop", [1, 17, 39])
def test_a_fit_that_was_stopped_gives_the_same_weights(stop):
    whole = fit(planted(), SETTINGS, 5, Checkpoint())
    memory = Memory(most=stop)
    with pytest.raises(KeyboardInterrupt):
        fit(planted(), SETTINGS, 5, Checkpoint(memory, every=0))
    assert int(memory.state["done"]) == stop
    memory.most = None
    resumed = fit(planted(), SETTINGS, 5, Checkpoint(memory, every=0))
    assert memory.kept == SETTINGS.epochs  # nothing was done twice
    for name, values in whole.items():
        np.testing.assert_array_equal(values, resumed[name])


def test_pairs_that_do_not_fit_are_refused():
    pairs = planted(rows=4)
    with pytest.raises(BadDataset, match="got 4 images and 3 texts"):
        fit(PairedFeatures(pairs.image, pairs.text[:3]), SETTINGS, 0, Checkpoint())
    pairs.image[1, 2] = np.nan
    with pytest.raises(BadFeatures, match="image features: 1 of 4 rows hold NaN or infinity"):
        fit(pairs, SETTINGS, 0, Checkpoint())


def test_a_fit_that_diverged_is_refused():
    training = TRAININGS.get("linear_map")
    with pytest.raises(BadFeatures, match=r"'linear_map' diverged: 1 of 3 numbers of 'bias' are not finite"):
        check_weights(training, {"bias": np.array([0.0, np.inf, 1.0])})


def test_every_training_says_what_it_is_about():
    for training in TRAININGS:
        assert training.about
        assert training.takes in get_args(Takes)


def test_roles_in_another_order_are_refused(tiny_source):
    from mmbench.errors import Unmeasured

    with pytest.raises(Unmeasured, match=r"order image, text; got clip_t \(text\), clip \(image\)"):
        linear_map.gather(tiny_source, Roles("clip_t", "clip"), "cifar10")
