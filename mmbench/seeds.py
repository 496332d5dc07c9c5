"""Seeds of trials, derived from one seed."""

from __future__ import annotations

import numpy as np


def trial_seeds(seed: int, trials: int) -> list[int]:
    """One 63-bit seed a trial; trial ``t`` has the same seed whatever the number of trials."""
    return [int(np.random.SeedSequence([seed, t]).generate_state(1, np.uint64)[0] >> 1) for t in range(trials)]
