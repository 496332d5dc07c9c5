"""Small JSON files that lie beside weights: where they are, and what they say.

They are read bounded, so that no file makes a run hang or fill the memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset
from mmbench.models import checkpoints
from mmbench.models.sources import ModelSpec

LOCAL, HUB = "local-dir", "hf-hub"  # the schemes under which open_clip and timm write a folder and a repository

MAX_BYTES = 4_000_000  # names of 20,000 classes, both ways, take about a third of it
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


@dataclass(frozen=True)
class Placed:
    """Where a specification's weights are, and the config beside them; None where there is none.

    ``whole`` says that the config names the architecture too (``local-dir:`` and ``hf-hub:``).
    """

    weights: Path | None = None
    config: Path | None = None
    whole: bool = False

    def digest(self) -> str:
        """What an identity says of the config; empty without one."""
        return f" config {checkpoints.file_digest(self.config)[:16]}" if self.config else ""


def placed(spec: ModelSpec, config: str, names: Sequence[str]) -> Placed:
    """The files of ``SOURCE:local-dir:DIR``, ``SOURCE:hf-hub:REPOSITORY``, ``NAME@FILE`` and ``NAME@DIR``.

    ``config`` and ``names`` are what the source calls its config and its weights. A specification that names weights in
    another way has neither here. Raises MissingAsset and BadSpec that say what a folder lacks.
    """
    owner = f"model {str(spec)!r}"
    if spec.name == HUB:
        found, beside = checkpoints.hub_file(spec.tag, names), checkpoints.hub_file(spec.tag, (config,))
        if beside is None or (found is None and spec.seed is None):
            lacking = config if beside is None else names[0]
            raise MissingAsset(
                f"{owner}: {lacking} is not in the local hub cache; fetch it with: hf download {spec.tag}"
            )
        return Placed(found, beside, whole=True)
    path = checkpoints.weights_path(spec.tag if spec.name == LOCAL else spec.file)
    if spec.name == LOCAL and not (path / config).is_file():
        raise MissingAsset(f"{owner} needs {path / config}; it is not there. Or name architecture and file")
    if path.is_dir() and (spec.name == LOCAL or spec.file):
        found = _weights_in(path, names, owner) if spec.seed is None else None
    else:
        found, path = (path, path.parent) if spec.file else (None, path)
    beside = path / config if (spec.file or spec.name == LOCAL) and (path / config).is_file() else None
    return Placed(found, beside, whole=spec.name == LOCAL)


def _weights_in(folder: Path, names: Sequence[str], owner: str) -> Path:
    known = [folder / name for name in names if (folder / name).is_file()]
    found = known[:1] or sorted(
        path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin", ".pt", ".pth")
    )
    if not found:
        raise MissingAsset(f"{owner}: {folder} holds no weights; they are called {names[0]} there")
    if len(found) > 1:
        raise BadSpec(f"{owner}: {folder} holds {', '.join(path.name for path in found[:5])}; name one: NAME@FILE")
    return found[0]
