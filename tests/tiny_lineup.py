"""A lineup of toys: images of three colours, an encoder of mean colour, and one of colour words in the same space."""

import dataclasses

import numpy as np

from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.lineups import DatasetBinding, Lineup, ModelBinding
from mmbench.models.entry import Encoder, GeneratorEntry, Identity, ModelEntry, Preprocess

CLASSES = ("red", "green", "blue")
PLAIN = Preprocess(size=4, resize=4, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


class Blocks:
    """Images of one colour with some noise, drawn from a seed."""

    def __init__(self, labels, seed):
        noise = np.random.default_rng(seed).integers(0, 40, (len(labels), 4, 4, 3))
        base = np.zeros_like(noise)
        base[np.arange(len(labels)), :, :, labels] = 180
        self.pixels = (base + noise).astype(np.uint8)

    def __len__(self):
        return len(self.pixels)

    def image(self, index):
        from PIL import Image

        return Image.fromarray(self.pixels[index])

    def digest(self, index):
        import hashlib

        return hashlib.sha256(self.pixels[index].tobytes()).hexdigest()


def split(name, n, seed, *, multi=False):
    labels = np.arange(n, dtype=np.int64) % len(CLASSES)
    told = np.eye(len(CLASSES), dtype=bool)[labels] if multi else labels
    texts = tuple(f"a {CLASSES[label]} thing" for label in labels)
    return Split(tuple(f"{name}{i}" for i in range(n)), told, Blocks(labels, seed), texts)


def dataset(name="blocks", *, n=60, multi=False):
    def load():
        splits = {"train": split("train", n, 1, multi=multi), "test": split("test", 53, 2, multi=multi)}
        return Dataset(name, CLASSES, splits, "multi" if multi else "single")

    task = "multi" if multi else "single"
    return DatasetEntry(name, load, lambda: f"{name}-{n}-{multi}", 3, modalities=("image", "text"), task=task)


def colours(name="colours", *, spoil=None, raw=None, weights="w"):
    """Mean colour of an image; counts its forward passes in ``calls``."""
    calls = []

    def load():
        import torch

        def forward(batch):
            calls.append(len(batch))
            out = batch.mean(dim=(2, 3))
            return spoil(out) if spoil else out

        def prepare(image):
            return torch.from_numpy(np.asarray(image, np.float32) / 255).permute(2, 0, 1)

        return Encoder("image", 3, torch.nn.Identity().eval(), forward, prepare)

    identity = Identity(weights and f"{name}-{weights}", "mean", "last", PLAIN)
    entry = ModelEntry(name, "image", 3, load, lambda: identity, raw=raw, space="colour")
    return entry, calls


def words():
    """One-hot of the colour word in a text: shares its space with ``colours``."""

    def load():
        import torch

        def forward(texts):
            return torch.tensor([[float(c in text) for c in CLASSES] for text in texts])

        return Encoder("text", 3, torch.nn.Identity().eval(), forward)

    return ModelEntry("words", "text", 3, load, lambda: Identity("words-w", "onehot", "last"), space="colour")


VOCABULARY = ("<end>", "<start>", "a", "thing", "shows", *CLASSES)


def writer(name="writer", *, weights="w"):
    """A text encoder that also writes: the colour of what it was given, once, and then it ends.

    A token's vector is its place in the vocabulary; a vector of another colour counts for as much as it is long.
    """

    def load():
        import torch

        from mmbench.models.generators import from_logits

        table = torch.nn.Embedding.from_pretrained(torch.eye(len(VOCABULARY)))
        first = VOCABULARY.index(CLASSES[0])

        def logits(vectors):
            seen = vectors.cumsum(dim=1)
            ended = torch.full_like(seen[..., :first], -10.0)
            ended[..., 0] = seen[..., first:].sum(dim=-1) * 10 - 15  # above 1.5 colours seen, the end is likeliest
            return torch.cat([ended, seen[..., first:]], dim=-1)

        return from_logits(
            table,
            len(VOCABULARY),
            encode=lambda text: [VOCABULARY.index(word) for word in text.split()],
            decode=lambda tokens: " ".join(VOCABULARY[token] for token in tokens),
            vectors=table,
            logits=logits,
            ends=(0,),
            room=12,
            start=(1,),
        )

    identity = Identity(weights and f"{name}-{weights}", "colours", "next token")
    return dataclasses.replace(words(), name=name, generator=GeneratorEntry(load, lambda: identity))


def bound(cls, role, entry):
    binding = cls(role, role)
    binding.__dict__["entry"] = entry
    return binding


def tiny_lineup(models=(), datasets=(), *, weights="w"):
    """``clip``, ``clip_t``, ``cifar10`` and ``mnist``, played by toys; what is given is laid over them."""
    models = {"clip": colours(weights=weights)[0], "clip_t": words()} | dict(models)
    datasets = {"cifar10": dataset(), "mnist": dataset("other", n=45)} | dict(datasets)
    return Lineup(
        "tiny",
        models={role: bound(ModelBinding, role, entry) for role, entry in models.items()},
        datasets={role: bound(DatasetBinding, role, entry) for role, entry in datasets.items()},
        unbound_models={"virtex": "nobody trained it"},
    )
