"""The zoo's ``gpt2`` as a writer of text: its tower, and the prediction head that its weights file does not hold.

A zoo weights file holds the tower alone. Its recipe predicts a word from the tower's features through a head: a GELU, a
linear layer, a norm, then the tower's own word vectors and a bias for each word (``mmbench.zoo`` recipe ``gpt2``). Such
a head stands in ``weights/heads/gpt2.safetensors``; ``fit`` made it, on the frozen tower and the texts of the recipe.

    python -m mmbench.models.zoo_writer gpt2
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.errors import BadItem, BadSpec, CorruptAsset, MissingAsset
from mmbench.models import checkpoints, generators
from mmbench.models.encoders import frozen
from mmbench.models.state_dicts import load_strictly
from mmbench.zoo import weight_files

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STEPS, ROWS, RATE = 1500, 1024, 3e-3
CAUSAL = "mmbench-next-word-3x128"  # the architecture that a weights file states
TEXTS = 4000  # of captions and of Wikipedia's windows each, of which a fit sees the features


def head_path(name: str, folder: Path = weight_files.FOLDER) -> Path:
    """Where the prediction head of a zoo model is kept."""
    return folder / "heads" / f"{name}.safetensors"


def load(name: str, folder: Path = weight_files.FOLDER) -> generators.Generator:
    """The writer; raises MissingAsset without its head, and BadSpec or CorruptAsset for one that does not fit."""
    tower, tokenizer = _causal_tower(name, folder)
    head = _read_head(name, folder, tower)
    start, end = (int(token) for token in tokenizer.encode([""])[0, :2])

    def logits(vectors: Tensor) -> Tensor:
        return head(_states(tower, vectors)) @ tower.token.weight.T + head.bias

    network: Any = frozen(_pair(tower, head))
    return generators.from_logits(
        network,
        tower.token.embedding_dim,
        encode=lambda text: _encode(tokenizer, text, end),
        decode=lambda tokens: decode(tokenizer, tokens),
        vectors=tower.token,
        logits=logits,
        ends=(end,),
        room=tower.place.num_embeddings,
        start=(start,),
    )


def _causal_tower(name: str, folder: Path) -> tuple[Any, Any]:
    """The frozen tower and its tokenizer; raises BadSpec for one that reads in both directions."""
    tower, tokenizer = weight_files.text_tower(name, folder)
    if weight_files.text_network_of(name, folder).architecture != CAUSAL:
        raise BadSpec(f"model 'zoo:{name}' predicts no next word, so it cannot write; of the zoo's models gpt2 does")
    return frozen(tower), tokenizer


def weights_digest(name: str, folder: Path = weight_files.FOLDER) -> str | None:
    """What stands for the weights of tower and head in an identity; None without a head."""
    path = head_path(name, folder)
    if not path.is_file():
        return None
    return f"{weight_files.digest(name, folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def decode(tokenizer: Any, tokens: Sequence[int]) -> str:
    """Words and signs with spaces between them; a run of bytes is one word. Marks and padding give nothing."""
    first_word = len(tokenizer) - len(tokenizer.words)
    first_byte = first_word - 256
    words: list[str] = []
    spelt = b""
    for token in [*tokens, 0]:
        if first_byte <= token < first_word:
            spelt += bytes([token - first_byte])
            continue
        if spelt:
            words.append(spelt.decode(errors="replace"))
            spelt = b""
        if token >= first_word:
            words.append(tokenizer.words[token - first_word])
    return re.sub(r" ([.,;:!?)])", r"\1", " ".join(words))


def _encode(tokenizer: Any, text: str, end: int) -> list[int]:
    """The tokens of a text without marks; raises BadItem when they fill the context, where the rest would be cut."""
    line = tokenizer.encode([text])[0].tolist()
    if line[-1] != 0:
        raise BadItem(f"the text {text[:40]!r} has {len(line) - 2} tokens or more; the zoo's models read {len(line)}")
    return line[1 : line.index(end)]


def _states(tower: Any, vectors: Tensor) -> Tensor:
    """As the tower's own ``states``, from token vectors [n, length, width]: features [n, length, 256]."""
    x = vectors + tower.place.weight[: vectors.shape[1]]
    for block in tower.blocks:
        x = block(x, None)
    return tower.project(tower.norm(x))


def _head(dim: int, width: int, words: int) -> Any:
    import torch
    from torch import nn

    head = nn.Sequential(nn.GELU(), nn.Linear(dim, width), nn.LayerNorm(width))
    head.register_parameter("bias", nn.Parameter(torch.zeros(words)))
    return head


def _pair(tower: Any, head: Any) -> torch.nn.Module:
    from torch import nn

    return nn.ModuleDict({"text": tower, "head": head})


def _read_head(name: str, folder: Path, tower: Any) -> Any:
    from safetensors import safe_open

    path = head_path(name, folder)
    if not path.is_file():
        raise MissingAsset(
            f"model 'zoo:{name}' writes no text without its prediction head, which is not at {path}; fit it with: "
            f"python -m mmbench.models.zoo_writer {name}"
        )
    head = _head(tower.project.out_features, tower.token.embedding_dim, tower.token.num_embeddings)
    state = checkpoints.read_tensors(path)
    load_strictly(head, state, path, f"the prediction head of 'zoo:{name}'")
    with safe_open(str(path), framework="pt") as file:
        fitted = dict(file.metadata() or {}).get("tower")
    if fitted != _digest(tower):
        raise CorruptAsset(
            f"the prediction head {path} was fitted to another tower than the weights of {name!r} hold; fit it again "
            f"with: python -m mmbench.models.zoo_writer {name}"
        )
    return head


def _digest(tower: Any) -> str:
    from mmbench.models.objects import module_digest

    return module_digest(tower)


def texts_of(tokenizer: Any, count: int, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Tokens [2 count, 32] of the recipe's two kinds: captions of training drawings, and windows of Wikipedia."""
    from mmbench.zoo.frozen.captions import caption
    from mmbench.zoo.frozen.corpus import training_corpus
    from mmbench.zoo.frozen.wikipedia import paragraphs
    from mmbench.zoo.frozen.word_prediction import SPELT, windows

    corpus = training_corpus()
    captions = [caption(corpus, int(row), rng) for row in rng.integers(len(corpus), size=count)]
    read = windows(tokenizer, paragraphs())
    return np.concatenate([tokenizer.encode(captions, SPELT, rng), read[rng.integers(len(read), size=count)]])


def predicted(tower: Any, tokens: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[Tensor, Tensor]:
    """Features [m, 256] of every token of texts [n, 32] that another follows, and those that follow, int64 [m]."""
    import torch

    states, following = [], []
    with torch.inference_mode():
        for rows in torch.from_numpy(tokens).split(256):
            seen = tower.states(rows)[:, :-1]
            after = rows[:, 1 : 1 + seen.shape[1]]
            states.append(seen[after != 0])
            following.append(after[after != 0])
    return torch.cat(states).clone(), torch.cat(following).clone()


def loss(tower: Any, head: Any, states: Tensor, following: Tensor) -> Tensor:
    """Mean nats of the words that follow."""
    from torch.nn import functional as F

    return F.cross_entropy(F.linear(head(states), tower.token.weight, head.bias), following)


def fit(name: str, folder: Path = weight_files.FOLDER, *, seed: int = 0, steps: int = STEPS) -> Path:
    """Fit the prediction head of a causal zoo model to its frozen tower and write it; returns its path.

    Adam with a rate that falls to zero along a cosine, on features that are computed once.
    """
    import torch
    from safetensors.torch import save_file

    tower, tokenizer = _causal_tower(name, folder)
    rng = np.random.default_rng(seed)
    states, following = predicted(tower, texts_of(tokenizer, TEXTS, rng))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = _head(states.shape[1], tower.token.embedding_dim, len(tokenizer))
    counts = torch.bincount(following, minlength=len(tokenizer)) + 1.0
    with torch.no_grad():
        head.bias.copy_((counts / counts.sum()).log())
    adam = torch.optim.Adam(head.parameters(), RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    losses = []
    for _ in range(steps):
        rows = torch.from_numpy(rng.integers(len(states), size=ROWS))
        value = loss(tower, head, states[rows], following[rows])
        adam.zero_grad()
        value.backward()
        adam.step()
        falling.step()
        losses.append(value.item())
    path = head_path(name, folder)
    path.parent.mkdir(exist_ok=True)
    about = {"tower": _digest(tower), "seed": str(seed), "steps": str(steps), "torch": torch.__version__}
    about["loss"] = f"{np.mean(losses[-50:]):.4f}"
    save_file({key: value.detach().contiguous() for key, value in head.state_dict().items()}, path, metadata=about)
    path.chmod(0o644)  # safetensors lets the owner alone read it
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m mmbench.models.zoo_writer NAME")
    print(f"wrote {fit(sys.argv[1])}")
