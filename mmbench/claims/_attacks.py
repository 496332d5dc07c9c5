"""How claims of several studies ask about attacks: the epsilons, and one form for each kind of attack."""

from __future__ import annotations

from mmbench.claims._common import SLACK_PCT
from mmbench.forms import POOLED, All, AtMost, Better, Form, On, Operand
from mmbench.probes.attack_sweep import JUDGED_ATTACKS

IMAGES = "imagenet"
ATTACKS = tuple(protocol for protocols in JUDGED_ATTACKS.values() for protocol in protocols)
GRID = (
    "each kind of attack (untargeted and targeted, L2 and Linf) is asked by itself, by the mean success over three "
    "epsilons: 0.001, 0.01 and 0.05 of the code's list in Linf, and 0.25, 0.75 and 2 in L2, whose list is not published"
)


def in_each_attack(part: Form) -> Form:
    """The part asked of each kind of attack, over its epsilons together."""
    return All(tuple(On(part, protocols=protocols) for protocols in JUDGED_ATTACKS.values()))


def harder_to_attack(one: Operand, other: Operand) -> Form:
    """Attacks succeed less often on ``one``, in each kind of attack."""
    return in_each_attack(Better(one, other, each=POOLED))


def no_harder_to_attack(one: Operand, other: Operand) -> Form:
    """Attacks succeed on ``one`` at least as often as on ``other`` less one point, in each kind of attack."""
    return in_each_attack(AtMost(other, one, slack=SLACK_PCT, each=POOLED))
