"""A sweep over epsilons: laws, known answers, less work than it seems, and foolbox's attacks on the same network."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.attacks.pgd import Threat, pgd, random_change
from mmbench.attacks.sweep import Sweep, has_gradient, losses_by_step, shifted_targets, sweep
from mmbench.errors import BadSpec, NoGradients

NORMS = ("l2", "linf")
EPSILONS = {"l2": (0.0, 0.05, 0.2, 0.5, 1.5), "linf": (0.0, 0.003, 0.01, 0.03, 0.1)}
SIDE, CLASSES, N = 6, 4, 30


def drawn(seed, n=N):
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.uniform(0.2, 0.8, (n, 3, SIDE, SIDE)))
    return images, network()(images).argmax(dim=1), rng


def network(seed=0):
    """A small network in float64 that treats each image alone."""
    rng = np.random.default_rng(seed)
    first, second = (torch.from_numpy(rng.standard_normal(shape)) for shape in ((3 * SIDE * SIDE, 16), (16, CLASSES)))
    return lambda images: ((images - 0.5).flatten(1) @ first).tanh() @ second


def begun(images, norm, seed=0):
    return random_change(images, Threat(norm, 1.0), torch.Generator().manual_seed(seed))


def run(images, labels, norm, *, logits=None, steps=10, seed=0, epsilons=None, **how):
    plan = Sweep(norm, epsilons or EPSILONS[norm], steps, 2.5 / max(steps, 1))
    return sweep(logits or network(), images, labels, plan, begun(images, norm, seed), **how)


def wrong(rng, labels):
    return (labels + torch.from_numpy(rng.integers(1, CLASSES, size=len(labels)))) % CLASSES


@pytest.mark.parametrize("norm", NORMS)
@given(seed=st.integers(0, 999), targeted=st.booleans(), steps=st.integers(0, 6))
@settings(max_examples=12, deadline=None)
def test_success_never_falls_and_each_success_is_an_image_of_its_ball(norm, seed, targeted, steps):
    images, labels, rng = drawn(seed)
    labels = torch.where(torch.from_numpy(rng.random(N) < 0.2), (labels + 1) % CLASSES, labels)  # some clean errors
    targets = wrong(rng, labels) if targeted else None
    found = run(images, labels, norm, steps=steps, seed=seed, targets=targets, keep_images=True)
    assert all(bool((less <= more).all()) for less, more in itertools.pairwise(found.broken))
    for level, epsilon in enumerate(EPSILONS[norm]):
        changed = found.images[level]
        change = (changed - images).flatten(1)
        far = change.norm(dim=1) if norm == "l2" else change.abs().amax(dim=1)
        assert float(far.max()) <= epsilon * (1 + 1e-9) + 1e-12
        assert 0 <= float(changed.min()) <= float(changed.max()) <= 1
        seen = network()(changed).argmax(dim=1)
        assert torch.equal(seen, found.classes[level])
        assert torch.equal(found.broken[level], seen != labels if targets is None else seen == targets)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("targeted", [False, True])
def test_an_attack_that_never_succeeds_is_that_of_pgd_and_others_stop_at_their_first_success(norm, targeted):
    images, labels, rng = drawn(1)
    targets = wrong(rng, labels) if targeted else None
    found = run(images, labels, norm, targets=targets, rule="alone", keep_images=True)
    failed = 0
    for level, epsilon in enumerate(EPSILONS[norm]):
        start = begun(images, norm) * epsilon
        how = {"norm": norm, "epsilon": epsilon, "start": start, "targets": targets, "step_size": 0.25 * epsilon}
        whole = pgd(network(), images, labels, steps=10, **how)
        seen = network()(whole).argmax(dim=1)
        at_the_end = seen != labels if targets is None else seen == targets
        left = ~found.broken[level]
        assert not bool((at_the_end & left).any())
        torch.testing.assert_close(found.images[level][left], whole[left], rtol=0, atol=1e-12)
        for row in found.broken[level].nonzero()[:3, 0].tolist():
            stops = [pgd(network(), images, labels, steps=k, **how)[row] for k in range(11)]
            classes = network()(torch.stack(stops)).argmax(dim=1)
            first = int((classes != labels[row] if targets is None else classes == targets[row]).nonzero()[0, 0])
            torch.testing.assert_close(found.images[level][row], stops[first], rtol=0, atol=1e-12)
        failed += int(left.sum())
    assert 0 < failed < found.broken.numel()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("rule", ["halving", "all", "alone"])
def test_neither_batches_nor_images_beside_nor_their_order_change_what_is_found(norm, rule):
    images, labels, _ = drawn(2)
    whole = run(images, labels, norm, rule=rule, most_pairs=1000)
    few = run(images, labels, norm, rule=rule, most_pairs=7)
    assert torch.equal(few.classes, whole.classes)
    assert torch.equal(few.broken, whole.broken)
    order = torch.from_numpy(np.random.default_rng(0).permutation(N))
    plan, starts = Sweep(norm, EPSILONS[norm], 10, 0.25), begun(images, norm)
    moved = sweep(network(), images[order], labels[order], plan, starts[order], rule=rule, most_pairs=11)
    assert torch.equal(moved.classes, whole.classes[:, order])


@pytest.mark.parametrize("norm", NORMS)
def test_with_the_rule_all_what_is_broken_follows_from_single_attacks(norm):
    images, labels, _ = drawn(3)
    whole = run(images, labels, norm, rule="all")
    for level in range(1, len(EPSILONS[norm])):
        alone = run(images, labels, norm, rule="alone", epsilons=EPSILONS[norm][level : level + 1])
        own = run(images, labels, norm, rule="alone").broken
        assert torch.equal(alone.broken[0], own[level])
        assert torch.equal(whole.broken[level], own[: level + 1].any(dim=0))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("targeted", [False, True])
def test_halving_loses_next_to_nothing_and_works_less(norm, targeted):
    """A failure at a larger epsilon is taken for one at smaller ones: of 300 images, below 1 % of pairs differ."""
    images, labels, rng = drawn(11, 300)
    targets, seen = wrong(rng, labels) if targeted else None, [0]

    def counted(given):
        seen[0] += len(given)
        return network()(given)

    whole = run(images, labels, norm, rule="all", targets=targets, logits=counted).broken
    work, seen[0] = seen[0], 0
    halved = run(images, labels, norm, targets=targets, logits=counted).broken
    assert not bool((halved & ~whole).any())
    assert float((halved != whole).double().mean()) < 0.01
    assert seen[0] < 0.8 * work


@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_classifier_the_smallest_attack_is_the_margin_over_the_norm_of_the_weights(norm, dual, targeted):
    """Two classes: the nearest point of the boundary is ``|margin| / ||w||`` away, in the dual norm (closed form)."""
    rng = np.random.default_rng(5)
    images = torch.from_numpy(rng.uniform(0.4, 0.6, (200, 3, SIDE, SIDE)))
    weight = torch.from_numpy(rng.standard_normal((2, 3 * SIDE * SIDE)))
    logits = lambda given: (given - 0.5).flatten(1) @ weight.T  # noqa: E731
    margins = logits(images)[:, 0] - logits(images)[:, 1]
    labels = (margins < 0).long()
    smallest = margins.abs() / float((weight[0] - weight[1]).norm(p=dual))
    epsilons = tuple(float(q) for q in smallest.quantile(torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64)))
    found = run(
        images, labels, norm, logits=logits, steps=40, epsilons=epsilons, targets=1 - labels if targeted else None
    )
    for level, epsilon in enumerate(epsilons):
        clear = (smallest - epsilon).abs() > 0.01 * epsilon
        assert float(clear.float().mean()) > 0.9
        assert torch.equal(found.broken[level][clear], (smallest < epsilon)[clear])


def test_work_stops_where_the_answer_is_known():
    images, labels, _ = drawn(4)
    seen = [0]

    def counted(given):
        seen[0] += len(given)
        return network()(given)

    steps, epsilons = 10, EPSILONS["linf"]
    run(images, labels, "linf", logits=counted, rule="alone")
    alone, seen[0] = seen[0], 0
    found = run(images, labels, "linf", logits=counted)
    assert seen[0] <= alone < 0.6 * N * len(epsilons) * (steps + 1)
    seen[0] = 0
    run(images, (labels + 1) % CLASSES, "linf", logits=counted)  # all are broken from the start
    assert seen[0] == N
    seen[0] = 0
    unbroken = ~found.broken[1]
    run(images[unbroken], labels[unbroken], "linf", logits=counted, epsilons=epsilons[1:2])
    # the clean image, then each step's logits and those of its end: no second forward pass
    assert seen[0] == int(unbroken.sum()) * (1 + steps + 1) or bool(unbroken.any()) is False
    assert bool(unbroken.any())


def test_an_image_whose_loss_is_flat_is_given_up_and_said_to_be_stuck():
    images, labels, _ = drawn(6)

    def flat(given):
        """A gradient for the first pixel's neighbours only of images that are dark there; saturated for others."""
        x = (given[:, 0, 0, 0] - 0.9).clamp(min=0)  # images lie below 0.8: no slope
        return torch.stack((x, 0 * x + 1.0), dim=1)

    labels = torch.ones(N, dtype=torch.int64)
    found = run(images, labels, "linf", logits=flat, epsilons=(0.001, 0.01))
    assert bool(found.stuck.all())
    assert not bool(found.broken.any())
    assert not bool(has_gradient(flat, images, labels).any())
    assert bool(has_gradient(network(), images, network()(images).argmax(dim=1)).all())
    assert not bool(run(images, network()(images).argmax(dim=1), "linf").stuck.any())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("targeted", [False, True])
def test_losses_by_step_are_those_of_pgd(norm, targeted):
    images, labels, rng = drawn(7)
    targets = wrong(rng, labels) if targeted else None
    epsilon = EPSILONS[norm][2]
    how = Sweep(norm, (epsilon,), 6, 0.25)
    found = losses_by_step(network(), images, labels, how, begun(images, norm), targets)
    assert found.shape == (7, N)
    for step in (0, 3, 6):
        changed = pgd(
            network(), images, labels, norm=norm, epsilon=epsilon, steps=step, step_size=0.25 * epsilon,
            start=begun(images, norm) * epsilon, targets=targets,
        )  # fmt: skip
        wanted = labels if targets is None else targets
        expected = torch.nn.functional.cross_entropy(network()(changed), wanted, reduction="none")
        torch.testing.assert_close(found[step], expected, rtol=0, atol=1e-9)
    rising = found.mean(dim=1) if targets is None else -found.mean(dim=1)
    assert all(float(more) >= float(less) for less, more in itertools.pairwise(rising))


def test_images_that_take_no_further_step_are_classified_without_a_graph():
    """A backward pass pays for every image of its batch."""
    images, labels, _ = drawn(3)
    graphs, steps = [], 4

    def logits(batch):
        graphs.append((len(batch), batch.requires_grad))
        return network()(batch)

    how = Sweep("linf", (0.001, 0.03), steps)  # those that break at the larger one make room, so steps differ
    found = sweep(logits, images, labels, how, begun(images, "linf"), rule="alone", most_pairs=N)
    failed, pairs = int((~found.broken).sum()), found.broken.numel()
    assert 0 < int(found.broken.sum()) < pairs / 2
    without = sum(n for n, graph in graphs if not graph)
    assert failed <= without <= pairs
    assert sum(n for n, graph in graphs if graph) <= steps * pairs


def test_targets_are_those_of_the_released_code():
    labels = torch.tensor([0, 199, 200, 999])
    assert shifted_targets(labels, 1000).tolist() == [800, 999, 0, 799]
    assert shifted_targets(torch.tensor([0, 1, 2]), 3).tolist() == [2, 0, 1]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("targeted", [False, True])
def test_foolbox_succeeds_as_often(norm, targeted):
    """On the same network, with other random starts: the difference of rates lies within its 95 % interval."""
    foolbox = pytest.importorskip("foolbox")
    n, steps = 150, 20
    images, labels, rng = drawn(8, n)
    images = images.float()
    inner = network()

    class Module(torch.nn.Module):
        def forward(self, given):
            return inner(given.double()).float()

    module = Module().eval()
    labels = module(images).argmax(dim=1)
    targets = wrong(rng, labels)
    kind = foolbox.attacks.LinfPGD if norm == "linf" else foolbox.attacks.L2PGD
    criterion = (
        foolbox.criteria.TargetedMisclassification(targets) if targeted else foolbox.criteria.Misclassification(labels)
    )
    epsilons = EPSILONS[norm][1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # foolbox's own
        attack = kind(rel_stepsize=2.5 / steps, steps=steps, random_start=True)
        model = foolbox.PyTorchModel(module, bounds=(0, 1))
        torch.manual_seed(0)
        *_, theirs = attack(model, images, criterion, epsilons=epsilons)
    ours = run(
        images, labels, norm, logits=module, steps=steps, epsilons=epsilons, targets=targets if targeted else None,
        rule="alone",
    ).broken  # fmt: skip
    assert 0.05 < float(theirs.float().mean()) < 0.95
    for own, other in zip(ours.double(), theirs.double(), strict=True):
        difference = own - other
        assert abs(float(difference.mean())) <= 1.96 * float(difference.std()) / n**0.5 + 0.02
    # stopping at the first success and the rule for larger epsilons only add to it, and little
    ruled = run(
        images, labels, norm, logits=module, steps=steps, epsilons=epsilons, targets=targets if targeted else None
    )
    assert 0 <= float(ruled.broken.double().mean() - ours.double().mean()) < 0.02


@pytest.mark.parametrize(
    ("epsilons", "message"),
    [
        ((), "a sweep needs at least one epsilon, got none"),
        ((0.1, -0.2), "the epsilon of an attack must be 0 or more, got -0.2; pixels lie in [0, 1]"),
        ((0.1, float("nan")), "the epsilon of an attack must be 0 or more, got nan; pixels lie in [0, 1]"),
        ((0.1, float("inf")), "the epsilon of an attack must be 0 or more, got inf; pixels lie in [0, 1]"),
        ((0.2, 0.1), "the epsilons of a sweep must rise, each above the one before it; got [0.2, 0.1]; sort them and "
                     "name each once"),
        ((0.1, 0.1), "the epsilons of a sweep must rise, each above the one before it; got [0.1, 0.1]; sort them and "
                     "name each once"),
    ],
)  # fmt: skip
def test_epsilons_that_cannot_be_are_refused(epsilons, message):
    with pytest.raises(BadSpec) as found:
        Sweep("linf", epsilons)
    assert str(found.value) == message


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"norm": "l1"}, "the norm of an attack is 'l2' or 'linf', not 'l1'"),
        ({"steps": -1}, "an attack takes 0 or more steps, got -1"),
        ({"relative_step": 0.0}, "the relative step of an attack must be above 0, got 0.0"),
    ],
)
def test_other_settings_that_cannot_be_are_refused(how, message):
    with pytest.raises(BadSpec) as found:
        Sweep(**({"norm": "linf", "epsilons": (0.1,)} | how))
    assert str(found.value) == message


def test_targets_that_are_labels_and_models_without_gradients_are_refused():
    images, labels, _ = drawn(9, 4)
    with pytest.raises(BadSpec) as found:
        run(images, labels, "linf", targets=torch.where(torch.arange(4) < 3, labels, (labels + 1) % CLASSES))
    assert str(found.value) == (
        "3 of 4 targets are the labels of their images, which are no attack; name another class for each"
    )
    with pytest.raises(BadSpec, match=r"with 1 classes a target of 0\.8 x classes further on is the label itself"):
        shifted_targets(torch.zeros(2, dtype=torch.int64), 1)
    with pytest.raises(NoGradients) as found:
        run(images, labels, "linf", logits=lambda given: network()(given.detach()))
    assert str(found.value).startswith("an attack needs gradients from logits to pixels, and these logits have none;")
    with pytest.raises(BadSpec, match=r"expected pixels in \[0, 1\], got values from 1"):
        run(images + 1.0, labels, "linf")
    with pytest.raises(BadSpec, match="losses by step are those of one epsilon"):
        losses_by_step(network(), images, labels, Sweep("linf", (0.1, 0.2)), begun(images, "linf"))


def test_the_images_given_stay_as_they_are_and_weights_gather_no_gradients():
    images, labels, _ = drawn(10, 5)
    kept = images.clone()
    layer = torch.nn.Linear(3 * SIDE * SIDE, CLASSES).double()
    run(images, labels, "l2", logits=lambda given: layer(given.flatten(1)))
    assert torch.equal(images, kept)
    assert layer.weight.grad is None


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("rule", ["halving", "all", "alone"])
def test_a_gradient_that_is_not_finite_stops_an_attack_and_is_no_success(norm, rule):
    """Else a step along it makes pixels that are no numbers, whose class counts as wrong."""
    images, labels, _ = drawn(0)

    def logits(given):
        return network()(given) + (given.flatten(1) * 0.0).square().sum(dim=1, keepdim=True).sqrt()

    found = run(images, labels, norm, logits=logits, rule=rule)
    again = run(images, labels, norm, steps=0, rule=rule)  # the random start alone
    assert torch.equal(found.broken, again.broken)
    assert bool((found.stuck.any(dim=0) | found.broken[-1]).all())
    assert not bool(has_gradient(logits, images, labels).any())
