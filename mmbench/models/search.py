"""Greedy and beam search over any causal network that maps vectors to the logits of the next token.

The rules are those of transformers' ``generate`` with ``early_stopping="never"``, and a test compares the two. Nothing
is kept between steps, so a step costs a pass over the whole text: for networks with a short context.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Beginning:
    """A text so far: its tokens and the sum of their log-probabilities in nats."""

    tokens: tuple[int, ...] = ()
    total: float = 0.0


@dataclass
class Beam:
    """The search after one prefix: beginnings that may go on, and (score, tokens) of texts that have ended."""

    alive: list[Beginning] = field(default_factory=lambda: [Beginning()])
    ended: list[tuple[float, tuple[int, ...]]] = field(default_factory=list)


def search(
    logits: Callable[[Tensor], Tensor],
    vectors: Callable[[Tensor], Tensor],
    ends: Sequence[int],
    prefixes: list[Tensor],
    max_tokens: int,
    beams: int,
    length_penalty: float,
) -> list[list[int]]:
    """The tokens found after each prefix [length, dim], an end mark included where one was reached.

    ``logits`` maps [n, length, dim] to [n, length, vocabulary], each row from what is before it alone; ``vectors`` maps
    tokens to their vectors.
    """
    found = [Beam() for _ in prefixes]
    for length in range(1, max_tokens + 1):
        asked = [(i, beginning) for i, beam in enumerate(found) for beginning in beam.alive]
        if not asked:
            break
        rows = _next(logits, vectors, [prefixes[i] for i, _ in asked], [beginning.tokens for _, beginning in asked])
        at = 0
        for beam in found:
            if beam.alive:
                own = rows[at : at + len(beam.alive)]
                at += len(own)
                _step(beam, own, ends, beams, length, max_tokens, length_penalty)
    return [list(max(beam.ended, key=lambda pair: pair[0])[1]) for beam in found]


def _next(
    logits: Callable[[Tensor], Tensor],
    vectors: Callable[[Tensor], Tensor],
    prefixes: list[Tensor],
    lines: list[tuple[int, ...]],
) -> Tensor:
    """Log-probabilities of the token after each prefix and line, [n, vocabulary]; padding stands behind them."""
    import torch

    texts = [
        torch.cat([prefix, vectors(torch.tensor(line, dtype=torch.long, device=prefix.device))]) if line else prefix
        for prefix, line in zip(prefixes, lines, strict=True)
    ]
    last = torch.tensor([len(text) - 1 for text in texts])
    scores = logits(torch.nn.utils.rnn.pad_sequence(texts, batch_first=True))
    return scores[torch.arange(len(texts)), last].float().log_softmax(dim=1)


def _step(
    beam: Beam, rows: Tensor, ends: Sequence[int], beams: int, length: int, max_tokens: int, length_penalty: float
) -> None:
    """Extend ``beam`` by one token; ``rows`` [alive, vocabulary] are the log-probabilities after each beginning."""
    import torch

    totals = rows + torch.tensor([beginning.total for beginning in beam.alive], device=rows.device).unsqueeze(1)
    # as many again as beams: even if every one of the best ends its text, beginnings are left to go on with
    kept = min(beams * (1 + len(ends)), totals.numel()) if beams > 1 else 1
    best, places = totals.flatten().topk(kept)
    going: list[Beginning] = []
    for rank, (total, place) in enumerate(zip(best.tolist(), places.tolist(), strict=True)):
        tokens = (*beam.alive[place // rows.shape[1]].tokens, place % rows.shape[1])
        if tokens[-1] in ends or length == max_tokens:
            if rank < beams:
                beam.ended.append((total / length**length_penalty, tokens))
        elif len(going) < beams:
            going.append(Beginning(tokens, total))
    beam.ended = sorted(beam.ended, key=lambda pair: -pair[0])[:beams]
    # a total only falls; divided by the longest length it is the best that this beginning may still reach
    reachable = going[0].total / max_tokens**length_penalty if going else float("-inf")
    full = len(beam.ended) == beams and beam.ended[-1][0] >= reachable
    beam.alive = [] if full or (beams == 1 and beam.ended) else going
