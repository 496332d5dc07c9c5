"""Every probe of labelled features refuses the same bad arrays, and answers in the promised shape."""

import dataclasses

import numpy as np
import pytest

from mmbench.errors import BadDataset, BadFeatures
from mmbench.inputs.entry import FAMILIES
from mmbench.probes.entry import PROBES
from mmbench.probes.logistic import LogisticSettings
from mmbench.probes.mlp import MLPSettings
from mmbench.training.heads import LinearSettings

QUICK = {
    "linear": LinearSettings(epochs=5, learning_rate=0.05),
    "mlp": MLPSettings(max_epochs=5, learning_rate=0.01),
    "logistic": LogisticSettings(max_iter=20),
}


def run(probe, arrays, trials=2, seed=0):
    return probe.run(arrays, [QUICK.get(probe.name, probe.settings())], trials=trials, seed=seed)[0]


def test_the_probes_of_the_papers_are_registered_and_say_what_they_are_about():
    papers = {"prototypes", "neighbours", "spectral", "linear", "mlp", "logistic", "zero_shot", "rdm"}
    assert papers <= set(PROBES.names())
    assert all(probe.about and probe.inputs in FAMILIES for probe in PROBES)


@pytest.fixture(params=[probe.name for probe in PROBES if probe.inputs == "labelled"])
def probe(request):
    return PROBES.get(request.param)


def test_answers_in_the_promised_shape_and_again_the_same(probe, gaussians):
    arrays = gaussians()
    found = run(probe, arrays)
    assert found.dtype == np.int64
    assert found.shape == (2, len(arrays.test_x))
    assert set(np.unique(found)) <= set(range(4))
    np.testing.assert_array_equal(run(probe, arrays), found)


def test_beats_chance_on_classes_that_lie_apart(probe, gaussians):
    arrays = gaussians(spread=3.0, noise=0.5, train=400)
    assert (run(probe, arrays) == arrays.test_y).mean() > 0.9


def test_a_trial_does_not_depend_on_the_number_of_trials(probe, gaussians):
    arrays = gaussians(spread=3.0)
    np.testing.assert_array_equal(run(probe, arrays, trials=3)[:2], run(probe, arrays, trials=2))


def test_read_only_features_are_welcome(probe, gaussians):
    arrays = gaussians()
    for array in (arrays.train_x, arrays.train_y, arrays.test_x, arrays.test_y):
        array.setflags(write=False)
    run(probe, arrays)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("split", ["train_x", "test_x"])
def test_features_that_are_not_finite_are_refused(probe, gaussians, split, value):
    arrays = gaussians()
    getattr(arrays, split)[3, 2] = value
    with pytest.raises(BadFeatures) as error:
        run(probe, arrays)
    rows = len(getattr(arrays, split))
    assert str(error.value) == (
        f"{split[:-2]} features: 1 of {rows} rows hold NaN or infinity; check the encoder's precision"
    )


def test_widths_that_differ_are_refused(probe, gaussians):
    arrays = gaussians()
    with pytest.raises(BadFeatures, match=r"train features must be \[rows, 8\] .* got \(80, 7\)"):
        run(probe, dataclasses.replace(arrays, train_x=arrays.train_x[:, :7]))


def test_one_class_is_refused(probe, gaussians):
    arrays = gaussians(classes=1)
    with pytest.raises(BadDataset, match=r"two classes are the least a probe can tell apart, got \['class 0'\]"):
        run(probe, arrays)


def test_labels_outside_the_classes_are_refused(probe, gaussians):
    arrays = gaussians()
    with pytest.raises(BadDataset, match="test labels must be integers from 0 to 3"):
        run(probe, dataclasses.replace(arrays, test_y=arrays.test_y + 1))


def test_too_few_labels_are_refused(probe, gaussians):
    arrays = gaussians()
    with pytest.raises(BadDataset, match="train has 80 feature rows and 79 labels"):
        run(probe, dataclasses.replace(arrays, train_y=arrays.train_y[:-1]))


def test_an_empty_test_split_is_refused(probe, gaussians):
    arrays = gaussians()
    with pytest.raises(BadDataset, match="the test split has no rows"):
        run(probe, dataclasses.replace(arrays, test_x=arrays.test_x[:0], test_y=arrays.test_y[:0]))


def test_several_labels_are_taken_or_refused_as_declared(probe, gaussians):
    arrays = gaussians(several=True)
    if probe.multilabel:
        found = run(probe, arrays)
        assert found.dtype == np.bool_
        assert found.shape == (2, *arrays.test_y.shape)
    else:
        with pytest.raises(BadDataset, match="this probe takes one label a row"):
            run(probe, arrays)
