"""What a lineup is asked for."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from mmbench.bench.costs import Cost
from mmbench.claims import CLAIMS
from mmbench.claims.families import cells_asked
from mmbench.features.store import Store
from mmbench.lineups.roles import MODEL_ROLES
from mmbench.probes.entry import PROBES
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.logistic import LOGISTIC
from mmbench.probes.mlp import MLP_HEAD
from mmbench.probes.neighbours import NEIGHBOURS
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.selectivity import SELECTIVITY
from mmbench.probes.spectral import CLUSTERING
from mmbench.probes.visual_words import VISUAL_WORDS
from mmbench.probes.zero_shot import ZERO_SHOT
from mmbench.protocol import Cell, Roles
from mmbench.session.run_session import RunSession

OWN = {role.name for role in MODEL_ROLES if role.own}
PROTOCOLS = (FEW_SHOT, CLUSTERING, LINEAR_PROBE, MLP_HEAD, NEIGHBOURS, LOGISTIC, ZERO_SHOT, VISUAL_WORDS, SELECTIVITY)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    return RunSession.open(lineup="embedded", store=store, expected=Path("none"))


def probes(run, model, dataset):
    return {cell.protocol.probe for cell in run.cells(PROTOCOLS, Roles.of(model), dataset)}


def test_every_dataset_whose_pictures_are_judged_has_a_score_of_the_untrained_network(run):
    cells = [cell for claim in CLAIMS if not claim.waits_for for cell in cells_asked(claim, "measured")]
    without = {probe.name for probe in PROBES if probe.takes == "pair" or not probe.floor}  # they compare, or attack
    asked = {cell.dataset for cell in cells if cell.protocol.probe not in without}
    pairs = {(model, dataset) for model, dataset in run.pairs(PROTOCOLS) if model == ("random",)}
    shown = {d for d in asked if d in run.lineup.datasets and "image" in run.lineup.dataset(d).entry.modalities}
    texts_only = {"plotster_recent_title"}
    assert {dataset for _, dataset in pairs} == shown - texts_only
    assert all(probes(run, *pair) for pair in pairs)


def test_dear_heads_are_trained_on_unnamed_roles_only_for_the_floor_that_nothing_cheaper_gives(run):
    assert probes(run, "random", "plotster_recent") == {"mlp"}
    assert probes(run, "random", "mvsa") == {"neighbours"}
    assert probes(run, "efficientnet", "plotster_recent") == set()
    assert Roles("efficientnet") not in {model for model, _ in run.pairs((MLP_HEAD,))}


def test_datasets_come_one_after_another_so_that_their_images_are_prepared_once(run):
    datasets = [dataset for _, dataset in run.pairs(PROTOCOLS)]
    changes = sum(a != b for a, b in itertools.pairwise(datasets))
    assert changes == len(set(datasets)) - 1


def test_what_a_claim_waits_with_is_not_measured(run):
    """The suite of 12 datasets asks for icmlm on cifar100 too, but waits for a metric."""
    waiting = CLAIMS.get("clip2021-small-scale-underperform")
    assert Cell(LOGISTIC, "icmlm", "cifar100") in cells_asked(waiting, "measured")
    asked = {dataset for model, dataset in run.pairs((LOGISTIC,)) if model == ("icmlm",)}
    assert asked == {"cifar10"}
    assert run.cells((LOGISTIC,), Roles("icmlm"), "cifar100") == []


def test_one_network_under_several_roles_is_asked_zero_shot_once(run):
    pairs = [(model, dataset) for model, dataset in run.pairs((ZERO_SHOT,)) if len(model) == 2]
    entries = [tuple(run.lineup.model(role).entry.name for role in model) for model, _ in pairs]
    unasked = [(entry, d) for entry, (model, d) in zip(entries, pairs, strict=True) if "clip_vitl14_336" not in model]
    assert len(unasked) == len(set(unasked)) > 10
    assert {model for model, _ in pairs if {"clip_vitl14_336", "clip_vitl14_336_t"} & {*model}} == {
        Roles("clip_vitl14_336", "clip_vitl14_336_t")  # claims ask for it, and for no other pair with one of them
    }


def test_the_zoos_own_models_are_measured_only_where_a_claim_asks(run):
    asked = {(cell.models, cell.dataset) for claim in CLAIMS for cell in cells_asked(claim, "measured")}
    own = [pair for pair in run.pairs(PROTOCOLS) if set(pair[0]) <= OWN - {"random", "efficientnet"}]
    assert set(own) <= asked


def test_news_counts_what_was_encoded_twice_once(run):
    """Each call tells what is new, so that a controller may add up what its workers tell."""
    bench = run.bench
    bench.source.store, items = Store(bench.store.root), np.arange(64, dtype=np.uint8).reshape(2, 32)
    for again, told in ((items, 0), (items[:1], 1), (items[:1], 0), (items, 1)):
        bench.store.count("key", again)
        bench.costs.append(Cost("features", "made up", 0.1, True, len(again)))
        assert run.news()["twice"] == told
    assert run.news()["twice"] == 0
