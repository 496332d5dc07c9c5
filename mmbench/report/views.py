"""What the pages show of a record: claims with verdicts, figures by family, printed tables beside measured ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mmbench.claims import CLAIMS, Claim
from mmbench.claims.families import cells_asked, family
from mmbench.claims.ledger import DISAGREEMENTS, Entry
from mmbench.records.multiplicity import multiplicity
from mmbench.records.schema import Binding, Record, VerdictPart, slug
from mmbench.report.attack_checks import AttackCheck, attack_checks_of, reductions_of
from mmbench.report.both_readings import BothReadings, both_readings
from mmbench.report.captions import CaptionStrip, CaptionTable, caption_strips_of, caption_tables_of
from mmbench.report.exhibits import Exhibit, Floor, exhibits_of, floors_of
from mmbench.report.figures import Figure
from mmbench.report.names import Names
from mmbench.report.words import points_words, uninformative_words, verdict_words


@dataclass(frozen=True)
class ClaimView:
    """One claim as a page shows it. A claim that the catalogue no longer holds keeps its verdicts only.

    ``others`` are the claims that ask its sentence by another measure, each with what was found.
    """

    id: str
    study: str
    says: str
    where: str
    family: str
    form: str
    measurable: bool
    published: bool
    status: str = "tested"
    leaves_open: str = ""
    ours: str = ""
    part_of: str = ""
    beside: str = ""
    others: tuple[tuple[str, str], ...] = ()
    waits_for: str = ""
    disagreements: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    stand_ins: tuple[Binding, ...] = ()
    verdicts: tuple[VerdictPart, ...] = ()

    @property
    def anchor(self) -> str:
        return f"claim-{slug(self.id)}"


@dataclass(frozen=True)
class Page:
    """Everything that a template needs."""

    record: Record
    claims: tuple[ClaimView, ...]
    counts: dict[str, dict[str, int]]
    sums: tuple[str, ...]
    stand_ins: tuple[Binding, ...]
    credits: tuple[str, ...]
    floors: tuple[Floor, ...]
    names: Names
    exhibits: tuple[Exhibit, ...]
    figures: tuple[Figure, ...] = ()
    readings: tuple[BothReadings, ...] = ()
    attack_checks: tuple[AttackCheck, ...] = ()
    reductions: tuple[str, ...] = ()
    caption_tables: tuple[CaptionTable, ...] = ()
    caption_strips: tuple[CaptionStrip, ...] = ()

    @property
    def disagreements(self) -> list[tuple[Entry, list[ClaimView]]]:
        """All places where the documents disagree, each with those of the page's claims that it touches."""
        return [(entry, [claim for claim in self.claims if claim.id in entry.claims]) for entry in DISAGREEMENTS]

    def beside(self, figure: Figure) -> list[ClaimView]:
        """The claims that stand beside a figure: those it names, and those that rest on its cells alone."""
        return [
            claim
            for claim in self.claims
            if claim.id in figure.claims or (claim.probes and {*claim.probes} <= {*figure.probes})
        ]

    @property
    def studies(self) -> list[str]:
        return sorted({claim.study for claim in self.claims})


def view_of(record: Record, figures: tuple[Figure, ...] = ()) -> Page:
    """The page of a record, with these figures."""
    from mmbench.records.comparing import counts

    bindings = (*record.lineup.models, *record.lineup.datasets)
    return Page(
        record,
        tuple(_claim_views(record)),
        {evidence: dict(found) for evidence, found in counts(record.verdicts).items()},
        sums_of(record),
        tuple(b for b in bindings if b.stand_in_for),
        tuple(dict.fromkeys(b.credit for b in bindings if b.credit)),
        floors_of(record),
        Names.of(record),
        exhibits_of(record),
        figures,
        both_readings(record),
        attack_checks_of(record),
        reductions_of(record),
        caption_tables_of(record),
        caption_strips_of(record),
    )


def sums_of(record: Record) -> tuple[str, ...]:
    """What must be known of all verdicts together: signs, how many may be false, how many say nothing."""
    found = (points_words(record), str(multiplicity(record.verdicts)), uninformative_words(record))
    return tuple(filter(None, found))


def _claim_views(record: Record) -> Iterable[ClaimView]:
    by_claim: dict[str, list[VerdictPart]] = {}
    for verdict in record.verdicts:
        by_claim.setdefault(verdict.claim, []).append(verdict)
    known = {claim.id: claim for claim in CLAIMS}
    stand_ins = {b.role: b for b in (*record.lineup.models, *record.lineup.datasets) if b.stand_in_for}
    order = [*(name for name in known if name in by_claim), *(name for name in by_claim if name not in known)]
    others: dict[str, list[tuple[str, str]]] = {}
    for claim in known.values():
        if claim.beside and claim.id in by_claim:
            found = "; ".join(verdict_words(v) for v in by_claim[claim.id])
            others.setdefault(claim.beside, []).append((claim.id, found))
    for name in order:
        verdicts = tuple(sorted(by_claim[name], key=lambda v: v.evidence != "published"))
        if name in known:
            yield _claim_view(known[name], verdicts, stand_ins, tuple(others.get(name, ())))
        else:
            yield ClaimView(
                name, verdicts[0].study, "(no longer in the catalogue)", "", "", "", False, False, verdicts=verdicts
            )


def _claim_view(
    claim: Claim,
    verdicts: tuple[VerdictPart, ...],
    stand_ins: dict[str, Binding],
    others: tuple[tuple[str, str], ...] = (),
) -> ClaimView:
    roles: dict[str, None] = {}
    if any(v.evidence == "measured" and v.outcome != "unmeasured" for v in verdicts):
        for cell in cells_asked(claim, "measured"):
            roles |= dict.fromkeys((*cell.models, cell.dataset))
    return ClaimView(
        id=claim.id,
        study=claim.study,
        says=claim.says,
        where=str(claim.where),
        family=family(claim),
        form=claim.expect.words() if claim.expect else "",
        measurable=claim.measurable,
        published=bool(claim.published),
        status=claim.status,
        leaves_open=claim.leaves_open,
        ours=claim.ours,
        part_of=claim.part_of,
        beside=claim.beside,
        others=others,
        waits_for=claim.waits_for,
        disagreements=claim.disagreements,
        probes=tuple(dict.fromkeys(cell.protocol.probe for cell in cells_asked(claim, "measured"))),
        stand_ins=tuple(stand_ins[role] for role in roles if role in stand_ins),
        verdicts=verdicts,
    )
