"""A decoder of text vectors, trained on texts alone: a network that makes prefixes for a frozen language model.

The prefix mapper of ClipCap (Mokady et al. 2021), a Transformer or a network of two layers, fitted to the frozen
language model's loss on each text, given the text encoder's vector of the same text (Bielawski 2022, section 6.2). No
image is seen. Ours: an end mark stands behind each text, and only padding is left out of the loss (the released code
leaves out token 0, which is padding and GPT-2's exclamation mark).
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features
from mmbench.errors import BadDataset, BadSpec
from mmbench.protocol import Roles, Settings
from mmbench.source import Source
from mmbench.training.entry import TRAININGS, Checkpoint, Training, Weights
from mmbench.training.tensors import Tensor, optimiser_state, restore_optimiser, warm_then_falling
from mmbench.training.unpaired import require_texts

if TYPE_CHECKING:
    from mmbench.models.generators import Generator

WIDEN = 2  # of a Transformer block's inner layer, as in ClipCap
SHORTEST = 2  # tokens of a text that must fit behind the prefix


class CutCaptions(UserWarning):
    """Captions that are longer than what fits behind the prefix; their ends are not learnt."""


@dataclass(frozen=True)
class CaptionDecoderSettings(Settings):
    """Bielawski 2022, Table A.1; ``as_code`` holds the script's defaults (D-14a).

    ``prefix`` vectors are read by the language model; a Transformer also has ``clip_prefix`` vectors made of the text
    vector. AdamW without weight decay; the rate rises over ``warm_up`` steps (at most a tenth of all) and falls to 0.
    """

    mapper: Literal["transformer", "mlp"] = "transformer"
    prefix: int = 40
    clip_prefix: int = 40
    layers: int = 8
    heads: int = 8
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 2e-5
    warm_up: int = 5000

    def as_code(self) -> CaptionDecoderSettings:
        return dataclasses.replace(self, prefix=10, clip_prefix=10, epochs=30, batch_size=40)


@dataclass(frozen=True)
class Lesson:
    """Text vectors float32 ``[n, d]``, the tokens of each text without marks, and the language model."""

    vectors: NDArray[np.float32]
    lines: Sequence[Sequence[int]]
    writer: Generator

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what nothing can be learnt from."""
        check_features("text features", self.vectors, self.vectors.shape[-1])
        if len(self.lines) != len(self.vectors) or len(self.lines) < 2:
            raise BadDataset(f"a decoder needs a vector for each of 2 texts or more, got {len(self.lines)} texts")
        if empty := [row for row, line in enumerate(self.lines) if not len(line)]:
            raise BadDataset(f"caption {empty[0]} of the training split is empty; a decoder learns from words")


def gather(source: Source, models: Roles, dataset: str) -> Lesson:
    """The training texts and their vectors by the first model; the second writes. Raises Unmeasured without texts."""
    text, writer = (source.model(role) for role in models)
    train = require_texts(source, dataset, "train")
    generator = source.generator(writer)
    vectors = source.features(text, train, f"{dataset}/train")
    return Lesson(vectors, [generator.encode(line) for line in train.texts or ()], generator)


def parts(source: Source, models: Roles, dataset: str) -> list[Any]:
    """The text encoder's feature key, the writer's key and the dataset."""
    text, writer = (source.model(role) for role in models)
    return [source.feature_key(text), source.generator_key(writer), source.dataset_entry(dataset).identity()]


def fit(inputs: Lesson, s: CaptionDecoderSettings, seed: int, checkpoint: Checkpoint) -> Weights:
    """The mapper's weights by name, ``heads`` and ``prefix`` for rebuilding it, and ``cut``: how many texts were cut.

    Initial weights and the order of texts depend on the seed. Texts of about the same length share a batch.
    Warns (CutCaptions) of texts that do not fit behind the prefix. Raises BadSpec where next to nothing would fit.
    """
    import torch

    inputs.check()
    network, writer = mapper(s, inputs.vectors.shape[1], inputs.writer.dim, seed), inputs.writer
    where = next(writer.module.parameters()).device
    network.to(where)
    tokens, lengths, cut = _tokens(inputs, s)
    vectors = torch.from_numpy(np.array(inputs.vectors)).to(where)
    adam = torch.optim.AdamW(network.parameters(), lr=s.learning_rate, weight_decay=0.0)
    steps = -(-len(vectors) // s.batch_size)
    done = restore_optimiser(network, adam, checkpoint.resume())
    for epoch in range(done, s.epochs):
        batches = _batches(lengths, s.batch_size, (seed + epoch) % 2**63)
        for number, rows in enumerate(batches):
            for group in adam.param_groups:
                group["lr"] = s.learning_rate * warm_then_falling(epoch * steps + number, s.warm_up, s.epochs * steps)
            adam.zero_grad()
            _loss(writer, network(vectors[rows]), tokens[rows].to(where), lengths[rows].to(where)).backward()
            adam.step()
        checkpoint.keep(lambda done=epoch + 1: optimiser_state(network, adam, done))  # type: ignore[misc]
    found = {f"mapper.{name}": value.cpu().numpy() for name, value in network.state_dict().items()}
    return found | {"heads": np.array(s.heads), "prefix": np.array(s.prefix), "cut": np.array(cut)}


def _tokens(inputs: Lesson, s: CaptionDecoderSettings) -> tuple[Tensor, Tensor, int]:
    """Tokens ``[n, longest]`` with an end mark behind each text, their lengths, and how many texts were cut."""
    import torch

    room = inputs.writer.room - s.prefix
    if room < SHORTEST:
        raise BadSpec(
            f"a prefix of {s.prefix} leaves {max(room, 0)} of the {inputs.writer.room} tokens that the language model "
            "takes; shorten it"
        )
    lines = [[*line[: room - 1], inputs.writer.ends[0]] for line in inputs.lines]
    cut = sum(len(line) > room - 1 for line in inputs.lines)
    if cut:
        warnings.warn(f"{cut} of {len(lines)} captions are cut at {room - 1} tokens", CutCaptions, stacklevel=2)
    lengths = torch.tensor([len(line) for line in lines])
    padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(line) for line in lines], batch_first=True)
    return padded, lengths, cut


def _batches(lengths: Tensor, size: int, seed: int) -> list[Tensor]:
    """Rows in batches of texts of about the same length, in random order."""
    import torch

    dice = torch.Generator().manual_seed(seed)
    near = lengths + torch.rand(len(lengths), generator=dice)
    batches = near.argsort().split(size)
    return [batches[place] for place in torch.randperm(len(batches), generator=dice)]


def _loss(writer: Generator, prefix: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
    """Mean cross-entropy in nats of the tokens of texts, each given the prefix and those before it."""
    import torch
    from torch.nn import functional as F

    tokens = tokens[:, : int(lengths.max())]
    before = torch.cat([prefix.to(writer.vectors(tokens[:, :1]).dtype), writer.vectors(tokens[:, :-1])], dim=1)
    scores = writer.logits(before)[:, prefix.shape[1] - 1 :]
    real = torch.arange(tokens.shape[1], device=tokens.device)[None] < lengths[:, None]
    return F.cross_entropy(scores[real].float(), tokens[real])


def mapper(s: CaptionDecoderSettings, width: int, dim: int, seed: int) -> Any:
    """The untrained mapper from vectors ``[n, width]`` to prefixes ``[n, s.prefix, dim]``, by the seed."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        if s.mapper == "mlp":
            return _two_layers(width, dim, s.prefix)
        if dim % s.heads:
            raise BadSpec(f"token vectors of width {dim} cannot be divided among {s.heads} heads")
        return _transformer(width, dim, s)


def _two_layers(width: int, dim: int, prefix: int) -> Any:
    """ClipCap's MLP: a layer of half the prefix's size, Tanh, and a layer of its size."""
    from torch import nn

    return nn.Sequential(
        nn.Linear(width, dim * prefix // 2),
        nn.Tanh(),
        nn.Linear(dim * prefix // 2, dim * prefix),
        nn.Unflatten(1, (prefix, dim)),
    )


def _transformer(width: int, dim: int, s: CaptionDecoderSettings) -> Any:
    """ClipCap's Transformer: vectors made of the text vector, learnt ones behind them, of which the outputs count."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.read, self.project = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim)
            self.fc1, self.fc2 = nn.Linear(dim, WIDEN * dim), nn.Linear(WIDEN * dim, dim)

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = (
                part.unflatten(2, (s.heads, -1)).transpose(1, 2) for part in self.read(self.norm1(x)).chunk(3, 2)
            )
            x = x + self.project(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
            return x + self.fc2(F.relu(self.fc1(self.norm2(x))))

    class Mapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(width, s.clip_prefix * dim)
            self.learnt = nn.Parameter(torch.randn(s.prefix, dim))
            self.blocks = nn.Sequential(*(Block() for _ in range(s.layers)))

        def forward(self, x: Tensor) -> Tensor:
            seen = self.linear(x).unflatten(1, (s.clip_prefix, dim))
            both = torch.cat([seen, self.learnt.expand(len(x), -1, -1)], dim=1)
            return self.blocks(both)[:, s.clip_prefix :]

    return Mapper()


def prefixes(weights: Weights, vectors: NDArray[np.float32], dim: int) -> Tensor:
    """The prefixes of vectors ``[n, d]``, float32 ``[n, prefix, dim]``, by a fitted decoder's weights.

    Raises BadDataset for vectors of another width than the decoder was fitted to.
    """
    import torch

    state = {name.removeprefix("mapper."): value for name, value in weights.items() if name.startswith("mapper.")}
    first = state["0.weight" if "0.weight" in state else "linear.weight"]
    if vectors.shape[1] != first.shape[1]:
        raise BadDataset(
            f"the decoder reads vectors of {first.shape[1]} numbers, and these have {vectors.shape[1]}; an image "
            "encoder that is decoded without translation has the text encoder's width"
        )
    blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
    s = CaptionDecoderSettings(
        mapper="mlp" if "0.weight" in state else "transformer",
        prefix=int(weights["prefix"]),
        clip_prefix=len(first) // dim,
        layers=len(blocks),
        heads=int(weights["heads"]),
    )
    network = mapper(s, first.shape[1], dim, 0)
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
    with torch.inference_mode():
        return network(torch.from_numpy(np.array(vectors, dtype=np.float32)))


PAPER = CaptionDecoderSettings()
ABOUT = "from text vectors to a prefix of a language model that goes on with the text, learnt from texts alone"
TRAININGS.add(Training("caption_decoder", fit, gather, parts, PAPER, takes="text_and_writer", about=ABOUT))
TRAININGS.add(
    Training(
        "caption_decoder_code",
        fit,
        gather,
        parts,
        PAPER.as_code(),
        takes="text_and_writer",
        about=f"{ABOUT}, with the script's defaults (D-14a)",
    )
)
