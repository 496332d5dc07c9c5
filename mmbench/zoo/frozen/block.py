"""One block of the zoo's transformers: attention, then a perceptron, each after a layer norm and added to its input."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    Attention = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


def block(width: int, heads: int, attention: Attention) -> nn.Module:
    """An untrained block from ``[batch, length, width]`` to the same shape.

    ``attention`` gets queries, keys and values, each ``[batch, heads, length, width // heads]``, and the mask that the
    block is called with, or None.
    """
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
            self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.wide = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x, seen=None):  # type: ignore[no-untyped-def]
            n, length, _ = x.shape
            split = self.mix(self.before(x)).view(n, length, 3, heads, width // heads)
            query, key, value = split.permute(2, 0, 3, 1, 4)
            mixed = attention(query, key, value, seen)
            x = x + self.out(mixed.transpose(1, 2).reshape(n, length, width))
            return x + self.wide(self.after(x))

    return Block()


def masked_attention(*, causal: bool) -> Attention:
    """torch's own attention to the places where the mask is True; ``causal``: to none that comes later."""
    from torch.nn import functional as F

    def attention(query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None) -> Tensor:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=seen, is_causal=causal)

    return attention
