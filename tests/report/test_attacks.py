"""The figure of success against epsilon, and the section that says whether attacks worked."""

import pytest

from mmbench.probes.attack_checks import ALONE, LOSSES, NO_GRADIENT, TRANSFER
from mmbench.probes.attack_sweep import FIGURE, JUDGED, NOISE, TARGETED, UNTARGETED, at_all
from mmbench.report.attack_checks import attack_checks_of
from mmbench.report.attack_figure import PANELS, attack_figures, lines_of
from mmbench.report.figures import figures_of
from mmbench.report.render import render_html, render_markdown

from ..made_records import cell as made_cell
from ..made_records import verdict


def part(protocol, mean, model="clip", **rest):
    found = made_cell(model, "imagenet", mean, protocol=protocol.name, probe=protocol.probe, **rest)
    return found.model_copy(update={"fingerprint": protocol.fingerprint()})


def swept(model="clip", attack=50.0, noise=10.0, **rest):
    """Success that rises with epsilon, around these means."""
    found = []
    for norm in ("linf", "l2"):
        for protocol, mean in ((UNTARGETED, attack), (TARGETED, attack / 2), (NOISE, noise)):
            for number, one in enumerate(at_all(protocol, norm, JUDGED[norm])):
                found.append(part(one, mean + number, model, **rest))
    return found


def checks(losses=(0.5, 1.0, 1.5, 2.0), no_gradient=0.0, transfer=30.0):
    middle = TRANSFER.at(norm="linf", epsilon=0.01)
    found = [part(protocol, loss) for protocol, loss in zip(LOSSES, losses, strict=True)]
    shown = part(middle, transfer).model_copy(update={"models": ("rn50", "clip")})
    return [*found, part(NO_GRADIENT, no_gradient), shown]


def alone(norm="linf", means=(40.0, 60.0)):
    return [part(one, mean) for one, mean in zip(at_all(ALONE, norm, JUDGED[norm][-2:]), means, strict=True)]


@pytest.fixture
def record(make_record):
    return lambda *cells: make_record(cells=tuple(cells))


def test_the_figure_has_four_panels_with_a_line_for_each_model_and_its_noise(record):
    given = record(*swept(), *swept("rn50", 70.0))
    panels = lines_of(given, "imagenet")
    assert tuple(panels) == PANELS
    for (norm, targeted), lines in panels.items():
        assert [line.noise for line in lines] == ([False, False] if targeted else [False, False, True, True])
        for line in lines:
            assert [point[0] for point in line.points] == list(JUDGED[norm])
    (figure,) = attack_figures(given)
    assert "untargeted L2, clip" in figure.alt
    assert all(title in figure.svg for title in ("untargeted L2", "targeted Linf", "noise of the same size"))
    assert attack_figures(given)[0].svg == figure.svg
    assert not [one for one in figures_of(given) if one.name == "attack_sweep"]
    (losses,) = figures_of(record(*swept(), *checks(), *alone()))
    assert losses.name == "attack_checks"
    assert "rpgd_loss" in losses.svg
    assert "rpgd_alone" not in losses.svg
    assert attack_figures(record()) == ()


def test_claims_stand_beside_the_figure(tmp_path, make_record):
    judged = make_record(cells=tuple(swept()), verdicts=[verdict("devillers2021-adv-ar-robust", "refuted")])
    figures = attack_figures(judged, tmp_path)
    assert figures[0].claims == ("devillers2021-adv-ar-robust",)
    for page in (render_html(judged, figures), render_markdown(judged, figures)):
        beside = page[page.index("Adversarial attacks at several epsilons") :]
        assert beside.count("The AR models are the most robust against attacks") >= 1


def test_a_sound_attack_has_no_warning_and_its_numbers(record):
    clean = part(UNTARGETED.at(norm="linf", epsilon=0.0), 7.5)
    cells = [clean, *swept(made_of={"head": "ours, linear"}), *checks(), *alone(), *alone("l2", (50.0, 50.0))]
    (found,) = attack_checks_of(record(*cells))
    assert (found.clean, found.alone) == (7.5, ((40.0, 60.0), (50.0, 50.0)))
    assert (found.success, found.noise, found.transferred, found.made_for) == (51.0, 11.0, 30.0, "rn50")
    assert found.own == 51.0
    assert found.losses == (0.5, 1.0, 1.5, 2.0)
    assert found.head == "ours, linear"
    assert found.warnings == ()
    page = render_markdown(record(*cells))
    assert "## Whether the attacks worked" in page
    assert "| ours, linear | 7.50 | 51.0 | 11.0 | 40.0, 60.0; 50.0, 50.0 |" in page
    assert '<td class="number">7.50</td>' in render_html(record(*cells))
    assert "Whether the attacks worked" not in render_html(record())


@pytest.mark.parametrize(
    ("cells", "warning"),
    [
        ([*swept(), *checks(losses=(0.5, 1.0, 0.9, 2.0))], "more steps lower the loss: gradients may be masked"),
        ([*swept(), *checks(no_gradient=12.5)],
         "the loss of 12.5 % of the images has no gradient: gradients are masked there"),
        ([*swept(noise=60.0), *checks()],
         "noise of the same size succeeds as often as the attack: gradients may be masked"),
        ([*swept(), *checks(transfer=51.0)],
         "images made for rn50 succeed as often as an attack on the model itself: gradients may be masked"),
        ([*swept(), *alone(norm="l2", means=(60.0, 50.0))],
         "attacks at a larger epsilon, each by itself, break fewer images: gradients may be masked"),
    ],
)  # fmt: skip
def test_each_sign_of_masked_gradients_is_said(cells, warning, record):
    (found,) = attack_checks_of(record(*cells))
    assert found.warnings == (warning,)


def test_the_page_says_what_the_lineup_lowers(record):
    given = record(*swept())
    lowered = {"attack_sweep": {"images": 24, "steps": 8, "epsilon": [0.0, 0.1]}}
    lineup = given.lineup.model_copy(update={"reduced": lowered})
    page = render_markdown(given.model_copy(update={"lineup": lineup}))
    said = "attack_sweep: images 24, steps 8, epsilon of 0 0.1 only."
    assert f"Lowered by this lineup: {said}" in page.replace("\\_", "_")
    assert {protocol.probe for protocol in FIGURE} == {"attack_sweep"}
