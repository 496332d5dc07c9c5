"""``none:NAME``: no encoder at all, for the baseline of a protocol that can do without one (free word vectors)."""

from __future__ import annotations

from mmbench.errors import Unmeasured
from mmbench.models.entry import Encoder, Identity, ModelEntry
from mmbench.models.sources import SOURCES, ModelSource, ModelSpec

ARCHITECTURE = "no encoder"


def entry(spec: ModelSpec) -> ModelEntry:
    """An entry that has no features; asking for some raises Unmeasured."""
    name = str(spec)

    def load() -> Encoder:
        raise Unmeasured(f"{name} is no encoder and has no features; only probes of word vectors take it")

    identity = Identity("none", ARCHITECTURE, "none")
    return ModelEntry(name, "text", 1, load, lambda: identity, about="No encoder.", source="none", licence="none")


def is_no_encoder(model: ModelEntry) -> bool:
    """Whether the entry stands for no encoder."""
    return model.identity().architecture == ARCHITECTURE


SOURCES.add(ModelSource("none", "none:NAME", entry))
