"""Weights of the zoo as safetensors files: their metadata, their identity without torch, and loading. Not hashed."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.errors import CorruptAsset, MissingAsset
from mmbench.zoo import backbone, language, text, vit

if TYPE_CHECKING:
    from torch import nn

    from mmbench.zoo.loop import Trainer

FOLDER = Path(__file__).parent / "weights"
RANDOM = "random"
RANDOM_SEED = 0
CLASSIFIER = "head"


@dataclass(frozen=True)
class Network:
    """One kind of network: how it is built, the modules that say what it does, and what its features are."""

    architecture: str
    modules: tuple[str, ...]
    layer: str
    build: Callable[..., nn.Module]


# What a weights file says it holds; one that says nothing holds the backbone.
NETWORKS = {
    network.architecture: network
    for network in (
        Network(
            backbone.ARCHITECTURE,
            ("mmbench.zoo.backbone", "mmbench.zoo.convolution"),
            "mean over positions",
            backbone.build,
        ),
        Network(vit.ARCHITECTURE, ("mmbench.zoo.vit",), "mean over patches", vit.build),
    )
}

# The same for text networks, each built for a number of words; one that says nothing is that of ``clip_t``.
_LANGUAGE = ("mmbench.zoo.text", "mmbench.zoo.language")
TEXT_NETWORKS = {
    network.architecture: network
    for network in (
        Network(text.ARCHITECTURE, ("mmbench.zoo.text",), "end mark, projected", text.build),
        Network(language.MASKED, _LANGUAGE, "mean over tokens", language.masked_tower),
        Network(language.CAUSAL, _LANGUAGE, "mean over tokens but the end mark", language.causal_tower),
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
    told, path = metadata(name, folder), path_of(name, folder)
    return Card(
        name=name,
        recipe=told["recipe"],
        recipe_hash=told["recipe_hash"],
        modality=told["modality"],
        steps=int(told["steps"]),
        images_seen=int(told["images_seen"]),
        seconds=float(told["seconds"]),
        final_loss=float(told["final_loss"]),
        seed=int(told["seed"]),
        torch=told["torch"],
        dtype=told["dtype"],
        packing=told.get("packing", ""),
        size=path.stat().st_size,
        path=path,
    )


def digest(name: str, folder: Path = FOLDER) -> str:
    """Hex SHA-256 of a weights file."""
    metadata(name, folder)
    path = path_of(name, folder)
    return _digest(path, path.stat().st_mtime_ns)


@functools.cache
def _digest(path: Path, mtime_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save(
    trainer: Trainer, folder: Path, *, seconds: float, packed: bool = True, told: dict[str, str] | None = None
) -> list[Path]:
    """Write what a run ships: for each model a ``.safetensors`` and its loss curve as ``.json``.

    ``told`` goes into the metadata of each as it is.

    ``packed`` stores ten bits a weight (``mmbench.zoo.packing``), else float32. Classifiers are left out: no feature
    comes from them, and those of fine labels weigh a quarter of their tower.
    """
    from safetensors.numpy import save_file

    from mmbench.zoo import packing
    from mmbench.zoo.training import atomic, curve

    written = []
    for name, parts in trainer.objective.ships.items():
        tensors = {
            f"{part}.{key}": tensor.numpy()
            for part in parts
            if part != CLASSIFIER
            for key, tensor in trainer.network[part].state_dict().items()
        }
        about = _told(trainer, name, seconds, "10 bits" if packed else "float32") | (told or {})
        with atomic(path_of(name, folder)) as temporary:
            arrays = packing.pack(tensors) if packed else tensors
            save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, temporary, metadata=about)
        with atomic(folder / f"{name}.json") as temporary:
            temporary.write_text(curve(trainer.losses) + "\n")
        written.append(path_of(name, folder))
    return written


def _told(trainer: Trainer, name: str, seconds: float, dtype: str) -> dict[str, str]:
    """The metadata of a weights file."""
    import torch

    from mmbench.zoo.fingerprint import recipe_hash

    recipe, objective = trainer.recipe, trainer.objective
    return {
        "recipe": recipe.name,
        "recipe_hash": recipe_hash(recipe),
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
    told, tensors = _tensors(name, folder)
    part, projected = told.get("part", "tower"), {}
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
    told, tensors = _tensors(name, folder)
    tokenizer = text.Tokenizer.load(told["words"])
    return _filled(text_network_of(name, folder).build(len(tokenizer)), tensors, "text.", name), tokenizer


_PROJECTION = 8  # place of the projection in the backbone's sequence


def _tensors(name: str, folder: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """A weights file's metadata and its arrays as float32; raises MissingAsset or CorruptAsset."""
    from safetensors.numpy import load_file

    from mmbench.zoo import packing

    told = metadata(name, folder)
    try:
        return told, packing.unpack(load_file(path_of(name, folder)))
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
