"""The table of seed scores: variances worked by hand, what makes a table useless, and whether ours still fits."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.errors import BadSpec
from mmbench.lineups import load_lineup
from mmbench.lineups.seed_table import Data, Place, Seed, SeedRow, SeedTable, read_seeds, text_of

SCORES = ((60.0, 62.0, 64.0, 80.0, 80.0, 86.0), (10.0, 11.0, 12.0, 40.0, 43.0, 40.0))


def table(scores=SCORES, sampling=(2.0, 1.0), between=0.5, **changes) -> SeedTable:
    """Two recipes of three seeds, a row for each list of scores; the first two rows have the same examples."""
    networks = tuple(
        Seed(role=f"{r}{n}", recipe=r, spec=f"zoo:{r}{n}", digest=f"{r}{n}") for r in "ab" for n in range(3)
    )
    rows = tuple(
        SeedRow(
            protocol=f"p{i}",
            fingerprint=f"f{i}",
            reading="paper",
            probe="prototypes",
            metric="accuracy",
            dataset="cub",
            scores=row,
            sampling=sampling[i],
            covariance={0: between} if i == 1 else {},
        )
        for i, row in enumerate(scores)
    )
    fields = {"schema": 1, "lineup": "made", "networks": networks, "rows": rows}
    return SeedTable(**(fields | {"datasets": (Data(role="cub", spec="flags", digest="d"),)} | changes))


def test_the_covariance_between_seeds_by_hand() -> None:
    """Deviations -2, 0, 2 and -2, -2, 4 in the first row: 8 + 24 = 32 over 4 degrees of freedom."""
    found = table()
    assert found.df == 4
    assert found.total[0, 0] == pytest.approx(32 / 4)
    assert found.total[1, 1] == pytest.approx((2 + 6) / 4)
    assert found.total[0, 1] == pytest.approx((4 + (2 - 4 - 4)) / 4)
    assert found.sampling == pytest.approx(np.array([[1.0, 0.25], [0.25, 0.5]]))  # half of that of a difference
    assert found.seed_sd(0, "prototypes", "accuracy") == pytest.approx(np.sqrt(8 - 1), abs=0.005)
    assert found.seed_sd(None, "prototypes", "accuracy") == pytest.approx(np.sqrt(5 - 0.75), abs=0.005)
    assert found.seed_sd(None, "mlp", "accuracy") is None


def test_a_spread_within_the_sampling_is_no_spread_of_seeds() -> None:
    assert table(sampling=(80.0, 1.0)).seed_sd(0, "prototypes", "accuracy") == 0.0


def test_the_table_of_one_recipe_is_made_of_its_seeds_alone() -> None:
    whole = table()
    assert whole.total[0, 0] == pytest.approx(8.0)  # computed before, and not to be kept by the part
    part = whole.only(["b"])
    assert (part.df, part.total[0, 0]) == (2, pytest.approx(12.0))
    assert [network.role for network in part.networks] == ["b0", "b1", "b2"]


numbers = st.lists(st.floats(0, 100), min_size=6, max_size=6)


@given(st.tuples(numbers, numbers), st.lists(st.floats(-50, 50), min_size=2, max_size=2))
def test_a_recipe_that_is_better_altogether_varies_no_more(scores, shift) -> None:
    moved = [[x + (shift[0] if i < 3 else shift[1]) for i, x in enumerate(row)] for row in scores]
    before, after = (table(tuple(map(tuple, rows))).total for rows in (scores, moved))
    assert after == pytest.approx(before, abs=1e-6)
    assert np.linalg.eigvalsh(before).min() >= -1e-6


def test_a_table_is_read_as_it_was_written(tmp_path) -> None:
    path = tmp_path / "made.seeds.json"
    path.write_text(text_of(table()))
    assert read_seeds(path) == table()
    assert len(path.read_text().splitlines()) == 20  # a line for each network, dataset and row


BAD = [
    (lambda raw: raw | {"schema": 2}, "expected schema 1, found 2"),
    (
        lambda raw: raw | {"networks": raw["networks"][:4], "rows": []},
        "at least two networks of each recipe, found one of b",
    ),
    (lambda raw: raw | {"networks": [], "rows": []}, "at least two networks of each recipe, found one of none"),
    (
        lambda raw: raw | {"networks": raw["networks"][:5]},
        r"p0\[\*, cub\] has 6 scores, expected one for each of 5 networks",
    ),
    (lambda raw: raw | {"rows": [raw["rows"][0], raw["rows"][0]]}, "two rows stand for the same protocol"),
    (lambda raw: raw | {"rows": [raw["rows"][1]]}, "has covariances with rows that do not stand before it"),
    (lambda raw: raw | {"rows": [raw["rows"][0] | {"sampling": -1.0}]}, "rows.0.sampling: .*, not -1.0"),
    (lambda raw: raw | {"rows": [raw["rows"][0] | {"scores": [1, 2, 3, 4, 5, None]}]}, "rows.0.scores.5: .*, not None"),
    (lambda raw: raw | {"surprise": 1}, "surprise: Extra inputs are not permitted"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_a_table_that_cannot_be_used_is_refused_with_the_way_out(tmp_path, change, message) -> None:
    path = tmp_path / "made.seeds.json"
    path.write_text(json.dumps(change(json.loads(text_of(table())))))
    with pytest.raises(BadSpec, match=rf"made\.seeds\.json: .*{message}.*; measure it anew: mmbench seeds LINEUP"):
        read_seeds(path)


@pytest.mark.parametrize("text", ["{", "\x00", '{"networks": NaN}'])
def test_what_is_no_table_is_refused(tmp_path, text) -> None:
    path = tmp_path / "made.seeds.json"
    path.write_text(text)
    with pytest.raises(BadSpec, match="measure it anew"):
        read_seeds(path)


# The one that is shipped


@pytest.fixture(scope="module")
def embedded() -> SeedTable:
    return read_seeds(load_lineup("embedded").seeds)


def test_the_shipped_table_fits_the_networks_and_datasets(embedded) -> None:
    assert embedded.misfits(load_lineup("embedded")) == []
    networks = {name: len(members) for name, members in embedded.recipes.items()}
    assert networks == {"clip": 3, "bit_m": 3, "rn50": 3, "sin": 3, "slip": 2}


def test_another_network_or_dataset_under_the_same_name_is_a_misfit(embedded) -> None:
    lineup = load_lineup("embedded")
    network = embedded.networks[1].model_copy(update={"digest": "0" * 64})
    data = embedded.datasets[0].model_copy(update={"digest": "1" * 64})
    found = SeedTable.model_construct(networks=(network,), datasets=(data,), rows=()).misfits(lineup)
    assert found[0].startswith(f"network {network.role} ({network.spec}) had the digest 000000000000 and has ")
    assert found[1].startswith(f"dataset {data.role} ({data.spec}) had the digest 111111111111 and has ")


def test_a_role_that_another_network_plays_is_no_misfit(embedded) -> None:
    lineup = load_lineup("embedded").bind_model("bit_m=zoo:rn50")
    network = next(n for n in embedded.networks if n.role == "bit_m").model_copy(update={"digest": "0" * 64})
    assert SeedTable.model_construct(networks=(network,), datasets=(), rows=()).misfits(lineup) == []


def test_rows_hold_on_the_datasets_that_they_were_measured_on(embedded) -> None:
    binding = load_lineup("embedded").dataset("cub")
    assert embedded.knows_dataset(binding)
    assert not embedded.knows_dataset(replace(binding, spec="imagefolder:elsewhere"))


def test_a_lineup_has_the_table_beside_it_or_that_of_the_one_it_extends(tmp_path) -> None:
    (tmp_path / "mine.toml").write_text('[lineup]\nname = "mine"\nextends = "embedded"\n')
    assert load_lineup(tmp_path / "mine.toml").seeds == load_lineup("embedded").seeds
    own = tmp_path / "mine.seeds.json"
    own.write_text("{}")
    assert load_lineup(tmp_path / "mine.toml").seeds == own
    assert load_lineup("paper").seeds is None


def test_places_differ_in_the_other_models(embedded) -> None:
    assert Place("f", "cub") != Place("f", "cub", ("bert_base",))
    assert any(row.others for row in embedded.rows)
