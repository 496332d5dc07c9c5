"""Units over concepts in several forms: scikit-learn's area, units that know a concept, and no gain from many units."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mmbench.errors import BadDataset
from mmbench.inputs.forms import Forms
from mmbench.metrics import METRICS
from mmbench.probes.selectivity import SelectivitySettings, areas, selectivity

CONCEPTS, FORMS, VIEWS = 4, 3, 3
CONCEPT = np.tile(np.repeat(np.arange(CONCEPTS), VIEWS), FORMS)
FORM = np.repeat(np.arange(FORMS), CONCEPTS * VIEWS)
METRIC = METRICS.get("invariant_units")


def forms(train_x, test_x):
    return Forms((train_x, CONCEPT, FORM), (test_x, CONCEPT, FORM), tuple("abcd"), ("photo", "drawing", "word"))


def noise(seed, units=6):
    return np.random.default_rng(seed).standard_normal((len(CONCEPT), units)).astype(np.float32)


@settings(max_examples=10)
@given(st.integers(0, 1000), st.booleans())
def test_it_is_the_area_under_the_curve_ties_included(seed, rounded):
    x = noise(seed)
    x = x.round() if rounded else x
    found = areas((x, CONCEPT, FORM), CONCEPTS, FORMS)
    for form in range(FORMS):
        rows = form == FORM
        for concept in range(CONCEPTS):
            for unit in range(x.shape[1]):
                wanted = roc_auc_score(CONCEPT[rows] == concept, x[rows, unit])
                assert found[concept, form, unit] == pytest.approx(wanted, abs=1e-9)


def test_a_unit_that_answers_in_every_form_counts_and_one_of_two_forms_does_not():
    train, test = noise(0), noise(1)
    for x in (train, test):
        x[:, 2] += 20 * (CONCEPT == 0)  # in every form
        x[:, 3] += 20 * ((CONCEPT == 1) & (FORM != 2))  # not as a word
    found = selectivity(forms(train, test), [SelectivitySettings()], trials=1, seed=0)[0]
    assert found.shape == (1, CONCEPTS, FORMS)
    np.testing.assert_array_equal(found[0, 0], 1.0)
    assert METRIC.outcome(found, np.arange(CONCEPTS))[0, :2].tolist() == [1.0, 0.0]


def test_a_unit_chosen_by_chance_among_many_does_not_hold_on_other_images():
    found = selectivity(forms(noise(2, 3000), noise(3, 3000)), [SelectivitySettings()], trials=1, seed=0)[0]
    chosen = areas((noise(2, 3000), CONCEPT, FORM), CONCEPTS, FORMS).min(axis=1).max(axis=1)
    assert chosen.min() > 0.75  # in its worst form, where it was chosen
    assert 0.3 < found.mean() < 0.7
    assert METRIC.outcome(found, np.arange(CONCEPTS)).mean() == 0.0


def test_a_concept_that_lacks_a_form_is_refused():
    rows = ~((CONCEPT == 1) & (FORM == 2))
    given_forms = forms(noise(0), noise(1))
    few = dataclasses.replace(given_forms, test=(noise(1)[rows], CONCEPT[rows], FORM[rows]))
    with pytest.raises(
        BadDataset, match="the test split shows 'b' never as 'word'; every concept is needed in every form"
    ):
        selectivity(few, [SelectivitySettings()], trials=1, seed=0)
