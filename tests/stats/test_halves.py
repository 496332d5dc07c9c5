"""Cells that are fitted on their test examples: laws, and coverage of clusterings of real digits."""

import numpy as np
import pytest

from mmbench import stats
from mmbench.inputs.labelled import Labelled
from mmbench.probes.halves import draw, seeds
from mmbench.probes.spectral import ClusteringSettings, spectral

RNG = np.random.default_rng(5)
N = 400
A, B, C = ((RNG.random((5, N)) < RNG.random((1, N))).astype(np.float32) for _ in range(3))
WIDE = RNG.normal(0.5, 0.2, (2, 16)).astype(np.float32)
SAMPLES = [
    stats.Sample(A, 100.0, "x", halves=WIDE[0]),
    stats.Sample(B, 100.0, "x", halves=WIDE[1]),
    stats.Sample(C, 100.0, "x"),
]


def bare(samples):
    return stats.crossed([stats.Sample(s.outcomes, s.scale, s.examples) for s in samples])


@pytest.mark.parametrize(("weights", "expected"), [([1, 0, 0], WIDE[0]), ([1, -1, 0], WIDE[0] - WIDE[1])])
def test_the_spread_over_halves_is_the_standard_error(weights, expected):
    found = stats.crossed(SAMPLES).contrasts([weights])[0]
    assert found.se == pytest.approx(100 * expected.std(ddof=1), rel=1e-5)
    assert found.df == pytest.approx(15, abs=0.01)
    assert found.value == pytest.approx(bare(SAMPLES).contrasts([weights])[0].value)


@pytest.mark.parametrize("weights", [[1, 0], [1, -1]])
@pytest.mark.parametrize("spread", [0.0, 0.015])  # the usual standard errors are above 0.02
def test_no_variance_lies_below_the_usual_one(weights, spread):
    narrow = np.float32(0.5 + spread * np.linspace(-1, 1, 16))
    samples = [stats.Sample(x, examples="x", halves=h) for x, h in ((A, narrow), (B, narrow[::-1]))]
    assert stats.crossed(samples).contrasts([weights])[0].se == pytest.approx(bare(samples).contrasts([weights])[0].se)


def test_cells_without_halves_keep_their_variance_and_share_their_examples():
    joint, usual = stats.crossed(SAMPLES), bare(SAMPLES)
    assert joint.contrasts([[0, 0, 1]])[0] == usual.contrasts([[0, 0, 1]])[0]
    alone, own = (j.contrasts([[1, 0, 0]])[0].se ** 2 for j in (joint, usual))
    mixed, before = (j.contrasts([[1, 0, -1]])[0].se ** 2 for j in (joint, usual))
    assert mixed == pytest.approx(before + alone - own)


def test_other_halves_are_not_paired():
    fewer = stats.Sample(B, 100.0, "x", halves=WIDE[1, :8])
    found = stats.crossed([SAMPLES[0], fewer]).contrasts([[1, -1]])[0].se
    parts = [100 * x.std(ddof=1) for x in (WIDE[0], WIDE[1, :8])]
    assert found**2 == pytest.approx(sum(part**2 for part in parts), rel=0.05)


def test_covariance_has_the_variances_of_the_cells():
    joint = stats.crossed(SAMPLES)
    np.testing.assert_allclose(np.diag(joint.covariance), joint.contrasts(np.eye(3)).se ** 2, rtol=0.02)


def test_a_mean_varies_over_halves_as_its_standard_error_says():
    """Where nothing is fitted on the test examples, both ways agree: the law that the scaling rests on."""
    labels = np.zeros(N, dtype=np.int64)
    halves = [rows for k in range(40) for rows in draw(labels, None, k, "x")]
    spread = np.std([A[0, rows].mean() for rows in halves], ddof=1)
    assert spread == pytest.approx(A[0].std(ddof=1) / np.sqrt(N), rel=0.06)


def test_groups_that_halves_could_not_keep_together_come_on_top():
    """Pairs cannot be drawn with all that share a thing of theirs: what halves say beyond single examples is added."""
    pairs = np.stack([np.arange(N) % 20, 20 + np.arange(N) // 20], axis=1)
    hard = np.arange(N) % 20 < 8
    right = (hard ^ (RNG.random(N) < 0.2)).astype(np.float32)[None]
    plain, with_halves, with_pairs, both = (
        stats.crossed([stats.Sample(right, groups=g, halves=h)]).contrasts([[1.0]])[0].se ** 2
        for g, h in ((None, None), (None, WIDE[0]), (pairs, None), (pairs, WIDE[0]))
    )
    assert with_pairs > 3 * plain
    assert both == pytest.approx(with_pairs + with_halves - plain)


def test_clusterings_of_real_digits_are_covered():
    """Test sets of 300 from 1,797 digits, clustered by the probe under two encoders; the pool's own value is the truth.

    Examples taken for independent given the clusters cover far less.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = (data.data / 16.0).astype(np.float32), data.target.astype(np.int64)
    mixed = np.random.default_rng(1).normal(size=(64, 24))
    encoded = [x, np.tanh((x - x.mean(axis=0)) @ mixed / 2).astype(np.float32)]
    truths = [clustered(z, y, trials=5, seed=0).mean() for z in encoded]
    hits = {True: [], False: []}
    for number in range(24):
        shown = np.random.default_rng([5, number]).choice(len(x), 300, replace=False)
        halves = draw(y[shown], None, number, f"set {number}")
        samples = []
        for z in encoded:
            own = clustered(z[shown], y[shown], trials=2, seed=number)
            means = [
                clustered(z[shown][rows], y[shown][rows], trials=1, seed=seed).mean()
                for rows, seed in zip(halves, seeds(number), strict=True)
            ]
            samples.append(stats.Sample(own, examples=number, halves=np.array(means, dtype=np.float32)))
        for on_halves, joint in ((True, stats.crossed(samples)), (False, bare(samples))):
            found = joint.contrasts([[1, 0], [0, 1], [1, -1]])
            wanted = (*truths, truths[0] - truths[1])
            intervals = [found[i].interval() for i in range(3)]
            hits[on_halves].append([low <= t <= high for t, (low, high) in zip(wanted, intervals, strict=True)])
    assert np.mean(hits[True]) >= 0.92
    assert np.mean(hits[False]) < 0.85


def clustered(x, y, *, trials, seed):
    inputs = Labelled(x[:0], y[:0], x, y, tuple("0123456789"))
    return (spectral(inputs, [ClusteringSettings()], trials=trials, seed=seed)[0] == y).astype(np.float32)


def test_what_halves_decide_has_no_skewness_of_its_own() -> None:
    """That of single outcomes given the fit would correct a spread that it does not belong to."""
    skewed = np.ones((2, 100), np.float32)
    skewed[:, :3] = 0
    halves = np.linspace(0.9, 1.0, 16, dtype=np.float32)
    plain, fitted = (stats.crossed([stats.Sample(skewed, halves=h)]).contrasts([[1.0]])[0] for h in (None, halves))
    assert plain.third < 0
    assert fitted.third == 0
    assert fitted.se > plain.se
