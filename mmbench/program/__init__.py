"""What a program does, apart from how it is written down: canonical text of a module, digest of all it imports."""

from __future__ import annotations

from mmbench.program.behind import behind_digest
from mmbench.program.digest import Source, code_of, file_digest, modules_of, own_code_of, program_digest, source_of
from mmbench.program.text import canonical

__all__ = [
    "Source",
    "behind_digest",
    "canonical",
    "code_of",
    "file_digest",
    "modules_of",
    "own_code_of",
    "program_digest",
    "source_of",
]
