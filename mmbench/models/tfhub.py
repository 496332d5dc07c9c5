"""``tfhub:HANDLE``: a TensorFlow SavedModel. It is named here so that a lineup can say what it means; not read yet."""

from __future__ import annotations

from mmbench.errors import Unmeasured
from mmbench.models import specs
from mmbench.models.entry import Encoder, Identity, ModelEntry
from mmbench.models.specs import ModelSpec


def entry(spec: ModelSpec) -> ModelEntry:
    """An entry whose ``load`` raises Unmeasured with the way round."""
    specs.check_options(spec, frozenset({"dim"}))

    def load() -> Encoder:
        raise Unmeasured(
            f"model {str(spec)!r}: mmbench does not read TensorFlow SavedModels yet; convert the encoder to PyTorch "
            "and bind it as an mmbench.models entry point"
        )

    return ModelEntry(
        name=str(spec),
        modality="image",
        dim=spec.number("dim"),
        load=load,
        identity=lambda: Identity(None, spec.architecture(), "as published"),
        source=f"TensorFlow Hub {spec.name}",
    )
