"""Which family of protocols a claim belongs to: one benchmark file and one figure stand for each family."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmbench.claims import CLAIMS, Claim, EvidenceKind
from mmbench.claims.claim import PLANTED
from mmbench.errors import UnknownName
from mmbench.inputs.entry import FAMILIES
from mmbench.probes.entry import PROBES
from mmbench.protocol import Cell, Protocol

OVERVIEW, PRINTED_ONLY, WAITING = "overview", "printed", "waiting"
SPECIAL = (OVERVIEW, PRINTED_ONLY, WAITING)
EVIDENCE: tuple[EvidenceKind, ...] = ("published", "measured")


def cells_asked(claim: Claim, evidence: EvidenceKind) -> tuple[Cell, ...]:
    """The cells that the claim rests on under the paper's reading; empty when it has no form yet."""
    return claim.cells[evidence]


def family(claim: Claim) -> str:
    """The family that collects the claim, always exactly one.

    ``waiting``: it lacks a form or waits for a protocol or data. ``printed``: no probe of ours makes its numbers.
    ``overview``: it spans several probes. Otherwise the name of its one probe.
    """
    if claim.waits_for or claim.expect is None:
        return WAITING
    asked = [cell for kind in EVIDENCE for cell in cells_asked(claim, kind)]
    probes = {cell.protocol.probe for cell in asked if not cell.protocol.printed_only}
    if not probes:
        return PRINTED_ONLY
    return OVERVIEW if len(probes) > 1 else probes.pop()


def claims_of(families: Iterable[str], *, planted: bool = False) -> list[Claim]:
    """Registered claims of these families, in the catalogue's order; those made up for tests on demand."""
    wanted = set(families)
    return [c for c in CLAIMS if (planted or not c.made_up) and family(c) in wanted]


def kinds_of_evidence(claim: Claim, asked: Sequence[EvidenceKind]) -> list[EvidenceKind]:
    """What the claim is judged on: printed numbers where it has them, measured cells unless it is printed only.

    A waiting claim is asked for measured evidence too, so that a run says what it waits for.
    """
    kinds: list[EvidenceKind] = []
    if "published" in asked and claim.published and claim.expect is not None:
        kinds.append("published")
    if "measured" in asked and (family(claim) != PRINTED_ONLY or not claim.published):
        kinds.append("measured")
    return kinds


def protocols_of(declared: object) -> tuple[Protocol, ...]:
    """A protocol, or any nesting of protocols in lists and tuples, as one flat tuple."""
    if isinstance(declared, Protocol):
        return (declared,)
    if isinstance(declared, list | tuple):
        return tuple(protocol for part in declared for protocol in protocols_of(part))
    raise TypeError(f"expected a protocol or a sequence of protocols, got {declared!r}")


def _is_trained(protocol: Protocol) -> bool:
    return protocol.probe in PROBES and FAMILIES.get(PROBES.get(protocol.probe).inputs).trainings is not None


class About:
    """What a benchmark module's ``mmbench`` marker declares: protocols, and which claims the module collects."""

    def __init__(self, protocols: object = (), claims: str | tuple[str, ...] | None = None) -> None:
        self.protocols = protocols_of(protocols)
        self.claims = claims

    def waits_for_trainings(self, claim: object = None, **_: object) -> bool:
        """Whether inputs of the module's probes, or of those that the case ``claim`` asks for, need long trainings."""
        asked = getattr(claim, "claim", None)
        cells = () if asked is None else cells_asked(asked, "measured")
        return any(map(_is_trained, (*self.protocols, *(cell.protocol for cell in cells))))

    def cases(self, evidence: Sequence[EvidenceKind]) -> list[tuple[Claim, EvidenceKind]]:
        """The module's claims with each kind of evidence that they are judged on; raises UnknownName."""
        return [(claim, kind) for claim in self._chosen() for kind in kinds_of_evidence(claim, evidence)]

    def _chosen(self) -> list[Claim]:
        if self.claims is None:
            return claims_of({protocol.probe for protocol in self.protocols})
        if self.claims == PLANTED:
            return [claim for claim in CLAIMS if claim.made_up]
        if isinstance(self.claims, str):
            if self.claims not in SPECIAL:
                raise UnknownName("family of claims", self.claims, [*SPECIAL, PLANTED])
            return claims_of({self.claims})
        return [CLAIMS.get(name) for name in self.claims]
