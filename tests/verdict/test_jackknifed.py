"""Verdicts on statistics that are no means: correlations of dissimilarities, NMI, attack success."""

from dataclasses import replace

import numpy as np
import pytest

from mmbench.claims import Claim, Place
from mmbench.forms import Above, AtLeast, AtMost, Best, Form, OnPar
from mmbench.metrics import METRICS
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.spectral import CLUSTERING
from mmbench.protocol import Cell, Roles
from mmbench.scores import Scores
from mmbench.verdict import Measured, Verdict, judge

RDM = replace(FEW_SHOT, name="rdm", metric="rdm_pearson", trials=1)
NMI = replace(CLUSTERING, name="nmi", metric="nmi")
ATTACK = replace(FEW_SHOT, name="attack", metric="attack_success")
NEAR, FAR = Roles("reference", "near"), Roles("reference", "far")


def verdict(form: Form, scores: dict[Cell, Scores], models=()) -> Verdict:
    protocols = tuple(dict.fromkeys(cell.protocol for cell in scores))
    claim = Claim("study-claim", "A sentence.", Place("study"), form, protocols, ("set",), models)
    return judge(claim, Measured(scores.__getitem__))


def agreement(classes: int = 30, seed: int = 0) -> dict[Cell, Scores]:
    """Two models' dissimilarities against a reference's: one with a little noise, one with much."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(classes, 6))

    def matrix(noise: float) -> np.ndarray:
        moved = points + noise * rng.normal(size=points.shape)
        return np.linalg.norm(moved[:, None] - moved[None], axis=-1)

    out = {}
    for pair, noise in ((NEAR, 0.3), (FAR, 2.0)):
        outcomes = METRICS.get("rdm_pearson").outcome(np.stack([matrix(0.0), matrix(noise)])[None], np.arange(classes))
        out[Cell(RDM, pair, "set")] = Scores(outcomes, "rdm_pearson", "classes of set", 0.0)
    return out


@pytest.mark.parametrize(
    ("form", "outcome"),
    [
        (AtLeast(NEAR, 0.8), "supported"),
        (AtLeast(FAR, 0.8), "refuted"),
        (Above(NEAR, FAR), "supported"),
        (Best(FAR, among=(NEAR, FAR)), "refuted"),
        (OnPar(NEAR, NEAR, within=0.5), "supported"),
        (AtMost(FAR, NEAR), "supported"),
    ],
)
def test_correlations_of_dissimilarities(form: Form, outcome: str) -> None:
    found = verdict(form, agreement())
    assert found.outcome == outcome, found.explain()


def test_a_correlation_is_never_bounded_beyond_1() -> None:
    found = verdict(AtLeast(NEAR, 0.8), agreement(classes=8))
    mean = found.rows[0].mean
    assert 0.8 + found.low < mean < 0.8 + found.high <= 1.0
    assert found.rows[0].examples == 8


def test_few_classes_leave_it_open() -> None:
    assert verdict(AtLeast(NEAR, 0.9), agreement(classes=6)).outcome == "inconclusive"


def test_identical_models_are_on_par_and_neither_is_above() -> None:
    """No pseudo-value differs, which proves no more than the rule of three allows."""
    scores = agreement()
    scores[Cell(RDM, FAR, "set")] = scores[Cell(RDM, NEAR, "set")]
    assert verdict(Above(NEAR, FAR), scores).outcome == "inconclusive"
    assert verdict(OnPar(NEAR, FAR, within=0.3), scores).outcome == "supported"


def test_a_perfect_score_proves_no_tie() -> None:
    labels = np.arange(100) % 5
    perfect = Scores(METRICS.get("nmi").outcome(labels[None], labels), "nmi", "set", 0.0)
    scores = {Cell(NMI, model, "set"): perfect for model in "ab"}
    assert verdict(Above("a", "b"), scores).outcome == "inconclusive"
    assert verdict(AtLeast("a", 1.0), scores).outcome == "inconclusive"
    assert verdict(AtLeast("a", 0.5), scores).outcome == "supported"


def test_clusters_by_nmi() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 5
    scores = {}
    for model, wrong in (("a", 0.1), ("b", 0.4)):
        clusters = np.where(rng.random((5, 300)) < wrong, rng.integers(0, 5, (5, 300)), labels)
        outcomes = METRICS.get("nmi").outcome(clusters, labels)
        scores[Cell(NMI, model, "set")] = Scores(outcomes, "nmi", "set", 0.0)
    assert verdict(Above("a", "b"), scores).outcome == "supported"
    assert verdict(Above("b", "a"), scores).outcome == "refuted"


def test_the_model_that_resists_attacks_is_the_best() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros(400, dtype=int)
    scores = {}
    for model, success in (("strong", 0.1), ("weak", 0.9)):
        outcomes = METRICS.get("attack_success").outcome((rng.random((3, 400)) < success).astype(int), labels)
        scores[Cell(ATTACK, model, "set")] = Scores(outcomes, "attack_success", "set", 0.0)
    assert verdict(Best("strong"), scores, ("strong", "weak")).outcome == "supported"
    assert verdict(Best("weak"), scores, ("strong", "weak")).outcome == "refuted"
