"""What the papers say, as data: one module a study, one entry a sentence."""

from mmbench.claims.claim import CLAIMS, Claim, EvidenceKind, Place, Printed, Table

__all__ = ["CLAIMS", "Claim", "EvidenceKind", "Place", "Printed", "Table"]
