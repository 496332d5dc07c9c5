"""What a bench notes of how far outcomes are independent: groups of test items, and means on halves of them."""

import dataclasses

import numpy as np
import pytest

from mmbench.bench.bench import Bench
from mmbench.bench.keys import cell_key, code_digest
from mmbench.bench.solving import groups_of
from mmbench.datasets.groups import Groups, grouped
from mmbench.features.store import Store
from mmbench.metrics import METRICS
from mmbench.probes import halves
from mmbench.probes.entry import PROBES
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.spectral import CLUSTERING, spectral
from mmbench.protocol import Cell

from ..tiny_lineup import colours, dataset, tiny_lineup

GROUPS = grouped([number // 3 % 12 for number in range(53)], "cards")  # a card shows one colour: no three in one class
FEW = Cell(FEW_SHOT.at(shots=5), "clip", "cifar10")
CLUSTERS = Cell(CLUSTERING, "clip", "cifar10")


def with_groups(groups, name="cards"):
    entry = dataset(name)

    def load():
        whole = entry.load()
        test = dataclasses.replace(whole.split("test"), groups=groups)
        return dataclasses.replace(whole, splits=whole.splits | {"test": test})

    return dataclasses.replace(entry, load=load)


@pytest.fixture
def bench(tmp_path):
    def make(groups=GROUPS, models=(), store="store"):
        lineup = tiny_lineup(models, {"cifar10": with_groups(groups)})
        return Bench(lineup, Store(tmp_path / store), progress=False)

    return make


def test_scores_hold_the_groups_of_their_examples_and_are_read_back(bench):
    for _ in range(2):
        scores = bench().scores(FEW)
        assert np.array_equal(scores.groups, GROUPS.of)
        assert (scores.grouped_by, scores.halves) == ("cards", None)
        assert np.array_equal(scores.sample.groups, GROUPS.of)
    plain = bench(None, store="other").scores(FEW)
    assert (plain.groups, plain.grouped_by) == (None, "")


def test_a_metric_over_classes_has_no_groups(bench, monkeypatch):
    over_classes = dataclasses.replace(METRICS.get("accuracy"), over="classes")
    monkeypatch.setattr("mmbench.bench.solving.metric_of", lambda source, cell: over_classes)
    assert bench().scores(FEW).groups is None


def test_inputs_of_some_test_items_have_the_groups_of_these():
    test = with_groups(GROUPS).load().split("test")
    rows = [1, 0, 4, 40]

    class Some:
        ids = tuple(test.ids[row] for row in rows)
        truth = test.labels[rows]

    assert groups_of(test, Some()).of.tolist() == GROUPS.of[rows].tolist()
    assert groups_of(dataclasses.replace(test, groups=None), Some()) is None
    Some.truth = np.arange(3)  # classes, and no items
    assert groups_of(test, Some()) is None


def test_clusters_are_found_again_in_halves_of_the_test_rows(bench):
    made = bench(None)
    scores = made.scores(CLUSTERS)
    assert scores.halves.shape == (halves.COUNT,)
    inputs = made.inputs(CLUSTERS)
    rows = halves.draw(inputs.test_y, None, 0, scores.examples)
    for number, (some, seed) in enumerate(zip(rows, halves.seeds(0), strict=True)):
        own = dataclasses.replace(inputs, test_x=inputs.test_x[some], test_y=inputs.test_y[some])
        found = spectral(own, [CLUSTERING.settings], trials=1, seed=seed)[0]
        assert scores.halves[number] == pytest.approx(np.mean(found[0] == inputs.test_y[some]))
    again = bench(None).scores(CLUSTERS)
    assert np.array_equal(again.halves, scores.halves)
    assert again.halves.dtype == np.float32


def test_models_are_measured_on_the_same_halves_of_whole_groups(bench, monkeypatch):
    seen = []
    probe = PROBES.get("spectral")

    def noted(inputs, settings, **options):
        seen.append((len(inputs.test_y), options["trials"], tuple(inputs.test_y)))
        return probe.run(inputs, settings, **options)

    replaced = dataclasses.replace(probe, run=noted)
    monkeypatch.setattr("mmbench.bench.solving.probe_of", lambda protocol: replaced)
    made = bench(models={"rn50": colours("other", spoil=lambda out: out[:, [1, 2, 0]])[0]})
    for role in ("clip", "rn50"):
        made.scores(Cell(CLUSTERING, role, "cifar10"))
    first, second = seen[:17], seen[17:]
    assert first == second
    assert [trials for _, trials, _ in first] == [CLUSTERING.trials] + [1] * halves.COUNT
    drawn = halves.draw(made.inputs(CLUSTERS).test_y, GROUPS.of, 0, made.scores(CLUSTERS).examples)
    assert [len(rows) for rows in drawn] == [rows for rows, _, _ in first[1:]]


def test_readings_have_halves_of_their_own(bench):
    made = bench(None, models={"clip": colours(spoil=lambda out: out - 0.4)[0]})
    code = Cell(CLUSTERING.code, "clip", "cifar10")
    made.plan([CLUSTERS, code])
    assert made.scores(CLUSTERS).halves is not made.scores(code).halves
    assert made.scores(code).halves.shape == (halves.COUNT,)


def test_too_few_rows_for_halves_are_said(bench, monkeypatch):
    monkeypatch.setattr(halves, "_half", lambda of_class, rng: iter([np.array([0, 1])]))
    scores = bench(None).scores(CLUSTERS)
    assert scores.halves is None
    assert "fewer than there are classes" in scores.provenance["halves"]


def test_the_way_halves_are_drawn_is_in_the_key(bench):
    metric, probe = METRICS.get("accuracy"), PROBES.get("spectral")
    plain = dataclasses.replace(probe, fits_test=False)
    assert code_digest(probe, metric) != code_digest(plain, metric)
    source = bench(None).source
    assert cell_key(source, CLUSTERS, probe, metric) != cell_key(source, CLUSTERS, plain, metric)


def test_an_interval_is_wider_by_groups_and_by_halves(bench):
    """Here each by hand: outcomes that agree within a card, and halves that vary more than the outcomes."""
    made = bench(models={"clip": colours(spoil=lambda out: out * 0 + out[:, :1].round(decimals=1))[0]})
    scores = made.scores(FEW)
    by_card = np.repeat([0.0, 1.0], 6)[GROUPS.of][None].astype(np.float32)
    found = [
        dataclasses.replace(scores, outcomes=by_card, **changes)
        for changes in ({}, {"groups": None, "grouped_by": ""}, {"halves": np.linspace(0, 1, 16, dtype=np.float32)})
    ]
    grouped_low, plain_low, halves_low = (each.interval()[0] for each in found)
    assert halves_low < grouped_low < plain_low


def test_groups_and_the_word_for_them_come_together(bench):
    from mmbench.errors import BadScores

    scores = bench().scores(FEW)
    with pytest.raises(BadScores, match="come with the word"):
        dataclasses.replace(scores, grouped_by="")
    with pytest.raises(BadScores, match="for each of 53 examples"):
        dataclasses.replace(scores, groups=Groups(np.zeros(3, np.int64), "cards").of)
    for wrong in (np.ones(1, np.float32), np.array([0.5, np.nan], np.float32), np.ones((2, 2), np.float32)):
        with pytest.raises(BadScores, match="mean outcome for each of 2 halves or more"):
            dataclasses.replace(scores, halves=wrong)
