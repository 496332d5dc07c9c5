"""NT-Xent against a slow, obvious version, and the laws that it must keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench import zoo
from mmbench.zoo.frozen.contrast import nt_xent, projector
from mmbench.zoo.frozen.loop import Trainer


def tensors(*shape, seed=0):
    import torch

    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def by_the_book(first, second, temperature):
    """The mean over all 2n views of -log(exp(s(i, partner)) / sum over k != i of exp(s(i, k)))."""
    views = [*first.double().numpy(), *second.double().numpy()]
    n, total = len(first), 0.0

    def similarity(a, b):
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) / temperature

    for i, view in enumerate(views):
        others = sum(math.exp(similarity(view, views[k])) for k in range(2 * n) if k != i)
        total -= math.log(math.exp(similarity(view, views[(i + n) % (2 * n)])) / others)
    return total / (2 * n)


@given(st.integers(1, 6), st.sampled_from([0.1, 0.2, 1.0]), st.integers(0, 99))
def test_nt_xent_is_the_papers_sum(n, temperature, seed):
    first, second = tensors(n, 5, seed=seed), tensors(n, 5, seed=seed + 100)
    expected = by_the_book(first, second, temperature)
    assert float(nt_xent(first, second, temperature)) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_length_and_order_of_the_views_do_not_matter():
    first, second = tensors(6, 5), tensors(6, 5, seed=1)
    loss = float(nt_xent(first, second, 0.2))
    assert float(nt_xent(7 * second, 0.1 * first, 0.2)) == pytest.approx(loss, rel=1e-5)


def test_matched_views_lose_less_than_shuffled_ones():
    first = tensors(6, 5)
    assert nt_xent(first, first, 0.2) < nt_xent(first, first.roll(1, 0), 0.2)


def test_one_answer_for_all_drawings_is_chance():
    import torch

    same = torch.ones(8, 5)
    assert float(nt_xent(same, same, 0.2)) == pytest.approx(math.log(15), rel=1e-5)


def test_the_recipe_compares_two_different_views(tiny_corpus):
    """Were the batch shown twice in one view, the loss would be the floor of the temperature at once."""
    import torch

    trainer = Trainer(zoo.RECIPES.get("simclr"), tiny_corpus)
    batch = trainer.batch(0)
    seen = []
    loss = trainer.objective.loss(lambda images: seen.append(images) or trainer.tower(images), batch)
    first, second = seen[0].chunk(2)
    assert not torch.equal(first, second)
    again = trainer.batch(0)
    assert torch.equal(first, again.view())
    assert torch.equal(second, again.view())
    assert loss.dtype == torch.float32


def test_the_projector_is_trained_and_not_shipped(tiny_corpus):
    trainer = Trainer(zoo.RECIPES.get("simclr"), tiny_corpus)
    before = projector(2).state_dict()
    trainer.advance()
    assert any(bool((before[key] != tensor).any()) for key, tensor in trainer.network["projector"].state_dict().items())
    assert trainer.objective.ships == {"simclr": ("tower",)}
