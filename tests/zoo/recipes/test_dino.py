"""Self-distillation: loss, moving average and centre by hand; the teacher learns from no gradient."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from mmbench import zoo
from mmbench.zoo.frozen.loop import Trainer
from mmbench.zoo.recipes import dino


def trainer(corpus, **options):
    recipe = zoo.RECIPES.get("dino")
    options = {**recipe.options, **options}
    return Trainer(dataclasses.replace(recipe, batch=4, steps=8, warmup=2, options=options), corpus)


def by_the_book(taught, said, teacher, student):
    """The mean, over both ways and all drawings, of -sum over prototypes of P_teacher log P_student."""

    def shares(scores, temperature):
        exponents = np.exp(scores / temperature)
        return exponents / exponents.sum()

    n, losses = len(said) // 2, []
    for row in range(n):
        for mine, other in ((row, row + n), (row + n, row)):
            losses.append(-np.sum(shares(taught[other], teacher) * np.log(shares(said[mine], student))))
    return float(np.mean(losses))


def test_the_loss_is_the_papers_cross_entropy():
    import torch

    taught, said = np.random.default_rng(0).standard_normal((2, 10, 7))
    found = dino.across(torch.from_numpy(taught), torch.from_numpy(said), 0.4, 0.7)
    assert float(found) == pytest.approx(by_the_book(taught, said, 0.4, 0.7), rel=1e-6)


def test_the_moving_average_by_hand():
    import torch

    teacher, student = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    with torch.no_grad():
        for network, value in ((teacher, 1.0), (student, 3.0)):
            for parameter in network.parameters():
                parameter.fill_(value)
    dino.follow(teacher, student, 0.9)
    assert [parameter.item() for parameter in teacher.parameters()] == pytest.approx([1.2, 1.2])
    assert [parameter.item() for parameter in student.parameters()] == [3.0, 3.0]


def test_the_momentum_rises_to_one():
    rates = [dino.rising(0.99, step / 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.99)
    assert rates[50] == pytest.approx(0.995)
    assert rates[-1] == 1
    assert rates == sorted(rates)


def test_the_centre_is_a_moving_mean_of_what_is_taught(tiny_corpus):
    import torch

    run = trainer(tiny_corpus)
    teacher, head = run.network["teacher"], run.network["teacher_head"]
    seen = []
    hook = head.register_forward_hook(lambda module, given, scores: seen.append(scores))
    run.advance()
    run.advance()
    hook.remove()
    torch.testing.assert_close(head.centre, 0.09 * seen[0].mean(dim=0) + 0.1 * seen[1].mean(dim=0))
    assert not any(parameter.requires_grad for parameter in (*teacher.parameters(), *head.parameters()))


def test_the_teacher_starts_as_the_student_and_follows_it(tiny_corpus):
    """After the first step the student has moved and the teacher not; at the second the teacher follows a little."""
    import torch

    run = trainer(tiny_corpus)
    start = run.tower[0].weight.detach().clone()
    assert torch.equal(run.network["teacher"][0].weight, start)
    run.advance()
    assert torch.equal(run.network["teacher"][0].weight, start)
    moved = run.tower[0].weight.detach().clone()
    assert not torch.equal(moved, start)
    run.advance()
    momentum = dino.rising(0.97, 1 / 8)
    torch.testing.assert_close(run.network["teacher"][0].weight, momentum * start + (1 - momentum) * moved)


def test_teacher_and_centre_are_saved(tiny_corpus):
    state = trainer(tiny_corpus).state()["network"]
    assert "teacher_head.centre" in state
    assert "teacher.0.weight" in state


def test_the_first_loss_is_near_that_of_guessing(tiny_corpus):
    """Cosines with 1,024 random prototypes say little: the student's shares are flat, within its sharpening."""
    assert trainer(tiny_corpus).advance() == pytest.approx(math.log(dino.PROTOTYPES), abs=1.5)


def test_prototypes_are_the_same_for_both_and_stay(tiny_corpus):
    import torch

    run = trainer(tiny_corpus)
    drawn = run.network["head"].prototypes.clone()
    assert torch.equal(drawn, run.network["teacher_head"].prototypes)
    run.advance()
    assert torch.equal(drawn, run.network["head"].prototypes)
    torch.testing.assert_close(drawn.norm(dim=1), torch.ones(dino.PROTOTYPES))
