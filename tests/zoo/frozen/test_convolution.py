"""The convolution with its own weight gradient agrees with torch's."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (1, 2)])
def test_gradients_agree_with_torch(size, stride):
    import torch

    from mmbench.zoo.frozen.convolution import convolution

    torch.manual_seed(0)
    ours = convolution(5, 7, size, stride).double()
    x = torch.randn(3, 5, 8, 8, dtype=torch.float64, requires_grad=True)
    y = ours(x)
    weights = torch.randn_like(y)
    mine = torch.autograd.grad(y, [x, ours.weight], weights)
    reference = torch.nn.functional.conv2d(x, ours.weight, stride=stride, padding=size // 2)
    theirs = torch.autograd.grad(reference, [x, ours.weight], weights)
    torch.testing.assert_close(y, reference)
    torch.testing.assert_close(mine, theirs)


def test_inference_uses_the_plain_convolution():
    import torch

    from mmbench.zoo.frozen.convolution import convolution

    layer = convolution(5, 7, 3, 2)
    x = torch.randn(2, 5, 8, 8)
    torch.testing.assert_close(layer(x), layer.eval()(x))
