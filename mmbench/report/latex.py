"""The claims of a record as a LaTeX ``longtable`` (packages booktabs and longtable)."""

from __future__ import annotations

from mmbench.records.schema import Record, VerdictPart
from mmbench.report.names import Names
from mmbench.report.views import view_of
from mmbench.report.words import flags

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(SPECIAL.get(character, character) for character in " ".join(text.split()))


def render_latex(record: Record) -> str:
    """One row for each claim: sentence, place, verdict on each kind of evidence; signs in a column of their own."""
    lines = [
        r"\begin{longtable}{p{.4\linewidth}p{.16\linewidth}lll}",
        r"\toprule claim & place & published & point & measured \\ \midrule \endhead",
    ]
    page = view_of(record)
    for claim in page.claims:
        found = {"point" if verdict.point else verdict.evidence: verdict for verdict in claim.verdicts}
        cells = [claim.says, claim.where, *(_verdict(found.get(kind)) for kind in ("published", "point", "measured"))]
        lines.append(" & ".join(map(escape_latex, cells)) + r" \\")
    lines += [r"\bottomrule", r"\end{longtable}"]
    lines += [rf"\noindent {escape_latex(text)}.\par" for text in page.sums]
    stand_ins = Names.of(record).stand_ins
    if stand_ins:
        listed = "; ".join(f"{role}: {bound.spec}, for {bound.stand_in_for}" for role, bound in stand_ins.items())
        lines.append(rf"\noindent Measured on stand-ins (role: who plays it, for what): {escape_latex(listed)}.")
    return "\n".join(lines) + "\n"


def _verdict(verdict: VerdictPart | None) -> str:
    if verdict is None:
        return "--"
    said = ", ".join(filter(None, [verdict.margin, *flags(verdict)]))
    return f"{verdict.outcome} ({said})" if said else verdict.outcome
