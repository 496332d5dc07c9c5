"""Made-up features for the tests of several rooms: Gaussian classes around means of a chosen spread."""

import numpy as np
import pytest

from mmbench.inputs.labelled import Labelled
from mmbench.inputs.prompts import Prompted


def make_gaussians(
    *, classes=4, dim=8, train=80, test=60, spread=1.0, noise=1.0, seed=0, positive=False, several=False, prompted=False
) -> Labelled | Prompted:
    """``spread`` is the standard deviation of the means, ``noise`` that of the rows around them."""
    rng = np.random.default_rng(seed)
    means = spread * rng.standard_normal((classes, dim))
    planes = rng.standard_normal((dim, classes))

    def rows(count):
        y = np.arange(count) % classes
        x = means[y] + noise * rng.standard_normal((count, dim))
        x = np.maximum(x, 0) if positive else x
        if several:
            y = x @ planes > 0
            y[np.arange(count), np.arange(count) % classes] = True  # no row without a label
        return x.astype(np.float32), y

    (train_x, train_y), (test_x, test_y) = rows(train), rows(test)
    prompts = (means[:, None] + 0.1 * rng.standard_normal((classes, 3, dim))).astype(np.float32)
    names = tuple(f"class {i}" for i in range(classes))
    if prompted:
        return Prompted(test_x, test_y, names, prompts)
    return Labelled(train_x, train_y, test_x, test_y, names)


@pytest.fixture(scope="session")
def gaussians():
    return make_gaussians
