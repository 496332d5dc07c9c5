"""Populations have the truth that they say, and dependence that is there is found."""

import numpy as np
import pytest

from mmbench.calibration import resampling
from mmbench.calibration.design import faults
from mmbench.calibration.designs.ceiling import thinned
from mmbench.calibration.digit_pool import mnist
from mmbench.calibration.resampling import Bank, asked, scored

THINGS, VIEWS = 400, 6


def made_bank(together: int = 1, own: float = 1.0) -> Bank:
    """Two models right in 70 and 60 %; ``own`` is how much the views of a thing differ from each other."""
    labels = np.zeros(THINGS * VIEWS, dtype=np.int64)
    rng = np.random.default_rng(12)
    thing = np.repeat(rng.standard_normal(THINGS), VIEWS)
    found = {}
    for model, share in (("a", 0.7), ("b", 0.6)):
        noise = own * rng.standard_normal((50, len(labels)))
        hard = thing + noise if own < 1 else noise
        found[model] = (hard > np.quantile(hard, share)).astype(np.int64)
    return Bank(found, labels, together=together)


def test_the_truth_of_a_bank_is_its_own_mean() -> None:
    bank = made_bank()
    assert bank.means == pytest.approx({"a": 70.0, "b": 60.0}, abs=1e-3)
    drawn = [bank.draw(np.random.default_rng(run), 5, 300)["a"].mean for run in range(200)]
    assert np.mean(drawn) == pytest.approx(70.0, abs=1.0)
    scores = bank.draw(np.random.default_rng(0), 5, 300)
    assert scores["a"].outcomes.shape == (5, 300)
    assert scores["a"].examples == scores["b"].examples
    assert scores["a"].groups is None


def test_views_are_drawn_together_and_named_as_one_group() -> None:
    bank = made_bank(VIEWS)
    scores = bank.draw(np.random.default_rng(0), 5, 300)["a"]
    assert scores.groups is not None
    assert np.bincount(scores.groups).tolist() == [VIEWS] * (300 // VIEWS)


def test_independent_rows_are_in_bounds_and_a_wrong_truth_is_not() -> None:
    bank = made_bank()
    rows = asked(lambda rng: bank.draw(rng, 5, 200), lambda: bank.means, 300, 0)
    assert [each["asked"] for each in rows] == ["value of a", "a less b"]
    assert faults("d", rows) == []
    wrong = {"a": bank.means["a"] + 5, "b": bank.means["b"]}
    found = faults("d", asked(lambda rng: bank.draw(rng, 5, 200), lambda: wrong, 300, 0))
    assert any("value of a" in fault and "falsely refuted" in fault for fault in found)


def test_dependent_rows_are_found_and_judged_without_their_groups_too() -> None:
    bank = made_bank(VIEWS, own=0.3)
    rows = asked(lambda rng: bank.draw(rng, 5, 300), lambda: bank.means, 200, 0)
    assert [each.get("wrong") for each in rows] == [None, None, "without groups", "without groups"]
    assert any("value of a: 95 % intervals cover" in fault for fault in faults("d", rows[2:]))


def test_a_field_that_is_left_out_is_gone_when_the_claim_is_judged(monkeypatch) -> None:
    bank = made_bank(VIEWS)
    seen = []
    judge = resampling.verdict
    monkeypatch.setattr(resampling, "verdict", lambda form, s: seen.append(s["a"].groups is None) or judge(form, s))
    asked(lambda rng: bank.draw(rng, 5, 300), lambda: bank.means, 1, 0)
    assert seen == [False, False, True, True]


def test_without_a_known_truth_it_is_the_mean_of_the_other_runs() -> None:
    """Two runs of 40 and 60 %, exact but for the examples: each is far from the other."""
    labels = np.zeros(2000, dtype=np.int64)

    def draw(rng: np.random.Generator):
        share = 0.4 if rng.integers(2) else 0.6
        return {m: scored((rng.random((3, 2000)) > share).astype(np.int64), labels) for m in "ab"}

    value, _ = asked(draw, None, 40, 0)
    assert value["coverage"] == 0.0
    assert value["supported"] + value["refuted"] == 1.0


def test_a_thinned_population_has_the_share_that_was_asked() -> None:
    hit = np.random.default_rng(3).random(3000) < 0.92
    for share in (0.9, 0.99, 0.01):
        rows = thinned(hit, share)
        assert hit[rows].mean() == pytest.approx(share, abs=2e-3)
        assert len(np.unique(rows)) == len(rows)


def test_the_digits_are_mnists_own_and_encoders_see_the_training_rows_alone() -> None:
    population = mnist()
    assert (len(population.train), len(population.test)) == (2000, 3000)
    assert np.bincount(population.test.labels).min() > 250
    encoded = population.encoders["pca16"](population.train.pixels)
    np.testing.assert_allclose(encoded.mean(axis=0), 0, atol=1e-4)
    covariance = np.cov(encoded.T)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-3)


def test_noisy_copies_follow_each_other_and_keep_their_digit() -> None:
    rows = mnist().test.at(np.arange(4))
    noisy = rows.noisy(3, np.random.default_rng(0))
    assert noisy.labels.tolist() == np.repeat(rows.labels, 3).tolist()
    np.testing.assert_allclose(noisy.pixels[3:6].mean(axis=0), rows.pixels[1], atol=0.6)
    assert not np.array_equal(noisy.pixels[3], noisy.pixels[4])


def test_pools_with_replacement_are_independent_rows() -> None:
    pool = mnist().train.a_class(12, np.random.default_rng(0), again=True)
    assert np.bincount(pool.labels).tolist() == [12] * 10
    assert len(np.unique(pool.pixels, axis=0)) < 120  # of about 200 a class: a few are drawn twice
