"""Further trainings of one recipe: those of a candidate's, given on the command line, and those of a lineup.

Each of the command line's plays a role of its own, ``bit_m#2``. A gate compares means over seeds; nothing else is asked
of them, and no claim names them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mmbench.errors import BadSpec
from mmbench.lineups.named import require_there
from mmbench.lineups.reader import Lineup, ModelBinding
from mmbench.protocol import Roles

OPTION = "--mmbench-seeds"


def bind_seeds(lineup: Lineup, option: str) -> Lineup:
    """The lineup with the specifications of ``ROLE=SPEC,SPEC`` as further seeds of the role, ``ROLE#2`` and so on.

    ROLE may be left out where one model role was bound by hand. Raises BadSpec for a malformed option, a role that was
    not bound by hand, and a specification that does not resolve.
    """
    role, specs = _option(lineup, option)
    models = dict(lineup.models)
    already = sum(bound.seed_of == role for bound in models.values())
    for number, spec in enumerate(specs, start=2 + already):
        name = f"{role}#{number}"
        bound = ModelBinding(name, spec, note="bound by hand", where=f"{OPTION} {option}", seed_of=role)
        bound = replace(bound, stated_kind=lineup.model(role).kind)
        if spec in (other.spec for other in models.values() if other.role == role or other.seed_of == role):
            raise BadSpec(f"{OPTION} {option!r}: {spec} plays {role} already; name each training once")
        require_there(bound)
        models[name] = bound
    return replace(
        lineup, models=models, overrides=(*lineup.overrides, *(f"{role}#{n + 2}" for n in range(len(specs))))
    )


def further_trainings(lineup: Lineup) -> set[str]:
    """The roles whose recipe an earlier role of the lineup has, played by another network."""
    first: dict[str, str] = {}
    bound = lineup.models
    return {r for r, b in bound.items() if b.recipe and first.setdefault(b.recipe, b.spec) != b.spec}


def _option(lineup: Lineup, option: str) -> tuple[str, list[str]]:
    by_hand = [text.partition("=")[0].strip() for text in lineup.overrides]
    by_hand = [role for role in dict.fromkeys(by_hand) if role in lineup.models and not lineup.models[role].seed_of]
    head, equals, tail = option.partition("=")
    role, listed = (head.strip(), tail) if equals and head.strip() in lineup.models else ("", option)
    if not role and len(by_hand) != 1:
        bound = f"{len(by_hand)} are: {', '.join(by_hand)}" if by_hand else "none is"
        raise BadSpec(
            f"{OPTION} {option!r} names no role, and of the roles of --mmbench-model {bound}; write ROLE=SPEC,SPEC"
        )
    role = role or by_hand[0]
    if role not in by_hand:
        raise BadSpec(
            f"{OPTION} {option!r}: {role} is not bound by --mmbench-model; bind its first training with "
            f"--mmbench-model {role}=SPEC"
        )
    specs = [spec.strip() for spec in listed.split(",")]
    if not all(specs):
        raise BadSpec(f"{OPTION} {option!r} has an empty specification; write ROLE=SPEC,SPEC")
    return role, specs


def first_seed(models: Roles, lineup: Lineup) -> Roles:
    """The roles with further seeds replaced by the first one."""
    bound = lineup.models
    return Roles(*((bound[role].seed_of or role) if role in bound else role for role in models))


def with_more_seeds(pairs: Iterable[tuple[Roles, str]], lineup: Lineup) -> dict[tuple[Roles, str], None]:
    """Models and datasets, each followed by the same with further seeds in the role that has some."""
    more: dict[str, list[str]] = {}
    for role, bound in lineup.models.items():
        if bound.seed_of:
            more.setdefault(bound.seed_of, []).append(role)
    found: dict[tuple[Roles, str], None] = {}
    for models, dataset in pairs:
        found[models, dataset] = None
        for role in models:
            for seed in more.get(role, ()):
                found[Roles(*(seed if each == role else each for each in models)), dataset] = None
    return found
