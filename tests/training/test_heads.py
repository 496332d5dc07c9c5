"""Linear probe and MLP head: all seeds in one run are the seeds one by one, and those are plain PyTorch."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

from mmbench.errors import NotEnoughShots
from mmbench.inputs.labelled import Labelled
from mmbench.probes.linear import linear
from mmbench.probes.mlp import MLPSettings, cut, fit_mlp, mlp
from mmbench.seeds import trial_seeds
from mmbench.training.heads import LinearSettings, fit_linear

LINEAR = LinearSettings(epochs=4, learning_rate=0.01, batch_size=16)
MLP = MLPSettings(hidden=16, learning_rate=0.01, batch_size=16, max_epochs=40, patience=3)
SEEDS = [11, 22, 33]


def plain_linear(x, y, classes, s, seed):
    """The printed recipe with PyTorch's own layer, loss and optimiser."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Linear(x.shape[1], classes)
    for p in (model.weight, model.bias):  # the layer has used these numbers; the shuffles go on from there
        torch.empty_like(p).uniform_(generator=generator)
    optimiser = torch.optim.Adam(model.parameters(), lr=s.learning_rate, weight_decay=s.weight_decay)
    for _ in range(s.epochs):
        for batch in torch.randperm(len(x), generator=generator).split(s.batch_size):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimiser.step()
    return model


def plain_mlp(train, valid, classes, s, seed):
    """The same for the head of Bielawski 2022, with its early stopping."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(train[0].shape[1], s.hidden), nn.ReLU(), nn.Linear(s.hidden, classes))
    for p in model.parameters():
        torch.empty_like(p).uniform_(generator=generator)
    several = train[1].ndim == 2
    loss = nn.BCEWithLogitsLoss(reduction="sum") if several else nn.CrossEntropyLoss()
    optimiser = torch.optim.Adam(model.parameters(), lr=s.learning_rate)
    best, lowest, best_epoch = None, np.inf, 0
    for epoch in range(s.max_epochs):
        for batch in torch.randperm(len(train[0]), generator=generator).split(s.batch_size):
            if len(batch) == s.batch_size:
                optimiser.zero_grad()
                loss(model(train[0][batch]), train[1][batch]).backward()
                optimiser.step()
        with torch.no_grad():
            now = float(loss(model(valid[0]), valid[1]))
        if now < lowest:
            best, lowest, best_epoch = copy.deepcopy(model), now, epoch
        if epoch - best_epoch >= s.patience:
            break
    return best, epoch


def cuts_of(arrays, share, seeds):
    """Training and validation rows of each seed, copied out of the arrays: ``[(train, valid), ...]``."""
    found = cut(arrays, share, seeds)
    return [
        tuple((x[rows], y[rows]) for (x, y), rows in ((found.train, kept), (found.valid, held)))
        for kept, held in zip(found.kept, found.held, strict=True)
    ]


def tensors(x, y):
    return torch.from_numpy(x), torch.from_numpy(y.astype(np.float32) if y.ndim == 2 else y)


def close(ours, theirs):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), atol=2e-4, rtol=1e-3)


def test_linear_is_plain_pytorch(gaussians):
    arrays = gaussians(train=70)  # 4 batches of 16 and one of 6
    heads = fit_linear(arrays.train_x, arrays.train_y, 4, LINEAR, SEEDS)
    for i, seed in enumerate(SEEDS):
        model = plain_linear(*tensors(arrays.train_x, arrays.train_y), 4, LINEAR, seed)
        close(heads.layers[0][0][i], model.weight)
        close(heads.layers[0][1][i, 0], model.bias)


def test_linear_seeds_together_are_the_seeds_one_by_one(gaussians):
    arrays = gaussians(train=70)
    together = fit_linear(arrays.train_x, arrays.train_y, 4, LINEAR, SEEDS)
    for i, seed in enumerate(SEEDS):
        alone = fit_linear(arrays.train_x, arrays.train_y, 4, LINEAR, [seed])
        for one, other in zip(alone.parameters, together.parameters, strict=True):
            close(one[0], other[i])
    assert (together.layers[0][0][0] != together.layers[0][0][1]).any()


@pytest.mark.parametrize("several", [False, True], ids=["one_label", "several_labels"])
def test_mlp_is_plain_pytorch_and_each_seed_stops_for_itself(gaussians, several):
    arrays = gaussians(train=90, several=several, noise=2.0)
    heads = fit_mlp(cut(arrays, 0.2, SEEDS), 4, MLP, SEEDS)
    stops = set()
    for i, (train, valid) in enumerate(cuts_of(arrays, 0.2, SEEDS)):
        model, stopped = plain_mlp(tensors(*train), tensors(*valid), 4, MLP, SEEDS[i])
        stops.add(stopped)
        for (weight, bias), layer in zip(heads.layers, (model[0], model[2]), strict=True):
            close(weight[i], layer.weight)
            close(bias[i, 0], layer.bias)
    assert len(stops) > 1  # else this would not show that a seed can go on without the others
    assert max(stops) < MLP.max_epochs - 1


def test_mlp_seeds_together_are_the_seeds_one_by_one(gaussians):
    arrays = gaussians(train=90, noise=2.0)
    together = fit_mlp(cut(arrays, 0.2, SEEDS), 4, MLP, SEEDS)
    for i, seed in enumerate(SEEDS):
        alone = fit_mlp(cut(arrays, 0.2, [seed]), 4, MLP, [seed])
        for one, other in zip(alone.parameters, together.parameters, strict=True):
            close(one[0], other[i])


def test_mlp_decides_at_one_half(gaussians):
    arrays = gaussians(several=True)
    found = mlp(arrays, [MLP], trials=2, seed=5)[0]
    seeds = trial_seeds(5, 2)
    heads = fit_mlp(cut(arrays, MLP.validation, seeds), 4, MLP, seeds)
    probability = heads.logits(torch.from_numpy(arrays.test_x)).sigmoid().numpy()
    np.testing.assert_array_equal(found, np.round(probability).astype(bool))


@pytest.mark.parametrize("several", [False, True], ids=["one_label", "several_labels"])
def test_mlp_predicts_as_the_obvious_loop_does_trial_by_trial(gaussians, several):
    """Cut, network, batches and stop of each trial from its own seed, with nothing shared between trials."""
    arrays = gaussians(train=150, test=400, several=several, noise=2.0)
    found = mlp(arrays, [MLP], trials=4, seed=9)[0]
    share = MLP.validation
    for trial, seed in enumerate(trial_seeds(9, 4)):
        order = np.random.default_rng([seed, 0xC07]).permutation(150)
        held, kept = (np.sort(rows) for rows in np.split(order, [round(share * 150)]))
        train, valid = (tensors(arrays.train_x[rows], arrays.train_y[rows]) for rows in (kept, held))
        model, _ = plain_mlp(train, valid, 4, MLP, seed)
        with torch.no_grad():
            scores = model(torch.from_numpy(arrays.test_x))
        expected = scores.sigmoid().round().bool() if several else scores.argmax(dim=1)
        np.testing.assert_array_equal(found[trial], expected.numpy())


def test_every_trial_has_a_cut_of_its_own(gaussians):
    arrays = gaussians(train=100)
    found = cut(arrays, 0.2, trial_seeds(0, 5))
    assert found.held.shape == (5, 20)
    assert len({tuple(held) for held in found.held}) == 5
    for kept, held in zip(found.kept, found.held, strict=True):
        assert sorted([*kept, *held]) == list(range(100))
    assert (cut(arrays, 0.2, trial_seeds(0, 2)).held == found.held[:2]).all()  # whatever the number of trials


def test_trials_that_differ_in_their_cut_alone_differ(gaussians):
    """Same initial weights and batches: what is left is the cut."""
    arrays = gaussians(train=90, test=400, noise=2.0)
    cuts = cut(arrays, MLP.validation, SEEDS)
    same = fit_mlp(cuts, 4, MLP, [SEEDS[0]] * 3)
    predicted = np.concatenate([logits.argmax(axis=-1) for _, logits in same.scores(arrays.test_x)], axis=1)
    assert len(np.unique(predicted, axis=0)) == 3
    once = dataclasses.replace(cuts, kept=cuts.kept[[0] * 3], held=cuts.held[[0] * 3])
    again = fit_mlp(once, 4, MLP, [SEEDS[0]] * 3)
    predicted = np.concatenate([logits.argmax(axis=-1) for _, logits in again.scores(arrays.test_x)], axis=1)
    assert len(np.unique(predicted, axis=0)) == 1


def test_a_validation_split_of_the_dataset_is_used_by_every_trial(gaussians):
    arrays = gaussians(train=90)
    own = dataclasses.replace(arrays, valid_x=arrays.test_x[:20], valid_y=arrays.test_y[:20])
    for train, valid in cuts_of(own, 0.5, SEEDS):
        np.testing.assert_array_equal(train[0], own.train_x)
        np.testing.assert_array_equal(valid[0], own.valid_x)
    heads = fit_mlp(cut(own, 0.5, SEEDS), 4, MLP, SEEDS)
    for i, seed in enumerate(SEEDS):
        model, _ = plain_mlp(tensors(own.train_x, own.train_y), tensors(own.valid_x, own.valid_y), 4, MLP, seed)
        close(heads.layers[0][0][i], model[0].weight)


def test_fewer_rows_than_a_batch_still_train(gaussians):
    arrays = gaussians(train=12, spread=3.0, noise=0.3)
    found = mlp(arrays, [dataclasses.replace(MLP, max_epochs=200)], trials=1, seed=0)[0]
    assert (found == arrays.test_y).mean() > 0.8


def test_one_training_row_is_refused(gaussians):
    arrays = gaussians()
    arrays = dataclasses.replace(arrays, train_x=arrays.train_x[:1], train_y=arrays.train_y[:1])
    with pytest.raises(NotEnoughShots, match="validation cut needs two training rows, got 1"):
        mlp(arrays, [MLP], trials=1, seed=0)


def test_readings_of_the_linear_probe_differ_in_the_batch_only():
    assert LinearSettings().as_code() == LinearSettings(batch_size=60)


@pytest.mark.parametrize(
    ("probe", "setting"),
    [(linear, LinearSettings(learning_rate=0.01)), (mlp, MLPSettings(learning_rate=0.003, max_epochs=30))],
    ids=["linear", "mlp"],
)
def test_opposite_gaussians_reach_the_bayes_rate(probe, setting):
    rng = np.random.default_rng(0)
    y = np.arange(24_000) % 2
    x = (rng.standard_normal((24_000, 3)) + np.where(y, 1, -1)[:, None] * [0.48, 0.64, 0.6]).astype(np.float32)
    arrays = Labelled(x[:4000], y[:4000], x[4000:], y[4000:], ("a", "b"))
    found = probe(arrays, [setting], trials=2, seed=0)[0]
    assert (found == arrays.test_y).mean() == pytest.approx(norm.cdf(1.0), abs=0.012)
