"""A verdict as the record keeps it; p-values adjusted over a study; numbers that JSON cannot hold."""

from dataclasses import replace

import pytest

from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell
from mmbench.records.schema import ReadingsPart, RowPart, VerdictPart
from mmbench.records.verdicts import adjusted, plain, rounded, verdict_part
from mmbench.verdict import About, Readings
from mmbench.verdict.outcome import Part, Row, Verdict

from ..made_records import verdict

ROW = Row(Cell(FEW_SHOT, "clip", "cub"), 61.25, 1.5, 10, 400)
PART = Part("clip - bit_m > 0 (few_shot, cub)", 1.23456789, float("-inf"), 2.5, 0.01, 0.99, "supported")
JUDGED = Verdict(
    "a-1", "a", "measured", "paper", "supported", "It is so.", "clip best", 1.23456789, 0.5, float("inf"),
    "clip - bit_m > 0", 0.01, 0.99, truth=True, rows=(ROW,), parts=(PART,), note="few", settle="", missing=("x",),
)  # fmt: skip


def test_what_is_kept_of_a_verdict():
    code = Verdict("a-1", "a", "measured", "code", "refuted", estimate=-1.0, binding="code's part")
    kept = VerdictPart.model_validate(verdict_part(JUDGED, code, standing="drifted", reason="yes"))
    assert (kept.claim, kept.outcome, kept.estimate, kept.low, kept.high) == ("a-1", "supported", 1.23456789, 0.5, None)
    assert (kept.says, kept.expected, kept.binding) == ("It is so.", "clip best", "clip - bit_m > 0")
    assert (kept.standing, kept.reason, kept.missing) == ("drifted", "yes", ("x",))
    assert (kept.note, kept.truth) == ("few", True)
    (row,) = kept.rows
    assert row == RowPart(
        protocol="few_shot", fingerprint=FEW_SHOT.fingerprint(), models=("clip",), dataset="cub",
        mean=61.25, spread=1.5, trials=10, examples=400,
    )  # fmt: skip
    (piece,) = kept.parts
    assert (piece.label, piece.outcome, piece.estimate, piece.low) == (PART.label, "supported", 1.234568, None)
    assert (kept.other_reading.reading, kept.other_reading.outcome) == ("code", "refuted")
    assert kept.other_reading.binding == "code's part"


def test_what_qualifies_a_verdict_is_kept_and_comes_back_from_disk():
    about = About("these networks", "219 drawings", "this training pool")
    judged = replace(JUDGED, about=about, uninformative="neither side is better than chance", at_chance=1)
    test = Readings("opposite", -2.0, -3.0, float("-inf"), 0.01, elsewhere=True)
    code = Verdict("a-1", "a", "measured", "code", "refuted", about=about)
    kept = VerdictPart.model_validate(verdict_part(judged, code, standing="new", reason="", readings=test))
    assert str(kept.about) == str(kept.other_reading.about) == str(about)
    assert (kept.uninformative, kept.at_chance) == ("neither side is better than chance", 1)
    assert kept.readings == ReadingsPart(difference=-2.0, low=-3.0, high=None, p=0.01, elsewhere=True)
    assert kept.reading_state == "opposite"


def test_a_record_of_before_has_none_of_it():
    kept = VerdictPart(**verdict(other_reading={"outcome": "supported"}))
    assert (str(kept.about), kept.uninformative, kept.readings, kept.reading_state) == ("", "", None, "same")


def test_a_verdict_without_another_reading():
    kept = VerdictPart.model_validate(verdict_part(JUDGED, None, standing="new", reason=""))
    assert kept.other_reading is None


@pytest.mark.parametrize(("value", "kept"), [(1.23456789, 1.234568), (None, None), ("label", "label"), (3, 3)])
def test_rounding_leaves_what_is_no_float(value, kept):
    assert rounded(value) == kept


def test_infinite_bounds_become_null():
    parts = adjusted([verdict(low=float("-inf"), high=float("nan"))])
    assert parts[0]["low"] is parts[0]["high"] is None
    assert plain({1: (float("inf"), [float("nan"), 2.0])}) == {"1": [None, [None, 2.0]]}


def test_adjustment_is_holms_over_one_study_and_evidence():
    parts = [
        verdict("a-1", p_support=0.01, p_refute=0.5),
        verdict("a-2", p_support=0.04, p_refute=0.5),
        verdict("b-1", p_support=0.04, p_refute=0.5),
        verdict("a-3", p_support=0.04, p_refute=0.5, evidence="published"),
        verdict("a-4", "unmeasured"),
    ]
    found = {part["claim"]: part.get("holm_support") for part in adjusted(parts)}
    assert found == {"a-1": 0.02, "a-2": 0.04, "b-1": 0.04, "a-3": 0.04, "a-4": None}  # by hand


def test_only_tests_are_in_the_family():
    """Exact numbers, signs, and claims without any evidence could not have been decided by chance."""
    parts = [
        verdict("a-1", p_support=0.02, p_refute=0.9),
        verdict("a-2", p_support=0.0, p_refute=1.0, evidence="measured"),
        verdict("a-3", point=True, p_support=None, p_refute=None),
        verdict("a-4", "unmeasured", p_support=1.0, p_refute=1.0),
        verdict("a-5", "inconclusive", p_support=1.0, p_refute=1.0),  # open after it paid for many parts: a test
        verdict("a-6", "unmeasured", p_support=0.6, p_refute=1.0),  # a part is there, and might have decided it
    ]
    found = {part["claim"]: part.get("holm_support") for part in adjusted(parts)}
    assert found == {"a-1": 0.06, "a-2": None, "a-3": None, "a-4": None, "a-5": 1.0, "a-6": 1.0}  # by hand: 3 * 0.02


def test_sentences_asked_by_another_measure_are_a_family_of_their_own():
    """They are checks of the conclusions, and more checks must not make a conclusion less certain."""
    own = [verdict(f"devillers2021-rsa-{name}", p_support=0.02) for name in ("vision-compact", "distance-order")]
    other = verdict("devillers2021-rsa-vision-compact-by-cka", p_support=0.03)
    assert [part["holm_support"] for part in adjusted([*own, other])] == [0.04, 0.04, 0.03]
