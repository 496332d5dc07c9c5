"""Small JSON files that lie beside weights: read bounded, so that no file makes a run hang or fill the memory."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mmbench.errors import BadSpec, CorruptAsset

MAX_BYTES = 4_000_000  # the largest config of a public model, with 20,000 names of classes, has a fifth of it
MAX_LAYERS = 4_096
_DEPTH = re.compile(r"(layers?|depths?|num_(blocks|stages))$")


def read_config(path: Path, owner: str) -> dict[str, Any]:
    """The JSON object in ``path``.

    Raises CorruptAsset for what is no plain file of at most 4 MB or holds no JSON object, and BadSpec for one that asks
    for more than 4,096 layers of a kind: a library would build them one by one before it looked at the weights.
    """
    if not path.is_file():  # a FIFO would be waited for
        raise CorruptAsset(f"{owner}: {path} is no plain file")
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise CorruptAsset(f"{owner}: {path} has more than {MAX_BYTES:,} bytes, and a config has some thousands")
        config = json.loads(text)
        _check_depth(config, path, owner)
    except (ValueError, OSError, RecursionError) as error:
        raise CorruptAsset(f"{owner}: {path} is no JSON ({error}); fetch it again") from error
    if not isinstance(config, dict):
        raise CorruptAsset(f"{owner}: {path} holds a {type(config).__name__} and no settings; fetch it again")
    return config


def _check_depth(part: Any, path: Path, owner: str) -> None:
    """Raise BadSpec for a number of layers above the limit, wherever in the config it stands."""
    if isinstance(part, list):
        for each in part:
            _check_depth(each, path, owner)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        numbers = value if isinstance(value, list) else [value]
        if _DEPTH.search(key) and any(isinstance(n, int) and n > MAX_LAYERS for n in numbers):
            raise BadSpec(f"{owner}: {path} asks for {key}={value}; a model of at most {MAX_LAYERS:,} layers is built")
        _check_depth(value, path, owner)
