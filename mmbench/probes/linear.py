"""Linear probe, trained with Adam (Devillers et al. 2021, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.labelled import Labelled
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol
from mmbench.seeds import trial_seeds
from mmbench.training.heads import LinearSettings, fit_linear


def linear(
    arrays: Labelled, settings: Sequence[LinearSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Label test rows by one linear layer with bias on the features as they are; a trial is a seed.

    ``fit_linear`` says how it is trained. Predictions int64 ``[trials, m]``.
    """
    arrays.check("train")
    found = []
    for s in settings:
        heads = fit_linear(arrays.train_x, arrays.train_y, arrays.classes, s, trial_seeds(seed, trials), device)
        predictions = np.empty((trials, len(arrays.test_x)), dtype=np.int64)
        for part, logits in heads.scores(arrays.test_x):
            predictions[:, part] = logits.argmax(axis=-1)
        found.append(predictions)
    return found


PROBES.add(
    Probe(
        "linear",
        linear,
        LinearSettings,
        side_by_side=True,
        title="Linear probe (as Devillers et al. 2021, Fig. 4)",
        task="linear probe",
        about="one linear layer by Adam, all seeds in one run",
    )
)
LINEAR_PROBE = PROTOCOLS.add(Protocol("linear_probe", "linear", LinearSettings(), trials=5))
