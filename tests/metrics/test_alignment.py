"""Debiased alignment against its definition over distinct things; fast leave-one-out values; laws and refusals."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.errors import BadScores
from mmbench.metrics import METRICS
from mmbench.metrics.alignment import centred

SEEDS = st.integers(0, 2**32 - 1)
CKA = METRICS.get("cka").outcome


def grams(seed, n=7, dims=(3, 5), shared=0.0):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, dims[0])), rng.standard_normal((n, dims[1]))
    if shared:
        y[:, : dims[0]] += shared * x[:, : dims[1]]
    return np.stack([x @ x.T, y @ y.T])[None]


def hsic(k, m):
    """Song et al. 2012, equation 5, as matrices."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    found = np.trace(k @ m) + one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ m @ one)
    return found / (n * (n - 3))


def by_tuples(k, m):
    """The same criterion as a U-statistic: a mean over four distinct things."""
    fours = list(itertools.permutations(range(len(k)), 4))
    return np.mean([k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in fours])


def alignment(pair):
    return hsic(*pair) / np.sqrt(hsic(pair[0], pair[0]) * hsic(pair[1], pair[1]))


def test_the_reference_is_the_u_statistic():
    one, other = grams(0, 6)[0]
    assert hsic(one, other) == pytest.approx(by_tuples(one, other))


@settings(max_examples=25)
@given(SEEDS, st.integers(6, 10))
def test_it_agrees_with_plain_numpy(seed, n):
    drawn = grams(seed, n, shared=1.0)
    assert CKA.statistic(drawn, None)[0] == pytest.approx(alignment(drawn[0]), abs=1e-9)
    assert CKA(drawn, None).mean(dtype=np.float64) == pytest.approx(alignment(drawn[0]), abs=1e-5)


@settings(max_examples=25)
@given(SEEDS, st.integers(6, 9))
def test_leaving_one_out_takes_its_row_and_its_column(seed, n):
    drawn = grams(seed, n, shared=1.0)
    found = CKA.leave_one_out(drawn, None)
    for k in range(n):
        smaller = [np.delete(np.delete(gram, k, 0), k, 1) for gram in drawn[0]]
        assert found[0, k] == pytest.approx(alignment(smaller), abs=1e-8)


@settings(max_examples=25)
@given(SEEDS)
def test_it_changes_with_no_rotation_scale_or_shift(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((8, 4)), rng.standard_normal((8, 4))
    turned = 3.0 * x @ np.linalg.qr(rng.standard_normal((4, 4)))[0] + rng.standard_normal(4)
    first, second = (np.stack([a @ a.T, y @ y.T])[None] for a in (x, turned))
    np.testing.assert_allclose(CKA.statistic(first, None), CKA.statistic(second, None), atol=1e-9)


def test_the_same_representation_has_one_and_independent_ones_have_none_in_the_mean():
    """However many dimensions for few things: the estimate that is not debiased would be near 1."""
    one = grams(3)[0, 0]
    assert CKA.statistic(np.stack([one, one])[None], None)[0] == pytest.approx(1.0)
    apart = np.concatenate([grams(seed, 10, (200, 200)) for seed in range(300)])
    found = CKA.statistic(apart, None)
    assert abs(found.mean()) < 3 * found.std() / np.sqrt(len(found))
    assert found.std() < 0.3


def test_a_known_answer():
    """A representation and the same with as much independent noise, in the limit of many things: 1 / sqrt(2)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((800, 20))
    y = np.concatenate([x, rng.standard_normal((800, 20))], axis=1)
    found = CKA(np.stack([x @ x.T, y @ y.T])[None].astype(np.float32), None)
    assert found.mean() == pytest.approx(np.sqrt(0.5), abs=0.02)
    assert found.std() / np.sqrt(800) < 0.02


def test_centred_rows_sum_to_zero_without_the_diagonal():
    found = centred(grams(1)[0, 0])
    np.testing.assert_allclose(found.sum(axis=0), 0.0, atol=1e-9)
    assert (np.diag(found) == 0).all()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 2, 4, 4), "an alignment of Gram matrices needs at least 5 classes, found 4"),
        ((1, 3, 6, 6), r"expected two Gram matrices, \[trials, 2, classes, classes\], found shape \(1, 3, 6, 6\)"),
    ],
)
def test_what_it_cannot_judge_is_refused(shape, message):
    with pytest.raises(BadScores, match=f"^{message}$"):
        CKA(np.ones(shape), None)


def test_a_representation_that_does_not_vary_is_refused():
    flat = np.stack([np.zeros((6, 6)), grams(0, 6)[0, 1]])[None]
    with pytest.raises(BadScores, match="not finite on all examples"):
        CKA(flat, None)
