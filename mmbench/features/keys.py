"""Keys of stored results: the digest of everything that can change a result.

A key is the hex SHA-256 of a canonical JSON text. Where a part is unknown (``Identity.weights`` is None) there is no
key, and a result without a key is never stored.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

from mmbench.errors import BadSpec
from mmbench.models.entry import OUTPUT, Identity, Modality

Precision = Literal["float32", "bf16", "fp16"]

# Raise it when the arithmetic of mmbench.features.encode changes, so that no older features are reused.
FEATURE_SCHEMA = 2
# Raise it when mmbench.models gives something else for a hidden layer of the same name (another pooling, for example).
LAYER_SCHEMA = 1

_AUTOCAST: dict[str, str | None] = {"float32": None, "bf16": "bfloat16", "fp16": "float16"}
# The libraries that compute or resample; a version that an Identity states is used instead of the installed one.
_LIBRARIES: dict[str, tuple[str, ...]] = {"image": ("torch", "pillow"), "text": ("torch",)}


def autocast_dtype(precision: str) -> str | None:
    """Name of torch's autocast dtype, None for plain float32; raises BadSpec on an unknown precision."""
    if precision not in _AUTOCAST:
        raise BadSpec(f"precision {precision!r} is not known; choose one of {', '.join(get_args(Precision))}")
    return _AUTOCAST[precision]


@functools.cache
def _version(library: str) -> str:
    return importlib.metadata.version(library)


def digest_of(parts: Mapping[str, Any]) -> str:
    """Hex SHA-256 of ``parts`` as JSON with sorted keys; raises TypeError for a value that JSON does not have."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def feature_parts(
    identity: Identity,
    modality: Modality = "image",
    *,
    device: str = "cpu",
    precision: str = "float32",
    layer: str = OUTPUT,
    code: str | None = "",
) -> dict[str, Any]:
    """Everything but the item that decides a feature, as plain JSON values.

    Batch size, order and workers are not in it: features do not depend on them beyond the tolerance of
    mmbench.features.invariance. The device counts by type (``cuda:0`` and ``cuda:1`` share features). The encoder's
    output is what the identity describes; any other ``layer`` is a part of its own. ``code`` is the digest of the
    program that loads the model, prepares and encodes.
    """
    described = identity.as_dict()
    described["versions"] = {name: _version(name) for name in _LIBRARIES[modality]} | described["versions"]
    parts = {
        "schema": FEATURE_SCHEMA,
        "identity": described,
        "modality": modality,
        "dtype": "float32",
        "autocast": autocast_dtype(precision),
        "device": device.partition(":")[0],
    }
    parts |= {"code": code} if code else {}
    return parts if layer == OUTPUT else parts | {"hidden_layer": layer, "hidden_layer_schema": LAYER_SCHEMA}


def feature_key(
    identity: Identity,
    modality: Modality = "image",
    *,
    device: str = "cpu",
    precision: str = "float32",
    layer: str = OUTPUT,
    code: str | None = "",
) -> str | None:
    """The store's key of one layer of a model, or None when its weights or its code are unknown. Imports no torch."""
    parts = feature_parts(identity, modality, device=device, precision=precision, layer=layer, code=code)
    return None if identity.weights is None or code is None else digest_of(parts)
