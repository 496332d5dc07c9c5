"""The ledger: every code that is cited anywhere can be looked up, and D entries say what the protocols do."""

import re
from pathlib import Path

import pytest

import mmbench
from mmbench.claims import CLAIMS
from mmbench.claims.ledger import DISAGREEMENTS, LEDGER, disagreements_of, entries, readings
from mmbench.errors import UnknownName
from mmbench.probes.entry import PROBES

PACKAGE = Path(mmbench.__file__).parent
ROOT = PACKAGE.parent
READ = {".py", ".toml", ".md", ".html", ".js", ".css"}
DIFFERENT = {
    (probe.name, setting)
    for probe in PROBES
    for setting, value in vars(probe.settings()).items()
    if getattr(probe.settings().as_code(), setting) != value
}


CODE = re.compile(r"\b[DT]-\d+[a-z]?\b")


def files():
    """Every text of the package, and the pages that are read beside it."""
    ours = (path for path in PACKAGE.rglob("*") if path.suffix in READ)
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*ours, *pages, *ROOT.glob("reports/*.md"), *ROOT.glob("reports/expected/*.toml")]


def unresolved(text):
    """The codes in a text that the ledger does not have."""
    found = []
    for code in dict.fromkeys(CODE.findall(text)):
        try:
            entries(code)
        except UnknownName:
            found.append(code)
    return found


def test_every_code_that_is_cited_resolves():
    texts = {path: path.read_text(encoding="utf-8") for path in files()}
    cited = {code for path, text in texts.items() if path.parent.name != "ledger" for code in CODE.findall(text)}
    assert {"D-03", "D-08b", "D-10", "D-22", "T-01"} <= cited  # the search finds what is there
    assert {str(path): codes for path, text in texts.items() if (codes := unresolved(text))} == {}


def test_a_code_that_is_not_there_is_found_and_a_licence_is_no_code():
    assert unresolved("D-03 and D-77b, as in T-99 (BSD-3-Clause)") == ["D-77b", "T-99"]


def test_the_codes_are_unbroken():
    numbers = {prefix: [int(e.code[2:4]) for e in LEDGER if e.code[0] == prefix] for prefix in "DT"}
    assert all(re.fullmatch(r"D-\d\d[a-f]?|T-\d\d", entry.code) for entry in LEDGER)
    assert list(dict.fromkeys(numbers["D"])) == list(range(1, 25))
    assert numbers["T"] == list(range(1, 37))


def test_parts_of_a_code_begin_with_a_and_leave_none_out():
    parts = {}
    for entry in LEDGER:
        parts.setdefault(entry.code[:4], []).append(entry.code[4:])
    for letters in parts.values():
        assert letters in ([""], list("abcdef"[: len(letters)]))


@pytest.mark.parametrize("entry", LEDGER, ids=lambda entry: entry.code)
class TestEachEntry:
    def test_no_field_is_empty(self, entry):
        for field in (entry.study, entry.topic, entry.where, entry.says, entry.other, entry.ours):
            assert field.strip() == field != ""
        assert entry.ours.endswith(".")
        assert not entry.says.endswith(".")
        assert not entry.other.endswith(".")

    def test_its_study_is_one_of_ours(self, entry):
        assert entry.study in {claim.study for claim in CLAIMS} | {"limber"}

    def test_its_claims_are_ids(self, entry):
        assert all(re.fullmatch(r"[a-z]+\d{4}(-[a-z0-9]+)+", claim) for claim in entry.claims)
        assert not (entry.claims and entry.probe)

    def test_its_settings_differ_between_the_readings(self, entry):
        assert bool(entry.probe) == bool(entry.settings)
        assert {(entry.probe, setting) for setting in entry.settings} <= DIFFERENT
        assert list(readings(entry)) == list(entry.settings)
        assert all(paper != code for paper, code in readings(entry).values())


def test_every_setting_that_the_code_sets_otherwise_has_an_entry():
    told = [(entry.probe, setting) for entry in LEDGER for setting in entry.settings]
    one_by_one = [
        (probe, setting) for probe, setting in told if setting not in ("vectors", "translation")
    ]  # a training has several settings
    assert len(one_by_one) == len(set(one_by_one))
    assert {*told} == DIFFERENT
    assert len(told) > 5


def test_every_difference_of_the_trainings_of_word_vectors_is_told_where_their_tests_are_asked():
    probes = {"word_analogies", "word_pairs", "visual_words"}
    assert {entry.code for entry in LEDGER if entry.probe in probes} == {f"D-09{letter}" for letter in "abcdef"}


@pytest.mark.parametrize(
    ("asked", "codes"),
    [("D-03", ["D-03"]), ("d-3", ["D-03"]), ("D-04", ["D-04a", "D-04b"]), ("T12", ["T-12"]), ("D-14F", ["D-14f"])],
)
def test_looking_up(asked, codes):
    assert [entry.code for entry in entries(asked)] == codes


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("D-03b", "no entry of the ledger named 'D-03b'. Did you mean 'D-03' or 'D-09b' or 'D-08b'?"),
        ("T-37", "no entry of the ledger named 'T-37'. Did you mean 'T-36' or 'T-35' or 'T-34'?"),
        ("DD-03", "no entry of the ledger named 'DD-03'. Did you mean 'D-03' or 'T-03' or 'D-23'?"),
    ],
)
def test_a_misspelt_code_is_answered_with_the_nearest(asked, message):
    with pytest.raises(UnknownName) as error:
        entries(asked)
    assert str(error.value) == f"{message} mmbench ledger lists all."


def test_a_claim_names_codes_that_resolve():
    for claim in CLAIMS:
        assert claim.disagreements == disagreements_of(claim.id)
        for text in claim.disagreements:
            (entry,) = entries(text.split(",")[0])
            assert entry in DISAGREEMENTS
            assert claim.id in entry.claims
            assert text == f"{entry.code}, {entry.where}: {entry.says}; {entry.other}"
    assert disagreements_of("bielawski2022-book-masks-lower-all")[0].startswith("T-01, thesis Table 5.2, caption")
