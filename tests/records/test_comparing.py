"""Two records side by side: which claims differ, and which preprocessing."""

import pytest

from mmbench.records.comparing import compare, counts, preprocessing_differs
from mmbench.records.schema import VerdictPart

from ..made_records import PREPROCESS, measured, model_role, verdict


def test_compare_lists_what_differs(make_record):
    before = make_record(verdicts=(VerdictPart(**verdict("a-1")), VerdictPart(**verdict("a-2"))))
    after = make_record(verdicts=(VerdictPart(**verdict("a-1", "refuted")), VerdictPart(**verdict("a-3"))))
    changes = [str(change) for change in compare(before, after)]
    assert changes == [
        "a-1 (measured): supported (+4) -> refuted (+4)",
        "a-2 (measured): supported (+4) -> not judged",
        "a-3 (measured): not judged -> supported (+4)",
    ]
    assert compare(before, before) == []


def test_counts_put_published_evidence_first():
    parts = [verdict("a-1"), verdict("a-2", "refuted"), verdict("a-1", "unmeasured", evidence="published")]
    found = counts(VerdictPart(**part) for part in parts)
    assert list(found) == ["published", "measured"]
    assert found["measured"] == {"supported": 1, "refuted": 1}


def test_signs_have_a_column_of_their_own_and_are_another_verdict_than_a_test(make_record):
    sign, test = verdict("a-1", point=True), verdict("a-1")
    assert counts([VerdictPart(**sign), VerdictPart(**test)]) == {"measured": {"point": 1, "supported": 1}}
    before, after = (make_record(verdicts=(VerdictPart(**part),)) for part in (sign, test))
    assert [str(x) for x in compare(before, after)] == ["a-1 (measured): supported (point) (+4) -> supported (+4)"]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (PREPROCESS, ""),
        (PREPROCESS | {"size": 32}, "clip size 64 and 32"),
        (None, "clip images and no images"),
    ],
)
def test_preprocessing_is_compared_field_by_field(make_run, other, said):
    base = make_run([measured("clip")])
    candidate = make_run([measured("clip")], models=(model_role("clip", preprocess=other),))
    assert preprocessing_differs("clip", base, candidate) == said
    assert preprocessing_differs("nobody", base, candidate) == ""
