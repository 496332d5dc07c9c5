"""The printed tables, against digests and sums made from an independent transcription."""

import hashlib

import pytest

from mmbench.claims import cyclegan2022, hu2022
from mmbench.claims._captions import FIG_3_14, FIG_3_23
from mmbench.claims.bielawski2022 import tables
from mmbench.claims.claim import Printed, Table
from mmbench.claims.clip2021.zero_shot import TABLE_1
from mmbench.claims.devillers2021.printed_numbers import CORRELATIONS
from mmbench.probes.mlp import MLP_HEAD
from mmbench.protocol import Cell, Roles

# count, digest of every (model, dataset, value, spread), sum of the values
INDEPENDENT = {
    "Table 5.1": (tables.TABLE_5_1, 15, "f165fe19569e324e", 947.67),
    "Table 5.2": (tables.TABLE_5_2, 27, "7f8589a99fe73220", 1324.38),
    "Table 5.3": (tables.TABLE_5_3, 48, "60da282d5d20efd1", 24.519),
    "Table 6.1": (cyclegan2022.TABLE_6_1, 14, "a47ca8ebfbd6df66", 2.439),
    "Fig. 3.14": (FIG_3_14, 87, "9e6796dac94f72fb", 5930.4),
    "Fig. 3.23": (FIG_3_23, 45, "9fc56f62fed45194", 4623.99),
    "Hu et al., Table 1": (hu2022.TABLE_1, 6, "e8354930b6905a4f", 377.28),
    "Radford et al., Table 1": (TABLE_1, 6, "050c30df2c3fbc60", 340.0),
    "earlier results": (tables.PRIOR_ART, 9, "5351c6bbf83a6b85", 142.487),
    "later films": (tables.RECENT_FILMS, 6, "c2b86ccf3a98155e", 1.519),
}


def digest(table: Table) -> str:
    lines = sorted(
        f"{cell.models!s}|{cell.dataset}|{number.value:g}|{'' if number.std is None else format(number.std, 'g')}"
        for cell, number in table.cells.items()
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", INDEPENDENT)
def test_every_number_is_the_printed_one(name):
    table, count, expected, total = INDEPENDENT[name]
    assert len(table.cells) == count
    assert sum(number.value for number in table.cells.values()) == pytest.approx(total)
    assert digest(table) == expected


@pytest.mark.parametrize(
    ("model", "dataset", "value", "std"),
    [
        (Roles("clip", "bert_large"), "mvsa", 66.03, 0.6),
        (Roles("rn50"), "book_covers", 10.04, 4.33),
        (Roles("clip", "clip_t"), "book_covers_masked", 59.54, 0.28),
        (Roles("clip_t"), "plotster_title", 0.397, 0.0),
        (Roles("bit_m", "bert_large"), "plotster_plot_masked", 0.631, 0.01),
    ],
)
def test_spot_checks_by_eye(model, dataset, value, std):
    cells = tables.TABLE_5_1.cells | tables.TABLE_5_2.cells | tables.TABLE_5_3.cells
    number = cells[Cell(MLP_HEAD, model, dataset)]
    assert (number.value, number.std, number.n) == (value, std, 5)


def test_text_alone_stands_once_and_not_under_masks():
    alone = [cell for cell in tables.TABLE_5_3.cells if str(cell.models) in ("bert_base", "bert_large", "clip_t")]
    assert {cell.dataset for cell in alone} == {"plotster_title", "plotster_plot"}


def test_a_correlation_is_over_twelve_models():
    judged = {cell.dataset: number for cell, number in CORRELATIONS.cells.items() if not number.exact}
    assert judged["word similarity"] == Printed(0.797, pairs=12)
    assert {number.pairs for number in judged.values()} == {12}
    (as_printed,) = (number for number in CORRELATIONS.cells.values() if number.exact)
    assert as_printed.value == judged["word similarity"].value
