"""The table of seed scores measured on toys: what is asked, what is left out, and the sampling part by hand."""

import dataclasses

import numpy as np
import pytest

from mmbench import stats
from mmbench.bench.bench import Bench
from mmbench.errors import BadSpec
from mmbench.features.store import Store
from mmbench.lineups import load_lineup
from mmbench.lineups.seed_table import SeedTable, text_of
from mmbench.scores import Scores
from mmbench.session import seed_scores
from mmbench.session.seed_scores import asked_places, difference_covariance, measure, seeds_of

from ..tiny_lineup import colours, tiny_lineup


def noisy(weights: str, amount: float):
    """A training of the toy's recipe: mean colours with noise of its own."""

    def spoil(out):
        import torch

        generator = torch.Generator().manual_seed(sum(map(ord, weights)))
        return out + amount * torch.randn(out.shape, generator=generator)

    return colours(f"colours-{weights}", spoil=spoil, weights=weights)[0]


def lineup(*, recipes=("r", "r", "s", "s"), broken=False):
    roles = ("clip", "bit_m", "rn50", "sin")
    models = {role: noisy(f"w{n}", 0.3) for n, role in enumerate(roles)}
    made = tiny_lineup(models=models.items())
    for role, recipe in zip(roles, recipes, strict=True):
        made.models[role] = _bound(made.models[role], recipe)
    return made


def _bound(binding, recipe):
    entry = binding.entry
    out = dataclasses.replace(binding, recipe=recipe, spec=entry.name)
    out.__dict__["entry"] = entry
    return out


def measured(tmp_path, said=None, **how) -> SeedTable:
    bench = Bench(lineup(**how), Store(tmp_path), progress=False)
    return measure(bench, "made by a test", (said if said is not None else []).append)


def few(monkeypatch, protocols=("few_shot_5",)):
    """Fewer places, for time."""
    every = seed_scores.asked_places
    monkeypatch.setattr(
        seed_scores, "asked_places", lambda lineup: [a for a in every(lineup) if a.cell.protocol.name in protocols]
    )


def test_seeds_are_the_networks_of_recipes_with_several() -> None:
    assert seeds_of(lineup()) == [("clip", "r"), ("bit_m", "r"), ("rn50", "s"), ("sin", "s")]
    assert seeds_of(lineup(recipes=("r", "r", "s", ""))) == [("clip", "r"), ("bit_m", "r")]
    assert len(seeds_of(load_lineup("embedded"))) == 14


def test_a_lineup_without_seeds_is_refused() -> None:
    with pytest.raises(BadSpec, match="lineup 'tiny' has no recipe with two networks; give the roles of one recipe"):
        seeds_of(lineup(recipes=("r", "s", "", "")))
    with pytest.raises(BadSpec, match="lineup 'paper' has no recipe with two networks"):
        seeds_of(load_lineup("paper"))


def test_what_is_asked_has_one_network_of_a_recipe() -> None:
    places = asked_places(load_lineup("embedded"))
    assert {each.cell.protocol.probe for each in places} >= {"prototypes", "linear", "spectral", "mlp", "attack"}
    assert {each.cell.protocol.reading for each in places} == {"paper"}
    assert {each.place.others for each in places} == {(), ("bert_base",), ("bert_large",)}
    assert len({each.place for each in places}) == len(places)
    played = next(each for each in places if each.place.others == ("bert_base",)).played_by("bit_m_seed1")
    assert "bit_m_seed1" in played.models
    assert "bert_base" in played.models


def test_a_table_of_toys(tmp_path, monkeypatch) -> None:
    few(monkeypatch)
    said: list[str] = []
    table = measured(tmp_path, said)
    assert [network.role for network in table.networks] == ["clip", "bit_m", "rn50", "sin"]
    assert {row.dataset for row in table.rows} == {"cifar10", "mnist"}
    assert all(len(row.scores) == 4 and row.sampling > 0 for row in table.rows)
    assert any(np.ptp(row.scores) > 0 for row in table.rows)
    assert table.misfits(lineup()) == []
    assert all(line.split("/")[0].isdigit() for line in said)


def test_a_second_run_reads_the_store_and_gives_the_same_table(tmp_path, monkeypatch) -> None:
    few(monkeypatch)
    first = text_of(measured(tmp_path))
    monkeypatch.setattr("mmbench.bench.bench.score", None)  # would be called to measure anew
    assert text_of(measured(tmp_path)) == first


def test_what_no_network_can_play_is_left_out_and_said(tmp_path, monkeypatch) -> None:
    few(monkeypatch, ("few_shot_5", "few_shot_5@stage1"))
    said: list[str] = []
    table = measured(tmp_path, said)
    assert not any("stage1" in row.protocol for row in table.rows)
    assert any("left out few_shot_5@stage1[bit_m, cifar10]" in line for line in said)


def test_nothing_to_measure_is_refused(tmp_path, monkeypatch) -> None:
    few(monkeypatch, ("few_shot_5@stage1",))
    with pytest.raises(BadSpec, match="nothing of what claims ask can be measured on lineup 'tiny'"):
        measured(tmp_path)


def test_the_sampling_part_is_the_crossed_variance_of_a_difference() -> None:
    rng = np.random.default_rng(0)
    outcomes = (rng.random((2, 4, 5, 200)) < rng.random((1, 1, 1, 200))).astype(np.float32)
    scores = [[Scores(outcomes[p, n], "accuracy", "same", 0.1) for n in range(4)] for p in range(2)]
    found = difference_covariance(scores, ["r", "r", "s", "s"])
    both = [
        stats.crossed_mean([outcomes[0, a], outcomes[0, b]], [100.0, -100.0], ["x", "x"]) for a, b in ((0, 1), (2, 3))
    ]
    assert found[0, 0] == pytest.approx(
        np.mean([one.se**2 for one in both]), rel=0.08
    )  # a covariance is rounded up to a possible one
    apart = [[Scores(outcomes[p, n], "accuracy", f"set {p}", 0.1) for n in range(4)] for p in range(2)]
    assert difference_covariance(apart, ["r", "r", "s", "s"])[0, 1] == 0.0
