"""The LaTeX table: one row a claim, everything escaped, stand-ins named below it."""

from mmbench.records.schema import VerdictPart
from mmbench.report.latex import escape_latex, render_latex

from ..made_records import evil_record, verdict


def test_latex_escapes_what_it_quotes(make_record):
    assert escape_latex(r"50 % of_a\b & {c} $d$ #1 ~^") == (
        r"50 \% of\_a\textbackslash{}b \& \{c\} \$d\$ \#1 \textasciitilde{}\textasciicircum{}"
    )
    assert r"\begin{longtable}" in render_latex(evil_record(make_record))


def test_a_row_for_each_claim_with_its_verdicts(make_record, known_claim):
    parts = [verdict(known_claim.id, "refuted", evidence="published"), verdict("a-2", "unmeasured")]
    page = render_latex(make_record(verdicts=tuple(VerdictPart(**part) for part in parts)))
    (row,) = [line for line in page.splitlines() if escape_latex(known_claim.says) in line]
    assert row.endswith(r"& refuted (+4) & -- & -- \\")
    assert r"(no longer in the catalogue) &  & -- & -- & unmeasured \\" in page


def test_signs_have_their_own_column_and_what_qualifies_a_verdict_stands_beside_it(make_record):
    parts = [
        verdict("a-1", evidence="published", point=True, p_support=None, p_refute=None),
        verdict(
            "a-2", p_support=0.04, uninformative="neither side is better than chance", holm_support=0.2, holm_refute=1.0
        ),
    ]
    page = render_latex(make_record(verdicts=tuple(VerdictPart(**part) for part in parts)))
    assert r"& -- & supported (+4, sign only, no test) & -- \\" in page
    assert r"& -- & -- & supported (+4, UNINFORMATIVE, not after Holm) \\" in page
    assert r"\noindent 1 verdict is a test, at 5 \% a side" in page


def test_stand_ins_are_named(make_record):
    page = render_latex(make_record())
    assert "clip: zoo:clip, for CLIP RN50; cub: flags, for CUB." in page.splitlines()[-1]
