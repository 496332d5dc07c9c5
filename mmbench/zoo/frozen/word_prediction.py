"""What ``bert`` and ``gpt2`` share: what they read, their vocabulary, their loss and its prediction head.

Each step reads as many texts as the other recipes see drawings. Half of them are captions of the step's drawings, as
``clip`` reads them, half are windows of Wikipedia, 32 tokens like the context of ``clip_t``. Captions name no
evaluation concept, Wikipedia does (see ``mmbench.zoo.frozen.wikipedia``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.zoo.frozen import wikipedia
from mmbench.zoo.frozen.backbone import DIM
from mmbench.zoo.frozen.captions import caption, every_word
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo.frozen.language import build
from mmbench.zoo.frozen.loop import Batch, Recipe
from mmbench.zoo.frozen.text import BYTES, CONTEXT, PAD, WIDTH, Tokenizer, initialise, split

if TYPE_CHECKING:
    from torch import Tensor, nn

COMMON = 50  # a word of Wikipedia that occurs less often is spelt, so that the vocabulary is of the size of clip_t's
SPELT = 0.1  # of the known words of captions, as in clip
SHORTEST = 8  # tokens of a window, marks included

Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class Reading:
    """What is read: the corpus's captions, made anew each time, and windows of Wikipedia, tokens ``[n, 32]``."""

    corpus: Corpus
    tokenizer: Tokenizer
    windows: Tokens

    @classmethod
    def of(cls, corpus: Corpus) -> Reading:
        """Raises MissingAsset or CorruptAsset when there is no Wikipedia sample."""
        paragraphs = wikipedia.paragraphs()
        tokenizer = vocabulary(every_word(corpus), paragraphs)
        return cls(corpus, tokenizer, windows(tokenizer, paragraphs))

    def batch(self, batch: Batch, share: float, rng: np.random.Generator) -> tuple[Tokens, Tokens]:
        """Captions of the first drawings of the step, and as many windows that Wikipedia has its ``share``.

        Both are tokens ``[n, 32]``. They come apart because captions are short, which spares reading padding.
        """
        count = len(batch.rows) - round(share * len(batch.rows))
        captions = [caption(self.corpus, int(row), rng) for row in batch.rows[:count]]
        drawn = rng.integers(len(self.windows), size=len(batch.rows) - count)
        return self.tokenizer.encode(captions, SPELT, rng), self.windows[drawn]


def vocabulary(captions: Sequence[str], paragraphs: Sequence[str]) -> Tokenizer:
    """Every word of the captions, as clip has them, then the words that are common in the paragraphs."""
    known = Tokenizer.of(captions).words
    return Tokenizer(tuple(dict.fromkeys((*known, *Tokenizer.of(paragraphs, COMMON).words))))


def windows(tokenizer: Tokenizer, paragraphs: Sequence[str]) -> Tokens:
    """Tokens ``[n, 32]``: each paragraph cut, between words, into the longest pieces that fit between two marks.

    What is left at a paragraph's end and has fewer than 8 tokens, marks included, is dropped.
    """
    known = frozenset(tokenizer.words)
    pieces = [" ".join(piece) for paragraph in paragraphs for piece in _pieces(split(paragraph), known)]
    tokens = tokenizer.encode(pieces)
    return tokens[(tokens != PAD).sum(axis=1) >= SHORTEST]


def _pieces(words: Sequence[str], known: frozenset[str]) -> list[list[str]]:
    pieces: list[list[str]] = [[]]
    room = CONTEXT - 2
    for word in words:
        cost = 1 if word in known else len(word.encode())
        if cost > room:
            pieces.append([])
            room = CONTEXT - 2
        pieces[-1].append(word)
        room -= cost
    return pieces


class Prediction:
    """Mean cross-entropy of the words that ``predicted`` picks: ``text`` is the shipped tower, ``head`` scores words.

    The recipe's ``wikipedia`` is the share of texts that are not captions.
    """

    architecture: str
    causal: bool

    def predicted(self, tokens: Tokens, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Of texts ``[n, 32]``, features float ``[m, 256]`` and the words int64 ``[m]`` to predict from them."""
        raise NotImplementedError

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        self.recipe = recipe
        self.reading = Reading.of(corpus)
        tokenizer = self.reading.tokenizer
        self.parts: dict[str, nn.Module] = {
            "text": build(len(tokenizer), causal=self.causal, seed=recipe.seed),
            "head": head(len(tokenizer), recipe.seed + 2),
        }
        self.ships: dict[str, tuple[str, ...]] = {recipe.name: ("text",)}
        notes = {"architecture": self.architecture, "words": tokenizer.dump(), "images_seen": "0"}
        self.notes: dict[str, dict[str, str]] = {recipe.name: notes}

    def loss(self, tower: nn.Module, batch: Batch) -> Tensor:
        rng = batch.rng()
        texts = self.reading.batch(batch, self.recipe.options["wikipedia"], rng)
        pairs = [self.predicted(tokens, rng) for tokens in texts if len(tokens)]
        losses = [self.cross_entropy(states, words) for states, words in pairs]
        return sum(losses[1:], losses[0]) / sum(len(words) for _, words in pairs)

    def cross_entropy(self, states: Tensor, words: Tensor) -> Tensor:
        """Summed cross-entropy, in nats, of ``words`` [n] predicted from features ``[n, 256]``."""
        from torch.nn import functional as F

        head, known = self.parts["head"], self.parts["text"].token.weight[: len(self.reading.tokenizer)]
        scores = F.linear(head(states), known, head.bias)
        return F.cross_entropy(scores.float(), words, reduction="sum")


def head(words: int, seed: int) -> nn.Module:
    """From features ``[n, 256]`` to the space of word vectors ``[n, 128]``; ``bias`` holds how common each word is.

    As BERT's: a layer, a GELU, a norm, and the word vectors that the input has too. Its layer is the tower's last.
    """
    import torch
    from torch import nn

    network = nn.Sequential(nn.GELU(), nn.Linear(DIM, WIDTH), nn.LayerNorm(WIDTH))
    initialise(network, seed)
    network.register_parameter("bias", nn.Parameter(torch.zeros(words)))
    return network


def hidden(tokens: Tokens, words: int, share: float, rng: np.random.Generator) -> tuple[Tokens, NDArray[np.bool_]]:
    """Tokens as ``bert`` sees them, and bool ``[n, 32]``: which are to be predicted (Devlin et al. 2019, section 3.1).

    Of each text's words and bytes ``share`` are chosen, at least one; of these 80 % become the mask (the token
    ``words``), 10 % any word or byte, and 10 % stay. Marks and padding are never chosen.
    """
    free = tokens >= BYTES
    count = free.sum(axis=1)
    count = np.where(count > 0, np.maximum(np.rint(share * count), 1), 0)
    order = np.where(free, rng.random(tokens.shape), 2.0).argsort(axis=1).argsort(axis=1)
    chosen = order < count[:, None]
    how = rng.random(tokens.shape)
    others = rng.integers(BYTES, words, size=tokens.shape)
    seen = np.where(chosen & (how < 0.8), words, np.where(chosen & (how >= 0.9), others, tokens))
    return seen, chosen
