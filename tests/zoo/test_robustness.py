"""The figures of robustness on planted networks: one that sees colour, one that sees outlines, one that is fragile."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mmbench.attacks.pgd import Threat
from mmbench.zoo import robustness, sanity

COLOURS = np.array([[250, 60, 60], [60, 240, 80], [70, 80, 250], [240, 230, 60]], dtype=np.uint8)


def drawings():
    """A standing bar, a lying bar, a frame and a diagonal band, each in a colour of its own with a line of ink."""
    from mmbench.zoo.frozen import augment

    pixels = np.zeros((4, 4, 72, 72), dtype=np.uint8)
    pixels[:, :3] = COLOURS[:, :, None, None]
    rows, columns = np.mgrid[:72, :72]
    masks = [abs(columns - 36) < 12, abs(rows - 36) < 12, np.maximum(abs(rows - 36), abs(columns - 36)) > 22]
    for row, mask in enumerate([*masks, abs(rows - columns) < 12]):
        pixels[row, 3, mask] = 255
    pixels[:, :3, 30:33, 30:42] = 0
    return augment.premultiplied(pixels)


def network(features):
    import torch

    class Planted(torch.nn.Module):
        def forward(self, images):
            return features(images)

    return Planted().eval()


def by_colour(images):
    return (images * 0.25 + 0.5 - robustness.GROUND).mean(dim=(2, 3))


def by_outline(images):
    from torch.nn import functional as F

    drawn = ((images * 0.25 + 0.5 - robustness.GROUND).abs().amax(dim=1, keepdim=True) > 0.02).float()
    coarse = F.adaptive_avg_pool2d(drawn[:, :, 10:54, 10:54], 6).flatten(1)
    return coarse - coarse.mean(dim=1, keepdim=True)


@pytest.mark.parametrize("conflict", [robustness.recoloured, robustness.refilled])
@pytest.mark.parametrize(("sees", "share"), [(by_colour, 0.0), (by_outline, 1.0)])
def test_a_planted_network_shows_what_it_sees(conflict, sees, share):
    shapes = drawings()
    others = shapes.roll(1, 0)
    assert robustness.shape_share(network(sees), shapes, others, conflict(shapes, others)) == share


@pytest.mark.parametrize("conflict", [robustness.recoloured, robustness.refilled])
def test_the_silhouette_stays_and_the_colours_are_the_others(conflict):
    import torch

    shapes = drawings()
    made = conflict(shapes, shapes.roll(1, 0))
    assert torch.equal(made[:, 3], shapes[:, 3])
    place = 36 + 20, 36  # within the standing bar, on no line
    assert made[0, :3, place[0], place[1]].tolist() == pytest.approx((COLOURS[3] / 255).tolist(), abs=0.05)


def test_ink_stays_ink_and_a_flat_fill_flat():
    shapes = drawings()
    made = robustness.recoloured(shapes, shapes.roll(1, 0))
    assert float(made[0, :3, 30:33, 30:42].max()) == 0
    assert float(made[0, :3, 45:70, 26:46].flatten(1).std(dim=1).max()) < 1e-6


def test_a_drawing_in_its_own_colours_is_itself():
    import torch

    shapes = drawings()
    torch.testing.assert_close(robustness.recoloured(shapes, shapes), shapes, atol=0.01, rtol=0)


def test_a_placed_drawing_lies_in_the_middle_of_its_ground():
    import torch

    images = robustness.placed(torch.ones(1, 4, 72, 72), 44) * 0.25 + 0.5
    assert images.shape == (1, 3, 64, 64)
    assert float(images[0, :, 10:54, 10:54].min()) == pytest.approx(1)
    images[0, :, 10:54, 10:54] = robustness.GROUND
    assert float((images - robustness.GROUND).abs().max()) < 1e-6


@pytest.fixture(scope="module")
def views():
    """Two noisy views of 30 random pictures, in the middle of the range of pixels."""
    import torch

    rng = np.random.default_rng(0)
    pictures = rng.uniform(-1, 1, (30, 3, 64, 64))
    return torch.from_numpy(np.stack([pictures + 0.02 * rng.standard_normal(pictures.shape) for _ in range(2)])).float()


def fragile(scale):
    """Sees 8 x 8 means of the picture, and with ``scale`` a fine chequered pattern that no picture has."""
    import torch
    from torch.nn import functional as F

    rng = np.random.default_rng(1)
    patterns = torch.from_numpy(rng.choice([-1.0, 1.0], (3 * 64 * 64, 4))).float()

    def features(images):
        means = F.adaptive_avg_pool2d(images, 8).flatten(1) * 10
        return torch.cat((means, scale * images.flatten(1) @ patterns), dim=1)

    return network(features)


@pytest.mark.parametrize("threat", robustness.ATTACKS.values(), ids=robustness.ATTACKS.keys())
def test_a_fragile_network_is_found_out(threat, views):
    """Both find all drawings unharmed; the one that also adds up all pixels with signs falls to small changes."""
    found = []
    for tower in (fragile(0.0), fragile(1.0)):
        assert sanity.one_shot(sanity.encode(tower, views[0]), sanity.encode(tower, views[1])) == 1.0
        found.append(robustness.attacked_one_shot(tower, views, threat))
    assert found[0] == 1.0
    assert found[1] < 0.5


def test_an_epsilon_of_nothing_changes_nothing(views):
    tower = fragile(1.0)
    assert robustness.attacked_one_shot(tower, views, Threat("linf", 0.0)) == 1.0


UNTRAINED_ON = {"ar_l2": "linf", "ar_li4": "l2", "ar_li8": "l2"}
STYLISED = ("sin", "sin_in", "sin_in_fin")
HERE = set(sanity.image_models())


@pytest.fixture(scope="module")
def figures():
    """Of every third drawing: attacks on all of them take minutes."""
    data, some = sanity.unseen(), slice(None, None, 3)
    texts = {name: getattr(data, name)[some] for name in ("names", "categories", "concepts")}
    fewer = dataclasses.replace(data, drawings=data.drawings[some], views=data.views[:, some], **texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sanity, "unseen", lambda: fewer)
        return robustness.figures(sorted({"rn50", *UNTRAINED_ON, *STYLISED} & HERE))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*UNTRAINED_ON} & HERE))
def test_adversarial_models_withstand_an_attack_they_were_not_trained_on(name, figures):
    """More of what is found unharmed is found under the attack of the other norm, compared with ``rn50``."""
    kept = {
        each: figures[each][f"one_shot_{UNTRAINED_ON[name]}"] / figures[each]["one_shot"] for each in (name, "rn50")
    }
    assert kept[name] > kept["rn50"]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*STYLISED} & HERE))
def test_stylised_models_rely_on_shape(name, figures):
    assert figures[name]["shape_over_colour"] > figures["rn50"]["shape_over_colour"]
