"""Two records compared: what differs beyond the tolerance is named, what is only called otherwise is noted."""

import re

import numpy as np
import pytest

from mmbench.records.differences import Differences, differences, lines
from mmbench.records.files import read_record, save_record
from mmbench.records.outcomes import as_outcomes
from mmbench.records.schema import VerdictPart

from ..made_records import measured, verdict

PARTS = [{"label": "a - b > 0", "outcome": "supported", "estimate": 1.0}]
OTHER = {"outcome": "refuted", "estimate": -1.0}


@pytest.fixture
def make(make_run):
    def made(cells=(), **changes):
        part = VerdictPart(**verdict(parts=PARTS, other_reading=OTHER)).model_copy(update=changes)
        return make_run(cells or [measured()]).model_copy(update={"verdicts": (part,)})

    return made


def test_a_record_and_itself_say_the_same(make):
    found = differences(make(), make())
    assert found == Differences((), (), (), 1, 1)
    assert not found
    assert list(lines(found)) == [
        "claims: 1 in both records, no differences",
        "cells: 1 in both records, no differences",
    ]


def other_reading(**changes):
    return VerdictPart(**verdict(other_reading=OTHER | changes)).other_reading


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outcome": "refuted"}, ": outcome supported and refuted"),
        ({"estimate": 4.00001}, ": estimate 4 and 4.00001"),
        ({"low": None}, ": low 1 and none"),
        ({"high": 6.9}, ": high 7 and 6.9"),
        ({"p_support": 0.02}, ": p_support 0.01 and 0.02"),
        ({"point": True}, ": point False and True"),
        ({"truth": False}, ": truth None and False"),
        ({"other_reading": None}, ": judged under the code's reading in one record only"),
        ({"other_reading": other_reading(estimate=-2.0)}, ", the code's reading: estimate -1 and -2"),
        ({"parts": ()}, ": 1 comparisons and 0"),
        (
            {"parts": VerdictPart(**verdict(parts=[PARTS[0] | {"estimate": 2.0}])).parts},
            ": 1 of 1 comparisons differ: a - b > 0",
        ),
    ],
)
def test_a_verdict_that_differs_is_named(make, changes, said):
    found = differences(make(), make(**changes))
    assert found.claims == (f"devillers2021-made-up (measured){said}",)
    assert found.cells == ()
    assert found


@pytest.mark.parametrize("changes", [{"estimate": 4.0000009}, {"says": "worded anew"}, {"reason": "another"}])
def test_what_is_no_result_and_what_is_within_the_tolerance_is_the_same(make, changes):
    assert not differences(make(), make(**changes))


def test_a_tolerance_of_zero_allows_the_last_bit_only(make):
    assert differences(make(), make(estimate=4.0000009), 0.0)
    assert not differences(make(), make(estimate=4.0 + 1e-15), 0.0)


def test_claims_and_cells_of_one_record_only_are_named(make, make_run):
    found = differences(make_run([measured("clip")]), make([measured("bit_m")]))
    assert found.claims == ("devillers2021-made-up (measured): judged in the second record only",)
    assert found.cells == (
        "few_shot[clip, cub]: measured in the first record only",
        "few_shot[bit_m, cub]: measured in the second record only",
    )
    assert (found.claims_compared, found.cells_compared) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mean": 1.0}, r"mean .* and 1"),
        ({"chance": 11.0}, "chance 10 and 11"),
        ({"metric": "f1_samples"}, "metric accuracy and f1_samples"),
        ({"paired_by": "others"}, "paired_by examples of cub and others"),
        ({"trials": (1.0,) * 10}, "means by trial"),
        ({"trials": (1.0,)}, "10 trials and 1"),
        ({"outcomes": as_outcomes(np.zeros((10, 3), np.float32))}, r"outcomes of shape \(10, 400\) and \(10, 3\)"),
    ],
)
def test_a_cell_that_differs_is_named(make_run, changes, said):
    part = measured()
    found = differences(make_run([part]), make_run([part.model_copy(update=changes)]))
    (line,) = found.cells
    assert line.startswith("few_shot[clip, cub]: ")
    assert re.search(said, line)


def test_other_outcomes_of_the_same_means_differ(make_run):
    part = measured()
    turned = part.model_copy(update={"outcomes": as_outcomes(part.outcomes.array[:, ::-1])})
    (line,) = differences(make_run([part]), make_run([turned])).cells
    assert "of 4000 outcomes by trial and example" in line


def test_another_interval_of_the_same_mean_is_noted(make_run):
    part = measured()
    found = differences(make_run([part]), make_run([part.model_copy(update={"low": 1.0})]))
    assert not found
    assert found.notes == (f"intervals of cells differ: few_shot[clip, cub] low {part.low:.9g} and 1",)


def test_outcomes_that_are_not_here_are_noted(make_run, tmp_path):
    run = make_run([measured()])
    path = save_record(run, tmp_path)
    path.with_suffix(".safetensors").unlink()
    found = differences(run, read_record(path))
    assert not found
    assert found.notes[0].startswith("outcomes by example of 1 cells were not compared: outcomes by trial and example")


def test_a_protocol_with_another_fingerprint_is_matched_by_name_and_it_is_said(make_run):
    parts = [measured("clip", "cub"), measured("bit_m", "cub", 0.7)]
    renamed = [part.model_copy(update={"fingerprint": "another"}) for part in parts]
    found = differences(make_run(parts), make_run(renamed))
    assert not found
    assert found.cells_compared == 2
    assert found.notes == (
        f"matched by name, as the fingerprint of a protocol differs: few_shot {parts[0].fingerprint} and another",
    )
    worse = [measured("clip", "cub", 0.5).model_copy(update={"fingerprint": "another"}), renamed[1]]
    assert len(differences(make_run(parts), make_run(worse)).cells) == 1


def test_readings_are_not_taken_for_each_other(make_run):
    paper = measured()
    code = paper.model_copy(update={"fingerprint": "another", "reading": "code"})
    assert len(differences(make_run([paper]), make_run([code])).cells) == 2
