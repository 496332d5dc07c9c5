"""Known outcomes: what counts as changed, and a file that keeps its reasons."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.claims import CLAIMS
from mmbench.errors import BadSpec
from mmbench.records.expected import VERDICTS, Known, read_expected, standing, updated, write_expected

EXPECTED = Path(__file__).parents[2] / "reports" / "expected"
KNOWN = Known("a", "measured", "inconclusive", 1.0, -2.0, 3.0)


@pytest.mark.parametrize(
    ("known", "verdict", "estimate", "wanted"),
    [
        (None, "refuted", -1.0, "new"),
        ("supported", "supported", 99.0, "as recorded"),
        ("supported", "refuted", 1.0, "changed"),  # turned round: the interval does not excuse it
        ("refuted", "supported", 1.0, "changed"),
        ("inconclusive", "supported", 2.9, "drifted"),
        ("inconclusive", "supported", 3.1, "changed"),
        ("supported", "inconclusive", -1.9, "drifted"),
        ("supported", "inconclusive", -2.1, "changed"),
        ("supported", "unmeasured", None, "changed"),  # lost
        ("unmeasured", "supported", 5.0, "drifted"),  # won
    ],
)
def test_standing(known, verdict, estimate, wanted):
    recorded = None if known is None else Known("a", "measured", known, 1.0, -2.0, 3.0)
    assert standing(recorded, verdict, estimate) == wanted


def test_without_an_interval_a_difference_is_a_change():
    assert standing(Known("a", "published", "inconclusive"), "supported", 1.0) == "changed"


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=30)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(
    st.lists(
        st.builds(Known, texts, st.sampled_from(["published", "measured"]), st.sampled_from(VERDICTS),
                  numbers, numbers, numbers, texts),
        unique_by=lambda known: known.key,
        max_size=5,
    )
)  # fmt: skip
def test_what_is_written_is_read_back(tmp_path_factory, outcomes):
    path = tmp_path_factory.mktemp("expected") / "x.toml"
    write_expected(path, outcomes, "A header.\nTwo lines.")
    assert read_expected(path) == {known.key: known for known in outcomes}


def test_a_reason_is_kept_while_the_verdict_stays():
    old = {("a", "measured"): Known("a", "measured", "refuted", -1.0, -2.0, -0.5, "the stand-in is small")}
    same = updated(old, [{"claim": "a", "evidence": "measured", "outcome": "refuted", "estimate": -1.5}])
    turned = updated(old, [{"claim": "a", "evidence": "measured", "outcome": "supported", "estimate": 1.5}])
    assert (same[0].reason, same[0].estimate) == ("the stand-in is small", -1.5)
    assert (turned[0].reason, turned[0].verdict) == ("", "supported")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[outcome]\n", "is not readable TOML"),
        ("[[outcome]]\nclaim = 'a'\n", "outcome 1: .*missing"),
        ("[[outcome]]\nclaim = 'a'\nevidence = 'measured'\nverdict = 'true'\n", "verdict 'true' is none of supported"),
        ("[[outcome]]\nclaim = 'a'\nevidence = 'seen'\nverdict = 'refuted'\n", "neither published nor measured"),
        ("[[outcome]]\nclaim = 'a'\nevidence = 'measured'\nverdict = 'refuted'\n" * 2, "twice; keep one entry"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadSpec, match=message):
        read_expected(path)


@pytest.mark.parametrize("path", sorted(EXPECTED.glob("*.toml")), ids=lambda path: path.stem)
def test_the_committed_outcomes_are_of_registered_claims_and_give_reasons(path):
    assert tomllib.loads(path.read_text())["outcome"]
    for known in read_expected(path).values():
        assert known.claim in CLAIMS
        assert (known.evidence == "published") == (path.stem == "published")
        assert known.reason or known.verdict != "refuted", f"{known.claim}: a refuted claim needs its reason"


def test_published_outcomes_cover_every_claim_whose_numbers_are_printed():
    known = read_expected(EXPECTED / "published.toml")
    claims = [c for c in CLAIMS if c.published and c.expect and not c.made_up]
    printed = {(c.id, "published") for c in claims if {*c.cells["published"]} <= {*c.printed()}}
    assert len(printed) >= len(claims) - 1
    assert printed == known.keys()
