"""Word vectors on the paper lineup's own specifications, with files of the published formats and small networks."""

import sys
from pathlib import Path

import pytest

from mmbench.bench.bench import Bench
from mmbench.claims import CLAIMS
from mmbench.conditions import cells_of

sys.path.insert(0, str(Path(__file__).parent))

import paper_data

PROBES = {"word_analogies", "word_pairs", "visual_words"}


def cells(reading):
    found = {}
    for claim in CLAIMS:
        node = claim.condition("measured", reading) if claim.study == "devillers2021" else None
        if node is not None:
            found |= {cell: None for cell in cells_of(node) if cell.protocol.probe in PROBES}
    return list(found)


@pytest.mark.parametrize("reading", ["paper", "code"])
def test_every_cell_of_section_5_is_measured_from_the_published_formats(tmp_path, reading):
    """Of two of the twelve networks; the whole lineup's test has them all."""
    lineup = paper_data.write_datasets(tmp_path / "data")
    networks = ["clip=zoo:clip", "rn50=zoo:rn50", "random=zoo:random"]
    bench = Bench.open(lineup, models=networks, store=tmp_path / "store", progress=False)
    asked = [cell for cell in cells(reading) if {*cell.models} <= {"clip", "rn50", "random", "free_words"}]
    assert {str(cell.models) for cell in asked} >= {"clip", "rn50", "random", "free_words"}
    assert len(asked) > 8
    for cell in asked:
        scores = bench.scores(cell)
        if cell.protocol.probe != "visual_words":
            assert scores.provenance["left_out"].split(" have ")[0].endswith("items")
    assert bench.scores(next(c for c in asked if c.dataset == "wordsim353")).outcomes.shape == (3, 8)
