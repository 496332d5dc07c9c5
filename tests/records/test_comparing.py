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
