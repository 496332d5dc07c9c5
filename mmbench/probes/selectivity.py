"""Units that answer to a concept in every form: photo, drawing and word (after Goh et al. 2021).

For each concept the unit is chosen on the training images, and judged on others, so that a network with more units
gains nothing by chance. The metric is ``invariant_units`` (mmbench.metrics). Goh et al. look at single units and their
best images; that a number is made of it, and how, is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.inputs.forms import Forms, Part
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings


@dataclass(frozen=True)
class SelectivitySettings(Settings):
    """The unit whose worst form separates the concept best is taken; nothing to set."""


def selectivity(
    inputs: Forms, settings: Sequence[SelectivitySettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """How well the unit of each concept tells it from the others in each form, float32 ``[trials, concepts, forms]``.

    The area under the curve: the probability that the unit is more active on a test image of the concept than on one
    of another concept in the same form. Nothing is drawn: every trial is the same. Raises BadFeatures and BadDataset.
    """
    inputs.check()
    sizes = len(inputs.concepts), len(inputs.forms)
    train, test = areas(inputs.train, *sizes), areas(inputs.test, *sizes)
    units = train.min(axis=1).argmax(axis=1)
    found = test[np.arange(len(units)), :, units].astype(np.float32)
    return [np.tile(found, (trials, 1, 1)) for _ in settings]


def areas(part: Part, concepts: int, forms: int) -> NDArray[np.float64]:
    """The area under the curve of every unit for every concept within each form: ``[concepts, forms, units]``.

    From the ranks of activations (Mann and Whitney 1947); equal activations share their mean rank.
    """
    from scipy.stats import rankdata

    x, concept, form = part
    found = np.empty((concepts, forms, x.shape[1]))
    for number in range(forms):
        rows = np.flatnonzero(form == number)
        ranks = rankdata(x[rows], axis=0)
        for each in range(concepts):
            own = concept[rows] == each
            count, others = int(own.sum()), int((~own).sum())
            found[each, number] = (ranks[own].sum(axis=0) - count * (count + 1) / 2) / (count * others)
    return found


PROBES.add(
    Probe(
        "selectivity",
        selectivity,
        SelectivitySettings,
        inputs="forms",
        takes="one",
        multilabel=True,
        unnamed=False,
        title="Concepts with a unit that answers to them in every form (after Goh et al. 2021)",
        about="how well the best unit of each concept separates it in each form",
    )
)
SELECTIVITY = PROTOCOLS.add(Protocol("selectivity", "selectivity", SelectivitySettings(), metric="invariant_units"))
