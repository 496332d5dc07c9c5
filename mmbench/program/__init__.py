"""What a program does, apart from how it is written down: canonical text of a module, digest of all it imports."""

from __future__ import annotations

from mmbench.program.digest import Source, modules_of, program_digest, source_of
from mmbench.program.text import canonical

__all__ = ["Source", "canonical", "modules_of", "program_digest", "source_of"]
