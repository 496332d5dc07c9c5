"""What ``bert`` and ``gpt2`` share: what they read, their vocabulary, their tower and its prediction head. Hashed.

Each step reads as many texts as the other recipes see drawings. Half of them are captions of the step's drawings, as
``clip`` reads them, half are windows of Wikipedia, 32 tokens like the context of ``clip_t``; tower and tokenizer are of
its size and kind too. Captions name no evaluation concept, Wikipedia does (see ``mmbench.zoo.wikipedia``).

The feature is the mean over tokens of the last layer, widened to 256 by a linear map that is trained as the first layer
of the prediction head. Devillers et al. (2021, section 4) take the last layer's vector at the label's token, which a
text without a known label does not have; what is linear in the last layer is kept, but distances are those after
the map. The mean is over every token that the training predicts from: for ``bert`` all but padding, for ``gpt2`` not
the end mark either, behind which nothing was ever to be foretold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbench.zoo import wikipedia
from mmbench.zoo.backbone import DIM
from mmbench.zoo.captions import caption, every_word
from mmbench.zoo.corpus import Corpus
from mmbench.zoo.loop import Batch, Recipe
from mmbench.zoo.text import (
    BYTES,
    CONTEXT,
    END,
    HEADS,
    LAYERS,
    PAD,
    WIDTH,
    Tokenizer,
    initialise,
    split,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

MASKED = "mmbench-masked-words-3x128"
CAUSAL = "mmbench-next-word-3x128"
COMMON = 50  # a word of Wikipedia that occurs less often is spelt, so that the vocabulary is of the size of clip_t's
SPELT = 0.1  # of the known words of captions, as in clip
SHORTEST = 8  # tokens of a window, marks included
MODULES = ("mmbench.zoo.text", "mmbench.zoo.captions", "mmbench.zoo.wikipedia", "mmbench.zoo.language")

Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class Reading:
    """What is read: the corpus's captions, made anew each time, and windows of Wikipedia, tokens ``[n, 32]``."""

    corpus: Corpus
    tokenizer: Tokenizer
    windows: Tokens

    @classmethod
    def of(cls, corpus: Corpus) -> Reading:
        """Raises MissingAsset or CorruptAsset when the Wikipedia sample cannot be had."""
        paragraphs = wikipedia.paragraphs()
        tokenizer = vocabulary(every_word(corpus), paragraphs)
        return cls(corpus, tokenizer, windows(tokenizer, paragraphs))

    def batch(self, batch: Batch, share: float, rng: np.random.Generator) -> tuple[Tokens, Tokens]:
        """Captions of the first drawings of the step, and as many windows that Wikipedia has its ``share``.

        Both are tokens ``[n, 32]``. They come apart because captions are short, which spares reading padding.
        """
        told = len(batch.rows) - round(share * len(batch.rows))
        captions = [caption(self.corpus, int(row), rng) for row in batch.rows[:told]]
        drawn = rng.integers(len(self.windows), size=len(batch.rows) - told)
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


def build(words: int, *, causal: bool, seed: int = 0) -> nn.Module:
    """An untrained tower from tokens ``[batch, 32]`` of a vocabulary of ``words`` to features ``[batch, 256]``.

    ``states(tokens)`` gives the features of each token, ``[batch, used, 256]``, cut at the longest text. Without
    ``causal`` there is one token more, ``words`` itself: the mask.
    """
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.mix, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.wide = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

        def forward(self, x, seen):  # type: ignore[no-untyped-def]
            n, length, _ = x.shape
            heads = self.mix(self.before(x)).view(n, length, 3, HEADS, WIDTH // HEADS)
            query, key, value = heads.permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=seen, is_causal=causal)
            x = x + self.out(mixed.transpose(1, 2).reshape(n, length, WIDTH))
            return x + self.wide(self.after(x))

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.place = nn.Embedding(words + (not causal), WIDTH), nn.Embedding(CONTEXT, WIDTH)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norm, self.project = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, DIM)

        def states(self, tokens):  # type: ignore[no-untyped-def]
            tokens = tokens[:, : int((tokens != PAD).sum(dim=1).max())]
            x = self.token(tokens) + self.place.weight[: tokens.shape[1]]
            # causal: padding lies behind all that counts, and so is never seen
            seen = None if causal else (tokens != PAD)[:, None, None, :]
            for block in self.blocks:
                x = block(x, seen)
            return self.project(self.norm(x))

        def forward(self, tokens):  # type: ignore[no-untyped-def]
            states = self.states(tokens)
            tokens = tokens[:, : states.shape[1]]
            kept = (tokens != PAD) & (tokens != END) if causal else tokens != PAD
            kept = kept.unsqueeze(2).to(states.dtype)
            return (states * kept).sum(dim=1) / kept.sum(dim=1)

    tower = Tower()
    initialise(tower, seed)
    return tower


def masked_tower(words: int) -> nn.Module:
    return build(words, causal=False)


def causal_tower(words: int) -> nn.Module:
    return build(words, causal=True)


class Prediction:
    """Mean cross-entropy of the words that ``told`` picks: ``text`` is the tower that is shipped, ``head`` says words.

    The recipe's ``wikipedia`` is the share of texts that are not captions.
    """

    architecture: str
    causal: bool

    def told(self, tokens: Tokens, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Of texts ``[n, 32]``, features float ``[m, 256]`` and the words int64 ``[m]`` that are told from them."""
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
        told = [self.told(tokens, rng) for tokens in texts if len(tokens)]
        losses = [self.cross_entropy(states, words) for states, words in told]
        return sum(losses[1:], losses[0]) / sum(len(words) for _, words in told)

    def cross_entropy(self, states: Tensor, words: Tensor) -> Tensor:
        """Summed cross-entropy, in nats, of ``words`` [n] told from features ``[n, 256]``."""
        from torch.nn import functional as F

        told = self.parts["head"](states)
        scores = F.linear(told, self.parts["text"].token.weight[: len(self.reading.tokenizer)], self.parts["head"].bias)
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
    """Tokens as ``bert`` sees them, and bool ``[n, 32]``: which are to be told (Devlin et al. 2019, section 3.1).

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
