"""Weights of the zoo as safetensors files: their metadata, their identity without torch, and loading."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench import files
from mmbench.errors import CorruptAsset, MissingAsset
from mmbench.zoo import packing
from mmbench.zoo.fingerprint import recipe_hash, settings_of
from mmbench.zoo.frozen import backbone, language, text, vit

if TYPE_CHECKING:
    from torch import nn

    from mmbench.zoo.frozen.loop import Trainer

FOLDER = Path(__file__).parent / "weights"
RANDOM = "random"
RANDOM_SEED = 0
CLASSIFIER = "head"
_READ = ("architecture", "part", "words")  # metadata without which a file gives another model


@dataclass(frozen=True)
class Network:
    """One kind of network: how it is built, by which module, and what its features are."""

    architecture: str
    layer: str
    build: Callable[..., nn.Module]

    @property
    def module(self) -> str:
        """The module that says what the network does, by itself and by what it imports."""
        return self.build.__module__


# What a weights file says it holds; one that says nothing holds the backbone.
NETWORKS = {
    network.architecture: network
    for network in (
        Network(backbone.ARCHITECTURE, "mean over positions", backbone.build),
        Network(vit.ARCHITECTURE, "mean over patches", vit.build),
    )
}

# The same for text networks, each built for a number of words; one that says nothing is that of ``clip_t``.
TEXT_NETWORKS = {
    network.architecture: network
    for network in (
        Network(text.ARCHITECTURE, "end mark, projected", text.build),
        Network(language.MASKED, "mean over tokens", language.masked_tower),
        Network(language.CAUSAL, "mean over tokens but the end mark", language.causal_tower),
    )
}


@dataclass(frozen=True)
class Card:
    """What is known of one model's weights: how they came about and what they are.

    ``packing`` is what ten bits a weight took from one-shot accuracy on unseen drawings, in points; "" where that was
    not measured.
    """

    name: str
    recipe: str
    recipe_hash: str
    modality: str
    steps: int
    images_seen: int
    seconds: float
    final_loss: float
    seed: int
    torch: str
    dtype: str
    packing: str
    size: int
    path: Path


def path_of(name: str, folder: Path = FOLDER) -> Path:
    return folder / f"{name}.safetensors"


def curve_of(name: str, folder: Path = FOLDER) -> Path:
    """Where the losses of a training stand, one a step."""
    return folder / f"{name}.json"


def shipped(folder: Path = FOLDER) -> list[str]:
    """Names of the models whose weights are here."""
    return sorted(path.stem for path in folder.glob("*.safetensors"))


def metadata(name: str, folder: Path = FOLDER) -> dict[str, str]:
    """The metadata of a weights file, read without torch; raises MissingAsset or CorruptAsset."""
    from safetensors import SafetensorError, safe_open

    path = path_of(name, folder)
    if not path.exists():
        raise MissingAsset(f"the zoo has no weights of {name!r} at {path}; train them: mmbench zoo train {name}")
    try:
        with safe_open(str(path), framework="numpy") as file:
            return dict(file.metadata() or {})
    except SafetensorError as error:
        raise CorruptAsset(f"weights {path} cannot be read ({error}); restore the file or train again") from error


def card(name: str, folder: Path = FOLDER) -> Card:
    """The card of one shipped model."""
    record, path = metadata(name, folder), path_of(name, folder)
    return Card(
        name=name,
        recipe=record["recipe"],
        recipe_hash=record["recipe_hash"],
        modality=record["modality"],
        steps=int(record["steps"]),
        images_seen=int(record["images_seen"]),
        seconds=float(record["seconds"]),
        final_loss=float(record["final_loss"]),
        seed=int(record["seed"]),
        torch=record["torch"],
        dtype=record["dtype"],
        packing=record.get("packing", ""),
        size=path.stat().st_size,
        path=path,
    )


def digest(name: str, folder: Path = FOLDER) -> str:
    """Hex SHA-256 of what a weights file gives a model: its tensors, and the metadata that loading reads.

    Other metadata, such as the hash of the recipe, can change without another digest. Raises MissingAsset or
    CorruptAsset.
    """
    metadata(name, folder)
    return _digest(path_of(name, folder))


@files.remembered
def _digest(path: Path) -> str:
    header, data = _parts(path)
    record = header.pop("__metadata__", {})
    tensors = {tensor: (header[tensor]["dtype"], header[tensor]["shape"]) for tensor in header}
    read = {key: record.get(key) for key in _READ}
    hasher = hashlib.sha256(json.dumps([tensors, read], sort_keys=True).encode())
    for tensor in sorted(header):
        begin, end = header[tensor]["data_offsets"]
        hasher.update(data[begin:end])
    return hasher.hexdigest()


def _parts(path: Path) -> tuple[dict[str, Any], memoryview]:
    """The header of a safetensors file and the bytes of its tensors."""
    raw = memoryview(path.read_bytes())
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(bytes(raw[8 : 8 + length])), raw[8 + length :]


def change_metadata(name: str, changes: dict[str, str], folder: Path = FOLDER) -> None:
    """Write other metadata into a weights file; its tensors stay as they are, to the bit."""
    metadata(name, folder)
    path = path_of(name, folder)
    header, data = _parts(path)
    header["__metadata__"] = header.get("__metadata__", {}) | changes
    packed = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    packed += b" " * (-len(packed) % 8)  # tensors begin at a multiple of eight bytes
    with files.atomic(path) as temporary:
        temporary.write_bytes(struct.pack("<Q", len(packed)) + packed + data)


def save(
    trainer: Trainer, folder: Path, *, seconds: float, packed: bool = True, about: dict[str, str] | None = None
) -> list[Path]:
    """Write what a run ships: for each model a ``.safetensors`` and its loss curve as ``.json``.

    ``about`` goes into the metadata of each as it is.

    ``packed`` stores ten bits a weight (``mmbench.zoo.packing``), else float32. Classifiers are left out: no feature
    comes from them, and those of fine labels weigh a quarter of their tower.
    """
    from safetensors.numpy import save_file

    written = []
    for name, parts in trainer.objective.ships.items():
        tensors = {
            f"{part}.{key}": tensor.numpy()
            for part in parts
            if part != CLASSIFIER
            for key, tensor in trainer.network[part].state_dict().items()
        }
        record = _record(trainer, name, seconds, "10 bits" if packed else "float32") | (about or {})
        with files.atomic(path_of(name, folder)) as temporary:
            arrays = packing.pack(tensors) if packed else tensors
            save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, temporary, metadata=record)
        with files.atomic(curve_of(name, folder)) as temporary:
            temporary.write_text(curve(trainer.losses) + "\n")
        written.append(path_of(name, folder))
    return written


def curve(losses: list[float]) -> str:
    """A loss curve as JSON, one value a step, four digits."""
    return json.dumps({"loss": [round(loss, 4) for loss in losses]})


def _record(trainer: Trainer, name: str, seconds: float, dtype: str) -> dict[str, str]:
    """The metadata of a weights file."""
    import torch

    recipe, objective = trainer.recipe, trainer.objective
    return {
        "recipe": recipe.name,
        "recipe_hash": recipe_hash(recipe),
        "settings": settings_of(recipe),
        "modality": "text" if "text" in objective.ships[name] else "image",
        "steps": str(trainer.step),
        "images_seen": str(trainer.step * min(recipe.batch, len(trainer.corpus))),
        "seconds": f"{seconds:.0f}",
        "final_loss": f"{sum(trainer.losses[-50:]) / len(trainer.losses[-50:]):.4f}",
        "seed": str(recipe.seed),
        "torch": torch.__version__,
        "dtype": dtype,
        **objective.notes.get(name, {}),
    }


def image_tower(name: str, folder: Path = FOLDER) -> nn.Module:
    """A trained image network in eval mode, float32; ``random`` is the network that all of them started from."""
    if name == RANDOM:
        return backbone.build(seed=RANDOM_SEED).eval()
    record, tensors = _tensors(name, folder)
    part, projected = record.get("part", "tower"), {}
    if f"{part}.{_PROJECTION}.weight" in tensors:
        projected = {"projection": True}
    return _filled(network_of(name, folder).build(**projected), tensors, f"{part}.", name)


def network_of(name: str, folder: Path = FOLDER) -> Network:
    """The kind of a model's image network, read without torch; raises MissingAsset or CorruptAsset."""
    if name == RANDOM:
        return NETWORKS[backbone.ARCHITECTURE]
    return _known(NETWORKS, metadata(name, folder).get("architecture", backbone.ARCHITECTURE), name)


def text_network_of(name: str, folder: Path = FOLDER) -> Network:
    """The kind of a model's text network, read without torch; raises MissingAsset or CorruptAsset."""
    return _known(TEXT_NETWORKS, metadata(name, folder).get("architecture", text.ARCHITECTURE), name)


def _known(networks: dict[str, Network], architecture: str, name: str) -> Network:
    if architecture not in networks:
        known = " or ".join(networks)
        raise CorruptAsset(f"weights of {name!r} are of a network {architecture!r}, and the zoo builds {known}")
    return networks[architecture]


def text_tower(name: str, folder: Path = FOLDER) -> tuple[nn.Module, text.Tokenizer]:
    """A trained text network in eval mode, float32, with its tokenizer."""
    record, tensors = _tensors(name, folder)
    tokenizer = text.Tokenizer.load(record["words"])
    return _filled(text_network_of(name, folder).build(len(tokenizer)), tensors, "text.", name), tokenizer


_PROJECTION = 8  # place of the projection in the backbone's sequence


def _tensors(name: str, folder: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """A weights file's metadata and its arrays as float32; raises MissingAsset or CorruptAsset."""
    from safetensors.numpy import load_file

    record = metadata(name, folder)
    try:
        return record, packing.unpack(load_file(path_of(name, folder)))
    except (KeyError, ValueError) as error:
        raise CorruptAsset(f"weights of {name!r} are packed wrongly ({error}); restore the file") from error


def _filled(module: nn.Module, tensors: dict[str, Any], prefix: str, name: str) -> nn.Module:
    import torch

    state = {
        key.removeprefix(prefix): torch.from_numpy(np.array(array))
        for key, array in tensors.items()
        if key.startswith(prefix)
    }
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise CorruptAsset(f"weights of {name!r} do not fit the zoo's network ({error}); train them again") from error
    return module.eval()
