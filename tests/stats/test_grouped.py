"""Grouped examples: laws, the double sum written out, and coverage on views and pairs of real digits."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from mmbench import stats
from mmbench.errors import BadScores
from mmbench.stats.blocks import RULE_OF_THREE
from mmbench.stats.grouped import grouping

RNG = np.random.default_rng(4)
A = (RNG.random((5, 60)) < RNG.random((1, 60))).astype(np.float32)
B = (RNG.random((5, 60)) < RNG.random((1, 60))).astype(np.float32)
WEIGHTS = [[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]


def contrasts(cells, groups=None, **options):
    return stats.crossed([stats.Sample(x, examples="x", groups=groups, **options) for x in cells]).contrasts(WEIGHTS)


def same(one, other):
    for name in stats.Estimate.__dataclass_fields__:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12, atol=0, err_msg=name)


@pytest.mark.parametrize("trials", [1, 2, 5])
def test_groups_of_one_each_change_nothing(trials):
    cells = [A[:trials], B[:trials]]
    same(contrasts(cells, np.arange(60)), contrasts(cells))
    same(contrasts(cells, np.full(60, -1)), contrasts(cells))


@pytest.mark.parametrize("trials", [1, 5])
def test_copies_of_an_example_say_nothing_new(trials):
    """Seven copies of each example in a group: all components are those of the examples alone."""
    cells = [A[:trials], B[:trials]]
    copied = [np.repeat(x, 7, axis=1) for x in cells]
    plain, found, wrong = contrasts(cells), contrasts(copied, np.repeat(np.arange(60), 7)), contrasts(copied)
    for name in ("value", "se", "df", "trials", "examples", "shared"):
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-6, err_msg=name)
    assert (wrong.examples < 0.2 * found.examples).all()


def test_groups_of_one_size_are_judged_by_their_means():
    x, groups = RNG.random((1, 120)) + np.repeat(RNG.random(20), 6), np.repeat(np.arange(20), 6)
    found = stats.crossed([stats.Sample(x, groups=groups)]).contrasts([[1.0]])[0]
    assert found.se == pytest.approx(scipy_stats.sem(x.reshape(20, 6).mean(axis=1)))
    assert found.df == pytest.approx(19)


def test_no_variance_lies_below_that_of_independent_examples():
    """Within groups examples are opposed to each other, by chance or not: sums of groups do not vary at all."""
    x = np.tile([0.0, 1.0], 50)[None]
    found = stats.crossed([stats.Sample(x, groups=np.repeat(np.arange(50), 2))]).contrasts([[1.0]])[0]
    assert found.se == pytest.approx(scipy_stats.sem(x[0]))


def test_nor_does_what_trials_share_with_examples_take_it_below():
    """Random groups, many times: the sum of all components is never less than that of examples by themselves."""
    rng = np.random.default_rng(2)
    for _ in range(50):
        pairs = rng.integers(0, 15, (60, 2))
        assert (contrasts([A, B], pairs).se >= contrasts([A, B]).se * (1 - 1e-12)).all()


memberships = st.lists(st.lists(st.integers(-1, 9), min_size=3, max_size=3), min_size=2, max_size=30)


@given(memberships)
def test_products_are_the_double_sum_over_examples_that_share_something(rows):
    things = np.array(rows, dtype=np.int64)
    n = len(things)
    x = np.random.default_rng(n).normal(size=(2, n))
    expected = np.zeros((2, 2))
    for i in range(n):
        for j in range(n):
            if i == j or set(rows[i]) & set(rows[j]) - {-1}:
                expected += np.outer(x[:, i], x[:, j])
    found = grouping(things)
    unweighted = dataclasses.replace(found, factors=np.sign(found.factors))
    np.testing.assert_allclose(unweighted.products(x), expected, atol=1e-9)


def test_sums_of_groups():
    found = grouping(np.array([[0, 1], [1, 2], [5, -1], [-1, -1]]))
    sums = found.group_sums(np.array([[1.0, 2.0, 4.0, 8.0]]))
    assert sorted(sums[0]) == [1.0, 2.0, 3.0, 4.0, 8.0]  # 0: first; 2: second; 1: both; 5: third; the last by itself
    assert found.groups == 5


def test_a_large_group_among_single_examples_leaves_few_degrees_of_freedom():
    equal = grouping(np.repeat(np.arange(50), 4))
    unequal = grouping(np.concatenate([np.zeros(100, dtype=np.int64), np.arange(1, 101)]))
    assert equal.df == pytest.approx(49)
    assert unequal.df < 3


@pytest.mark.parametrize("size", [1, 4])
def test_where_all_agree_the_rule_of_three_counts_groups(size):
    x = np.ones((1, 40 * size))
    found = stats.crossed([stats.Sample(x, groups=np.repeat(np.arange(40), size))])
    assert found.contrasts([[1.0]])[0].bound(0.05) == pytest.approx(1 - 3 / 40, abs=0.001)
    assert found.covariance[0, 0] == pytest.approx((RULE_OF_THREE / 40) ** 2)


def test_the_rule_of_three_leaves_many_groups_that_differ_in_part():
    x = np.ones((1, 240))
    x[0, ::12] = 0.0  # one of 12 in each of 20 groups: the groups' means are known to be alike
    found = stats.crossed([stats.Sample(x, groups=np.repeat(np.arange(20), 12))]).contrasts([[1.0]])[0]
    assert found.se < RULE_OF_THREE / 20 / 3


def test_covariance_has_the_variances_of_the_contrasts():
    pairs = RNG.integers(0, 12, (60, 2))
    joint = stats.crossed([stats.Sample(x[:1], examples="x", groups=pairs) for x in (A, B)])
    np.testing.assert_allclose(np.diag(joint.covariance), joint.contrasts(np.eye(2)).se ** 2)


def test_groups_that_one_cell_names_hold_for_all_on_its_examples():
    groups = np.repeat(np.arange(15), 4)
    one = stats.crossed([stats.Sample(A, examples="x", groups=groups), stats.Sample(B, examples="x")])
    same(one.contrasts(WEIGHTS), contrasts([A, B], groups))
    other = stats.Sample(B, examples="x", groups=groups[::-1].copy())
    with pytest.raises(BadScores, match="the same 60 examples differ in what these were made from"):
        stats.crossed([stats.Sample(A, examples="x", groups=groups), other])


# Coverage, on real digits


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.data / 16.0, data.target


def covered(estimates, truths):
    return np.array([low <= truth <= high for truth, (low, high) in zip(truths, estimates, strict=True)])


def test_views_of_real_digits_are_covered(digits):
    """Noisy copies of a digit, classified by few-shot prototypes under two encoders; digits and draws resampled.

    1,000 digits x 8 copies x 60 draws are the population; a test set shows 1 to 8 copies of each of 100 of them.
    """
    x, y = digits
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    train, test = order[:797], order[797:]
    views = x[test][:, None] + rng.normal(0, 0.25, (1000, 8, 64))
    mixed = rng.normal(size=(64, 24))
    population = np.stack([few_shot(f, x[train], y[train], views, y[test]) for f in (lambda z: z, lambda z: z @ mixed)])
    first, second = population.mean(axis=(1, 2, 3))
    truths, hits = (first, second, first - second), {True: [], False: []}
    for _ in range(400):
        shown, draws, copies = rng.choice(1000, 100), rng.choice(60, 5, replace=False), rng.integers(1, 9, 100)
        columns = [
            population[:, draws][:, :, digit, rng.permutation(8)[:k]] for digit, k in zip(shown, copies, strict=True)
        ]
        cells, groups = np.concatenate(columns, axis=2), np.repeat(np.arange(100), copies)
        for by_digit in (True, False):
            found = contrasts(cells, groups if by_digit else None)
            hits[by_digit].append(covered([found[i].interval() for i in range(3)], truths))
    grouped, plain = (np.mean(hits[by_digit], axis=0) for by_digit in (True, False))
    assert grouped.mean() == pytest.approx(0.95, abs=0.02)
    assert (grouped > 0.925).all()
    assert (plain < 0.92).all()


def few_shot(encode, train_x, train_y, views, labels, shots=3, draws=60):
    known, shown = encode(train_x), encode(views.reshape(-1, views.shape[-1]))
    shown /= np.linalg.norm(shown, axis=1, keepdims=True)
    out = np.empty((draws, *views.shape[:2]), dtype=np.float32)
    for draw in range(draws):
        rng = np.random.default_rng([7, draw])
        rows = [rng.choice(np.flatnonzero(train_y == label), shots, replace=False) for label in range(10)]
        means = np.stack([known[some].mean(axis=0) for some in rows])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        out[draw] = (shown @ means.T).argmax(axis=1).reshape(views.shape[:2]) == labels[:, None]
    return out


@pytest.mark.parametrize(("nodes", "pairs"), [(92, 600), (120, 1200)])
def test_pairs_of_real_digits_are_covered(digits, nodes, pairs):
    """Of one class or not, by the cosine under two encoders: all pairs of 1,000 digits are the population."""
    x, y = digits
    rng = np.random.default_rng(1)
    pool = rng.permutation(len(x))[:1000]
    mixed = rng.normal(size=(64, 16))
    cells = [verified(z, y[pool]) for z in (x[pool], np.maximum(x[pool] @ mixed, 0))]
    upper = np.triu_indices(1000, 1)
    first, second = (right[upper].mean() for right in cells)
    truths, one, other = (first, second, first - second), *np.triu_indices(nodes, 1)
    hits = {True: [], False: []}
    for _ in range(600):
        shown, chosen = rng.choice(1000, nodes, replace=False), rng.choice(len(one), pairs, replace=False)
        i, j = one[chosen], other[chosen]
        outcomes = [right[shown[i], shown[j]][None] for right in cells]
        for by_pair in (True, False):
            found = contrasts(outcomes, np.stack([i, j], axis=1) if by_pair else None)
            hits[by_pair].append(covered([found[k].interval() for k in range(3)], truths))
    grouped, plain = (np.mean(hits[by_pair], axis=0) for by_pair in (True, False))
    assert grouped.mean() == pytest.approx(0.95, abs=0.02)
    assert (grouped > 0.92).all()  # standard error of a simulated share: 0.009
    assert (plain < 0.935).all()
    assert plain.mean() < 0.92


def verified(features, labels):
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosine = unit @ unit.T
    limit = np.quantile(cosine[np.triu_indices(len(unit), 1)], 0.9)
    return ((cosine > limit) == (labels[:, None] == labels)).astype(np.float32)
