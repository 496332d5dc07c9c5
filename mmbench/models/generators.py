"""Language models that write text after a prefix of vectors: ``Generator``, and two ways to search for the text.

A prefix is what stands before the first written token, in the model's own space of token vectors: images mapped into
it, an embedded prompt, or both one after the other. ``from_transformers`` searches with transformers' own ``generate``;
``from_logits`` serves any other causal network with ``mmbench.models.search``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadFeatures, BadItem, BadSpec
from mmbench.models.encoders import device_of, frozen

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    Search = Callable[[list[Tensor], int, int, float], list[list[int]]]


@dataclass
class Generator:
    """A loaded causal language model in eval mode, float32, its weights without gradients.

    ``dim`` is the width of a token vector. ``encode`` gives a text's tokens without any mark. ``start`` are the marks
    that open a text of the model's training, ``ends`` those that close one. ``room`` is the most tokens, prefix
    included, that the model takes. ``vectors`` maps tokens int64 [...] to vectors [..., dim]. ``logits`` maps
    vectors [n, length, dim] to the logits of each next token [n, length, vocabulary], row t from vectors 0..t alone, so
    padding behind a text changes nothing before it; gradients flow through both, for a training that fits a prefix.
    """

    dim: int
    module: torch.nn.Module
    encode: Callable[[str], list[int]]
    decode: Callable[[Sequence[int]], str]
    vectors: Callable[[Tensor], Tensor]
    logits: Callable[[Tensor], Tensor]
    search: Search
    ends: tuple[int, ...]
    room: int
    start: tuple[int, ...] = ()

    def embed(self, texts: Sequence[str], *, start: bool = False) -> list[Tensor]:
        """The token vectors of each text, [tokens, dim]; with ``start`` the opening mark's stand in front.

        Raises BadItem for a text that has more tokens than the model takes.
        """
        import torch

        lines = [[*(self.start if start else ()), *self.encode(text)] for text in texts]
        for text, line in zip(texts, lines, strict=True):
            if len(line) > self.room:
                raise BadItem(f"the text {text[:40]!r} has {len(line)} tokens; the language model takes {self.room}")
        where = device_of(self.module)
        return [self.vectors(torch.tensor(line, dtype=torch.long, device=where)) for line in lines]

    def write(
        self,
        prefixes: Sequence[Tensor] | Tensor,
        *,
        max_tokens: int,
        beams: int = 1,
        length_penalty: float = 1.0,
        batch: int = 32,
    ) -> list[str]:
        """A text after each prefix [length, dim] (a tensor [n, length, dim] is n of them), of at most ``max_tokens``.

        ``beams`` 1 takes the likeliest token each time. More search that many beginnings side by side for the text
        with the greatest log-probability divided by its number of tokens (end mark included) to the power of
        ``length_penalty``; the search ends when no beginning can still exceed what it has found (transformers'
        ``early_stopping="never"``). ``batch`` prefixes run together; their text does not depend on it.
        Spaces at either end are cut off. Raises BadSpec for settings that cannot be, BadFeatures for prefixes of
        another shape or with values that are not finite, and BadItem for one that leaves too little room.
        """
        import torch

        for name, value in (("max_tokens", max_tokens), ("beams", beams), ("batch", batch)):
            if value < 1:
                raise BadSpec(f"{name} is a whole number from 1, not {value!r}")
        if not length_penalty >= 0:
            raise BadSpec(f"length_penalty is a number from 0, not {length_penalty!r}")
        weights = next(self.module.parameters())
        rows = [self._checked(i, prefix, max_tokens) for i, prefix in enumerate(prefixes)]
        texts = []
        with torch.inference_mode():
            for at in range(0, len(rows), batch):
                chosen = [row.to(weights.device, weights.dtype) for row in rows[at : at + batch]]
                for line in self.search(chosen, max_tokens, beams, length_penalty):
                    texts.append(self.decode(_until(line, self.ends)).strip())
        return texts

    def _checked(self, i: int, prefix: Tensor, max_tokens: int) -> Tensor:
        if prefix.ndim != 2 or prefix.shape[1] != self.dim or not len(prefix):
            raise BadFeatures(
                f"prefix {i} has the shape {list(prefix.shape)}; expected [length, {self.dim}] with length from 1"
            )
        if not bool(prefix.isfinite().all()):
            raise BadFeatures(f"prefix {i} has values that are not finite")
        if len(prefix) + max_tokens > self.room:
            raise BadItem(
                f"prefix {i} has {len(prefix)} vectors, and max_tokens={max_tokens} more exceed the {self.room} "
                "that the language model takes; shorten either"
            )
        return prefix


def from_logits(
    module: torch.nn.Module,
    dim: int,
    *,
    encode: Callable[[str], list[int]],
    decode: Callable[[Sequence[int]], str],
    vectors: Callable[[Tensor], Tensor],
    logits: Callable[[Tensor], Tensor],
    ends: tuple[int, ...],
    room: int,
    start: tuple[int, ...] = (),
) -> Generator:
    """A generator of any causal network: the fields are those of ``Generator``, the search is ours."""
    from mmbench.models import search

    found = partial(search.search, logits, vectors, ends)
    return Generator(dim, frozen(module), encode, decode, vectors, logits, found, ends, room, start)


def from_transformers(
    module: Any,
    *,
    encode: Callable[[str], list[int]],
    decode: Callable[[Sequence[int]], str],
    ends: tuple[int, ...],
    room: int,
    start: tuple[int, ...] = (),
) -> Generator:
    """A generator of one of transformers' causal language models (``AutoModelForCausalLM``), in float32."""
    from transformers import GenerationConfig

    module = module.eval().requires_grad_(False)  # float() is refused where a file of packed weights was widened
    # what a checkpoint states for chatting (sampling, penalties) is no part of a search that is to be repeatable
    module.generation_config = GenerationConfig()
    table = module.get_input_embeddings()

    def logits(vectors: Tensor) -> Tensor:
        return module(inputs_embeds=vectors, use_cache=False).logits

    found = partial(_generate, module, ends)
    return Generator(int(table.embedding_dim), module, encode, decode, table, logits, found, ends, room, start)


def _generate(
    module: Any, ends: tuple[int, ...], prefixes: list[Tensor], max_tokens: int, beams: int, length_penalty: float
) -> list[list[int]]:
    """Tokens after each prefix by transformers' ``generate``; shorter prefixes are padded on the left and masked."""
    import torch
    from transformers import GenerationConfig

    longest = max(len(prefix) for prefix in prefixes)
    batch = torch.stack([torch.nn.functional.pad(prefix, (0, 0, longest - len(prefix), 0)) for prefix in prefixes])
    mask = torch.stack([torch.arange(longest) >= longest - len(prefix) for prefix in prefixes]).long()
    several = {"early_stopping": "never", "length_penalty": length_penalty} if beams > 1 else {}
    config = GenerationConfig(
        max_new_tokens=max_tokens,
        num_beams=beams,
        do_sample=False,
        eos_token_id=list(ends),
        pad_token_id=ends[0],
        **several,
    )
    lines = module.generate(inputs_embeds=batch, attention_mask=mask.to(batch.device), generation_config=config)
    return [_until(line, ends) for line in lines.tolist()]


def _until(line: Sequence[int], ends: tuple[int, ...]) -> list[int]:
    """The tokens before the first end mark."""
    return list(line[: next((i for i, token in enumerate(line) if token in ends), len(line))])
