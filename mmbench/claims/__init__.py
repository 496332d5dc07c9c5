"""What the papers say, as data: one module a study, one entry a sentence.

A claim of one's own is registered with ``claim(...)`` in a conftest, in a benchmark file, or in a module that an entry
point of the group ``mmbench.claims`` names.
"""

from mmbench.claims._common import claim
from mmbench.claims.claim import CLAIMS, Claim, EvidenceKind, Place, Printed, Table

__all__ = ["CLAIMS", "Claim", "EvidenceKind", "Place", "Printed", "Table", "claim"]
