"""Metrics that give every example a score of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmbench.metrics.entry import METRICS, Metric, Outcomes


def accuracy(predictions: NDArray, labels: NDArray) -> Outcomes:
    """1 where the predicted class is the label, else 0. Shapes ``[trials, n]`` and ``[n]``."""
    return (predictions == labels[None]).astype(np.float32)


def attack_success(predictions: NDArray, labels: NDArray) -> Outcomes:
    """1 where the class predicted for the attacked image is not the label, else 0. Shapes as for accuracy.

    An image that is misclassified before the attack counts as a success (robust accuracy is 1 minus this).
    """
    return (predictions != labels[None]).astype(np.float32)


def targeted_success(predictions: NDArray, targets: NDArray) -> Outcomes:
    """1 where the class predicted for the attacked image is the target of its attack, else 0. Shapes as for accuracy.

    The truth of a targeted attack is its targets, not the labels.
    """
    return (predictions == targets[None]).astype(np.float32)


def among_answers(predictions: NDArray, labels: NDArray) -> Outcomes:
    """1 where the label is one of the answers (top-5 accuracy), else 0. Shapes ``[trials, n, answers]`` and ``[n]``."""
    return (predictions == labels[None, :, None]).any(axis=-1).astype(np.float32)


def f1_samples(predictions: NDArray, labels: NDArray) -> Outcomes:
    """F1 of each example's label set, ``TP / (TP + (FP + FN) / 2)`` (Bielawski 2022, section 5.2).

    Shapes ``[trials, n, classes]`` and ``[n, classes]``, booleans. An empty prediction of a non-empty set
    scores 0, as in scikit-learn's ``f1_score(average="samples")``; so does empty against empty.
    """
    predictions, labels = predictions.astype(bool), labels.astype(bool)[None]
    hits = (predictions & labels).sum(axis=-1)
    size = predictions.sum(axis=-1) + labels.sum(axis=-1)
    return np.divide(2.0 * hits, size, out=np.zeros(hits.shape), where=size > 0).astype(np.float32)


def largest_share(labels: NDArray) -> float:
    """The share of the largest class: the accuracy of the best constant answer."""
    return float(np.bincount(labels).max() / len(labels))


def best_constant_f1(labels: NDArray) -> float:
    """Mean F1 of the best constant label set, among every prefix of the labels ordered by frequency.

    Greedy, so a lower bound. ``labels`` is boolean ``[n, classes]``.
    """
    order = np.argsort(-labels.mean(axis=0), kind="stable")
    best = 0.0
    for k in range(1, labels.shape[1] + 1):
        constant = np.zeros(labels.shape[1], dtype=bool)
        constant[order[:k]] = True
        best = max(best, float(f1_samples(np.broadcast_to(constant, (1, *labels.shape)), labels).mean()))
    return best


METRICS.add(Metric("accuracy", accuracy, "%", 100.0, chance_of=largest_share, about="share of right predictions"))
METRICS.add(Metric("among_answers", among_answers, "%", 100.0, about="share of labels that are among several answers"))
METRICS.add(Metric("f1_samples", f1_samples, "", 1.0, chance_of=best_constant_f1, about="F1 of each example's labels"))
METRICS.add(
    Metric(
        "attack_success",
        attack_success,
        "%",
        100.0,
        higher_is_better=False,
        chance_of=lambda labels: 1.0 - largest_share(labels),
        about="share of attacked images that are classified wrongly",
    )
)
METRICS.add(
    Metric(
        "targeted_success",
        targeted_success,
        "%",
        100.0,
        higher_is_better=False,
        about="share of attacked images that are taken for the class that the attack wants",
    )
)
