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
from mmbench.probes.mlp import MLPSettings, fit_mlp, mlp, split
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
    train, valid = split(arrays, 0.2, 0)
    heads = fit_mlp(train, valid, 4, MLP, SEEDS)
    stops = set()
    for i, seed in enumerate(SEEDS):
        model, stopped = plain_mlp(tensors(*train), tensors(*valid), 4, MLP, seed)
        stops.add(stopped)
        for (weight, bias), layer in zip(heads.layers, (model[0], model[2]), strict=True):
            close(weight[i], layer.weight)
            close(bias[i, 0], layer.bias)
    assert len(stops) > 1  # else this would not show that a seed can go on without the others
    assert max(stops) < MLP.max_epochs - 1


def test_mlp_seeds_together_are_the_seeds_one_by_one(gaussians):
    train, valid = split(gaussians(train=90, noise=2.0), 0.2, 0)
    together = fit_mlp(train, valid, 4, MLP, SEEDS)
    for i, seed in enumerate(SEEDS):
        alone = fit_mlp(train, valid, 4, MLP, [seed])
        for one, other in zip(alone.parameters, together.parameters, strict=True):
            close(one[0], other[i])


def test_mlp_decides_at_one_half(gaussians):
    arrays = gaussians(several=True)
    found = mlp(arrays, [MLP], trials=2, seed=5)[0]
    heads = fit_mlp(*split(arrays, MLP.validation, 5), 4, MLP, trial_seeds(5, 2))
    probability = heads.logits(torch.from_numpy(arrays.test_x)).sigmoid().numpy()
    np.testing.assert_array_equal(found, np.round(probability).astype(bool))


def test_a_validation_split_of_the_dataset_is_used(gaussians):
    arrays = gaussians(train=90)
    own = dataclasses.replace(arrays, valid_x=arrays.test_x[:20], valid_y=arrays.test_y[:20])
    train, valid = split(own, 0.5, 0)
    assert train[0] is own.train_x
    assert valid[0] is own.valid_x


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
