"""Crossed outcomes of real digits: the population that simulations of intervals draw trials and examples from.

Nothing here comes from mmbench: nearest class means, and nearest neighbours, on scikit-learn's 1,797 scanned digits.
"""

import functools

import numpy as np

ROWS = 1000
DRAWS = 120


@functools.cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(5).permutation(len(labels))
    return pixels[order] / 16.0, labels[order]


@functools.cache
def features(name: str) -> np.ndarray:
    """``pixels``, or one of two random layers on top of them."""
    pixels, _ = digits()
    if name == "pixels":
        return pixels
    weights = np.random.default_rng({"relu": 1, "tanh": 2}[name]).standard_normal((64, 32)) / 8
    return np.maximum((pixels - 0.3) @ weights, 0) if name == "relu" else np.tanh(2 * (pixels - 0.3) @ weights)


@functools.cache
def population(name: str, shots: int, neighbours: bool = False) -> np.ndarray:
    """Whether each of 1,000 test digits is right after each of 120 draws of training digits, ``[draws, rows]``."""
    _, labels = digits()
    all_features = features(name)
    train, test = all_features[:-ROWS], all_features[-ROWS:]
    rng = np.random.default_rng(7)
    out = np.empty((DRAWS, ROWS), np.float32)
    for draw in range(DRAWS):
        rows = [rng.choice(np.flatnonzero(labels[:-ROWS] == c), shots, replace=False) for c in range(10)]
        seen = train[np.concatenate(rows)]
        if not neighbours:
            seen = seen.reshape(10, shots, -1).mean(axis=1)
        distance = (seen**2).sum(axis=1) - 2 * test @ seen.T
        out[draw] = distance.argmin(axis=1) // (shots if neighbours else 1) == labels[-ROWS:]
    return out


def drawn(populations: list[np.ndarray], trials: int, examples: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The same trials and the same examples of each population, one test set and its trials."""
    draws = rng.choice(DRAWS, trials, replace=False)
    rows = rng.integers(0, ROWS, examples)
    return [each[draws][:, rows] for each in populations]
