"""What a verdict is about: recipes where seeds are known, these networks and published checkpoints elsewhere."""

import dataclasses

import numpy as np
import pytest

from mmbench.calibration.planted_evidence import planted_scores
from mmbench.claims import Claim, Place
from mmbench.forms import Above
from mmbench.lineups import load_lineup
from mmbench.lineups.seed_table import SeedTable, read_seeds
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.rdm import RSA
from mmbench.protocol import Cell, Roles
from mmbench.verdict import Measured, Networks, judge
from mmbench.verdict.evidence import gather

FIVE = FEW_SHOT.at(shots=5)
SEEDS = "the training recipes (seeds of 14 networks)"


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks.of(load_lineup("embedded"))


def about(networks: Networks, *models, dataset="cub", protocol=FIVE):
    return networks.about({Cell(protocol, model, dataset): "accuracy" for model in models})


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (("bit_m", "clip"), SEEDS),
        (("sin_in", "virtex"), SEEDS),  # recipes with one network: the pooled variance of the others' seeds
        (("bit_m", "efficientnet"), f"{SEEDS} and published checkpoints"),
        (("bit_m", "random"), f"{SEEDS} and these networks"),
        (("efficientnet", "bert_base"), "published checkpoints"),
        (("clip_t", "gpt2"), "these networks"),
        (("bit_m", "bit_m_seed1"), "these networks"),  # the claim names the seeds itself
        (("vit", "vit_unimodal"), SEEDS),  # one network in two roles is no second seed
        (("random",), "these networks"),
    ],
)
def test_what_a_claim_is_about(networks, models, words) -> None:
    found = about(networks, *models)
    assert found.words == words
    assert (found.level is not None) == (SEEDS in words)


def test_the_level_is_the_tables_network_by_network(networks) -> None:
    table = networks.table
    cells = {Cell(p, m, "cub"): "accuracy" for m in ("bit_m", "clip") for p in (FIVE, FEW_SHOT.at(shots=10))}
    level = networks.about(cells).level
    at = [table.at[FIVE.fingerprint(), "cub", ()], table.at[FEW_SHOT.at(shots=10).fingerprint(), "cub", ()]]
    block = table.total[np.ix_(at, at)]
    assert level.df == 9
    assert level.total[:2, :2] == pytest.approx(block)
    assert level.total[2:, 2:] == pytest.approx(block)
    assert not level.total[:2, 2:].any()
    assert not level.sampling[:2, 2:].any()
    assert level.sampling[0, 1] == pytest.approx(table.sampling[at[0], at[1]])


def test_the_codes_reading_has_the_row_of_the_papers(networks) -> None:
    """Under the code's reading rn50 alone is prepared otherwise, so that its seeds cannot be compared with it."""
    assert all(row.reading == "paper" for row in networks.table.rows)
    paper, code = (about(networks, "rn50", protocol=protocol).level for protocol in (FIVE, FIVE.code))
    assert code.total == pytest.approx(paper.total)
    assert paper.total[0, 0] > 0


def test_a_cell_that_the_table_lacks_takes_the_mean_of_its_probe_and_says_so(networks) -> None:
    found = about(networks, "vit", protocol=FEW_SHOT.at(shots=5).at_layer("block1"))
    assert found.words == SEEDS
    assert found.level.total[0, 0] == pytest.approx(networks.table.by_probe["prototypes", "accuracy"][0])
    assert "1 of 1 cells are not in the table of seed scores: the mean variance of their probe and metric" in found.note


def test_cells_that_the_table_lacks_move_together_as_its_rows_do(networks) -> None:
    """The variance between seeds of a mean over shots and datasets is that of the table's own rows.

    Cells taken as independent had a fraction of it, and 95 % intervals about such means held too little.
    """
    datasets = ("mnist", "cifar10", "cifar100", "fashion_mnist", "cub", "svhn")
    protocols = [FEW_SHOT.at(shots=shots) for shots in (1, 5, 10)]
    cells = {
        Cell(protocol, model, dataset): "accuracy"
        for model in ("bit_m", "clip")
        for dataset in datasets
        for protocol in protocols
    }
    weights = np.repeat([[1 / 18, -1 / 18]], 18, axis=1)
    listed = networks.about(cells).level
    absent = dataclasses.replace(networks, datasets=frozenset()).about(cells).level
    table = networks.table
    alone, near, far = (
        table.by_probe["prototypes", "accuracy"],
        table.by_pair["prototypes", "accuracy", True],
        table.by_pair["prototypes", "accuracy", False],
    )
    assert (absent.total[0, 0], absent.total[0, 1], absent.total[0, 3]) == pytest.approx((alone[0], near[0], far[0]))
    assert absent.sampling[0, 1] == pytest.approx(near[1])
    assert not absent.total[:18, 18:].any()
    found = absent.excess(weights)[0]
    assert found > 3 * 2 / 18 * (alone[0] - alone[1])  # thrice that of independent cells
    assert 0.7 < found / listed.excess(weights)[0] < 1.4


def test_other_layers_that_the_table_lacks_are_not_taken_as_the_output(networks) -> None:
    """A network's layers move together less than its shots: their difference must not look surer than it is."""
    level = networks.about(
        {Cell(FIVE.at_layer(layer), "vit", "cub"): "accuracy" for layer in ("block1", "block2")}
    ).level
    assert level.total[0, 1] == pytest.approx(networks.table.by_pair["prototypes", "accuracy", False][0])


def test_a_row_and_a_cell_that_the_table_lacks_move_together(networks) -> None:
    known = dataclasses.replace(networks, datasets=networks.datasets - {"svhn"})
    level = known.about({Cell(FIVE, "bit_m", name): "accuracy" for name in ("cub", "svhn")}).level
    pair = networks.table.by_pair["prototypes", "accuracy", False]
    assert (level.total[0, 1], level.sampling[1, 0]) == pytest.approx(pair)


def test_where_no_seeds_are_known_it_is_about_these_networks_and_says_so(networks) -> None:
    found = about(networks, Roles("bit_m", "rn50"), dataset="imagenet", protocol=RSA)
    assert (found.words, found.level) == ("these networks", None)
    assert found.note == "how seeds vary is not known for rdm: there it is about these networks"


def test_another_dataset_in_the_role_is_not_in_the_table() -> None:
    lineup = load_lineup("embedded").bind_dataset("cub=flags")
    assert "cells are not in the table" not in about(Networks.of(lineup), "bit_m").note
    lineup = load_lineup("embedded").bind_dataset("cub=categories")
    assert "1 of 1 cells are not in the table" in about(Networks.of(lineup), "bit_m").note


def test_a_checkpoint_bound_by_hand_stands_for_itself() -> None:
    found = about(Networks.of(load_lineup("embedded").bind_model("bit_m=zoo:bit_m_seed1")), "bit_m")
    assert (found.words, found.level) == ("these networks", None)


def test_a_recipe_of_another_lineup_is_not_judged_by_this_ones_seeds(tmp_path) -> None:
    """It is, once it has a table of its own."""
    path = tmp_path / "mine.toml"
    head = '[lineup]\nname = "mine"\nextends = "embedded"\n'
    path.write_text(f'{head}[models.bit_m]\nspec = "zoo:bit_m"\nrecipe = "mine"\n')
    networks = Networks.of(load_lineup(path))
    assert about(networks, "bit_m").words == "these networks"
    assert about(networks, "clip").words == SEEDS
    text = load_lineup("embedded").seeds.read_text()
    (tmp_path / "mine.seeds.json").write_text(text.replace('"recipe": "bit_m"', '"recipe": "mine"'))
    assert about(Networks.of(load_lineup(path)), "bit_m").words == SEEDS


def test_the_paper_lineup_is_about_published_checkpoints() -> None:
    assert about(Networks.of(load_lineup("paper")), "bit_m", "clip").words == "published checkpoints"


def test_a_table_that_does_not_fit_is_not_used_and_the_verdict_says_why(tmp_path, monkeypatch) -> None:
    table = read_seeds(load_lineup("embedded").seeds)
    misfit = "network bit_m (zoo:bit_m) had the digest 1 and has 2"
    monkeypatch.setattr(SeedTable, "misfits", lambda self, lineup: [misfit])
    found = about(Networks.of(load_lineup("embedded")), "bit_m")
    assert (found.words, found.level) == ("these networks", None)
    assert found.note == f"embedded.seeds.json is not used, since {misfit}; measure it anew: mmbench seeds embedded"
    assert table.df == 9


# In a verdict

CLAIM = Claim(
    "study-claim", "A sentence.", Place("study", "1"), Above("bit_m", "clip"), (FIVE,), ("cub",), ("bit_m", "clip")
)


def evidence(networks: Networks | None, difference: float) -> Measured:
    means = {Cell(FIVE, "bit_m", "cub"): 60.0 + difference, Cell(FIVE, "clip", "cub"): 60.0}
    scores = planted_scores(means, seed=2, trials=5, examples=4000)
    return Measured(scores.__getitem__, networks)


def test_seeds_widen_the_interval_by_their_variance(networks) -> None:
    cells, loud = CLAIM.cells["measured"], with_loud_seeds(networks)
    alone, seeds = (gather(CLAIM, evidence(n, 3.0), cells) for n in (None, loud))
    assert (alone.networks, seeds.networks) == ("these networks", SEEDS)
    row = loud.table.at[FIVE.fingerprint(), "cub", ()]
    excess = loud.table.total[row, row] - loud.table.sampling[row, row]
    narrow, wide = (g.joint.contrasts([[1.0, -1.0]])[0] for g in (alone, seeds))
    assert excess > 0
    assert wide.se**2 - narrow.se**2 == pytest.approx(2 * excess)


def test_a_lead_within_the_seeds_is_open_and_the_verdict_says_how_many_trainings_settle_it(networks) -> None:
    assert judge(CLAIM, evidence(None, 4.0)).outcome == "supported"
    verdict = judge(CLAIM, evidence(with_loud_seeds(networks), 4.0))
    assert verdict.outcome == "inconclusive"
    assert "trainings of each recipe (now 1)" in verdict.settle


def with_loud_seeds(networks):
    loud = networks.table.model_copy(update={"rows": tuple(_loud(row) for row in networks.table.rows)})
    return dataclasses.replace(networks, table=SeedTable.model_validate(loud.model_dump(by_alias=True)))


def _loud(row):
    """Seeds that differ by ten points."""
    return row.model_copy(update={"scores": tuple(50.0 + 10.0 * (n % 3) for n in range(len(row.scores)))})
