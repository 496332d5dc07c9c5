"""Sets of prompt templates with a name: ``templates=clip:NAME`` in a specification.

Those of CLIP's authors, restated in ``templates/clip.json`` from what they published with their code (data/prompts.md,
and for ImageNet their notebook; MIT licence): 80 templates for ImageNet, and those of the 26 other datasets of their
suite. Their class names are not here, but in a dataset's own file of names.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

from mmbench.errors import UnknownName

PREFIX = "clip:"
_FILE = Path(__file__).parent / "templates" / "clip.json"


@functools.cache
def _published() -> dict[str, tuple[str, ...]]:
    return {name: tuple(texts) for name, texts in json.loads(_FILE.read_text(encoding="utf-8")).items()}


def template_set(name: str) -> tuple[str, ...]:
    """The templates that CLIP's authors took for a dataset. Raises UnknownName, with the nearest names."""
    if name not in _published():
        raise UnknownName("set of CLIP's prompt templates", name, _published())
    return _published()[name]
