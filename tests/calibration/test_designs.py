"""Designs on real digits at small sizes: what should hold does, and dependence that is ignored is flagged."""

import numpy as np
import pytest

from mmbench.calibration.design import DESIGNS, faults
from mmbench.calibration.designs import ceiling, clustering, grouped, printed
from mmbench.calibration.digit_pool import mnist
from mmbench.metrics import METRICS
from mmbench.probes import halves

RUNS = 150  # the bounds allow three standard errors of this many; reports/calibration.json has more
HOLD = [
    "prototypes, 5 shots, 5 draws",
    "logistic, 1 trial",
    "nmi, 100 rows, 1 draw",
    "printed mean and std of 5 seeds, 1 decimals",
    "rdm_pearson, 20 classes, spread none",
]


@pytest.mark.parametrize("name", HOLD)
def test_real_digits_keep_their_bounds(name: str) -> None:
    design = DESIGNS.get(name)
    rows = design.ask(RUNS, 7_000)
    assert [each["asked"].split()[0] for each in rows] == ["value", "pca16"]
    assert [fault for fault in faults(name, rows, design.low) if "wider" not in fault] == []


@pytest.mark.parametrize("name", ["views, linear probe, 5 seeds", "dyads, linear probe, 5 seeds"])
def test_views_and_pairs_that_count_as_independent_are_flagged(name: str) -> None:
    rows = [each for each in DESIGNS.get(name).ask(RUNS, 7_000) if each.get("wrong") == "without groups"]
    assert any("95 % intervals cover" in fault for fault in faults(name, rows))


def test_images_with_one_distance_are_no_independent_examples_of_a_correlation() -> None:
    name = "success_by_distance, 100 classes of 5 images, 2 starts"
    by_class, _, by_image, _ = DESIGNS.get(name).ask(RUNS, 7_000)
    assert by_image["wrong"] == "without groups"
    assert faults(name, [by_class]) == []
    assert by_image["coverage"] < by_class["coverage"] - 0.03


def test_one_model_of_the_one_sided_designs_gains_nothing() -> None:
    bank = ceiling.bank()
    right = {m: each[0] == bank.labels for m, each in bank.predicted.items()}
    assert not (right["only where both agree"] & ~right["pca32"]).any()
    rows = ceiling.thinned(right["pca32"] & ~right["only where both agree"], 0.01)
    small = bank.only(rows)
    assert small.means["pca32"] - small.means["only where both agree"] == pytest.approx(1.0, abs=0.05)


def test_halves_hold_half_of_each_class_and_whole_groups_and_are_the_same_for_all_models() -> None:
    rng = np.random.default_rng(1)
    test = mnist().test.drawn(grouped.THINGS, rng).noisy(2, rng)
    groups = np.repeat(np.arange(grouped.THINGS), 2)
    seen: list[np.ndarray] = []
    measured = clustering.measured

    def watched(protocol, inputs, seed, **fields):
        seen.append(inputs.test_y)
        return measured(protocol, inputs, seed, **fields)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clustering, "measured", watched)
        scores = clustering.with_halves(("pca4", "pca8"), test, rng, groups=groups)
    one, other = seen[: halves.COUNT], seen[halves.COUNT + 1 : -1]
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    counts = np.bincount(test.labels, minlength=10)
    for labels in one:
        found = np.bincount(labels, minlength=10)
        assert (np.abs(found - counts / 2) <= 1).all()
        assert (found % 2 == 0).all()  # both copies of a digit, or none
    assert scores["pca4"].halves is not None
    assert scores["pca4"].halves.shape == (halves.COUNT,)
    assert 0 < scores["pca4"].halves.std() < 0.2


def test_a_pair_never_joins_a_digit_with_itself() -> None:
    (value, _, *_) = DESIGNS.get("dyads, linear probe, 5 seeds").ask(2, 0)
    assert value["runs"] == 2
    predicted, labels = grouped.bank_of_pairs()
    assert labels.shape == (grouped.POOL, grouped.POOL)
    digits = mnist().test.labels[: grouped.POOL]
    assert (labels == (digits[:, None] + digits > 9)).all()
    assert all(each.shape[1:] == labels.shape for each in predicted.values())


def test_a_share_without_a_spread_is_counted_as_a_point_and_not_as_a_test() -> None:
    (found,) = printed.without_spread(50, 0)
    assert found["points"] == 1.0
    assert found["coverage"] is None
    assert found["supported"] + found["refuted"] == 1.0
    assert faults("d", [found]) == []


def test_every_metric_has_a_design_on_real_digits_or_is_one_in_disguise() -> None:
    """Attack success, that of a target and missing gradients are shares of images, as accuracy is; so are units.

    ROUGE-L, CLIPScore and the share of an encoder's operations are means of bounded scores of images, as F1 is. The
    other BLEUs and METEOR are functions of the same kind of sums as BLEU-4; METEOR starts Java for each set.
    """
    text = " ".join(design.name for design in DESIGNS if design.kind == "real")
    shares = ("accuracy", "among_answers", "attack_success", "targeted_success", "no_gradient", "invariant_units")
    known = {"f1_samples": "F1 of"} | dict.fromkeys(shares, "prototypes")
    known |= dict.fromkeys(("rouge_l", "clip_score", "ref_clip_score", "share_of_encoder"), "F1 of")
    known |= dict.fromkeys(("bleu1", "bleu2", "bleu3", "meteor"), "bleu4")
    missing = [metric for metric in METRICS.names() if known.get(metric, metric) not in text]
    assert missing == []
