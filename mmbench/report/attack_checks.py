"""Whether the attacks of a record worked: one line a model, with warnings where its gradients look masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from mmbench.probes.attack_checks import ALONE_BY_NORM, LOSSES, NO_GRADIENT, CheckSettings
from mmbench.probes.attack_sweep import JUDGED, NOISE, UNTARGETED, at_all
from mmbench.protocol import Protocol, Roles
from mmbench.records.schema import CellPart, Record

FALL = 5.0  # points: one attack more or less of the two on each of 16 images is no fall
SLACK = 0.01  # nats: a mean loss that falls by less is rounding
ALL = 100.0  # percent
CLEAN = UNTARGETED.at(norm="linf", epsilon=0.0)  # no attack: the same in both norms


@dataclass(frozen=True)
class AttackCheck:
    """What is known of attacks on one model on one dataset; numbers in percent, losses in nats, None where unknown.

    ``success`` and ``noise`` are means over the judged epsilons of both norms, untargeted; they count the images that
    are wrong without an attack, of which ``clean`` is the share. ``alone`` holds, for each norm, the success at rising
    epsilons of which each is attacked by itself. ``transferred`` is the
    success of adversarial images of ``made_for`` at one epsilon, ``own`` that of an attack on the model itself there.
    ``losses`` are means after rising shares of the steps.
    """

    model: str
    dataset: str
    head: str
    clean: float | None
    success: float | None
    noise: float | None
    own: float | None
    transferred: float | None
    made_for: str
    losses: tuple[float, ...]
    no_gradient: float | None
    alone: tuple[tuple[float, ...], ...]
    warnings: tuple[str, ...]


def attack_checks_of(record: Record) -> tuple[AttackCheck, ...]:
    """One for each model and dataset with a sweep in the record, in the order of its cells."""
    cells = {(cell.fingerprint, cell.models, cell.dataset): cell for cell in record.cells}
    swept = (cell for cell in record.cells if cell.probe == "attack_sweep")
    attacked = dict.fromkeys((cell.models[0], cell.dataset) for cell in swept)
    return tuple(_check(cells, model, dataset) for model, dataset in attacked)


def reductions_of(record: Record) -> tuple[str, ...]:
    """What the lineup lowers, in words: one sentence a probe. A list holds all that is measured of a setting."""
    return tuple(
        f"{probe}: {', '.join(f'{name} {_said(value)}' for name, value in settings.items())}"
        for probe, settings in record.lineup.reduced.items()
    )


def _said(value: object) -> str:
    return f"of {' '.join(f'{one:g}' for one in value)} only" if isinstance(value, list) else str(value)


Cells = Mapping[tuple[str, tuple[str, ...], str], CellPart]


def _check(cells: Cells, model: str, dataset: str) -> AttackCheck:
    def found(protocol: Protocol) -> CellPart | None:
        return cells.get((protocol.fingerprint(), (model,), dataset))

    def mean(protocols: Sequence[Protocol]) -> float | None:
        parts = [part.mean for part in map(found, protocols) if part is not None]
        return sum(parts) / len(parts) if len(parts) == len(protocols) else None

    judged = {p: [one for norm in JUDGED for one in at_all(p, norm, JUDGED[norm])] for p in (UNTARGETED, NOISE)}
    losses = [part.mean for part in map(found, LOSSES) if part is not None]
    transfer, settings = _transferred(cells, model, dataset), LOSSES[0].settings
    assert isinstance(settings, CheckSettings)
    own = found(UNTARGETED.at(norm=settings.norm, epsilon=settings.epsilon))
    clean, flat = found(CLEAN), found(NO_GRADIENT)
    alone = [[part.mean for part in map(found, ladder) if part is not None] for ladder in ALONE_BY_NORM.values()]
    here = (cell for cell in cells.values() if cell.models == (model,) and cell.dataset == dataset)
    heads = dict.fromkeys(str(cell.made_of["head"]) for cell in here if "head" in cell.made_of)
    checked = AttackCheck(
        model,
        dataset,
        ", ".join(heads) or "unknown",
        None if clean is None else clean.mean,
        mean(judged[UNTARGETED]),
        mean(judged[NOISE]),
        None if own is None else own.mean,
        None if transfer is None else transfer.mean,
        "" if transfer is None else str(Roles(*transfer.models[:1])),
        tuple(losses) if len(losses) == len(LOSSES) else (),
        None if flat is None else flat.mean,
        tuple(tuple(ladder) for ladder in alone if ladder),
        (),
    )
    return replace(checked, warnings=tuple(_warnings(checked)))


def _transferred(cells: Cells, model: str, dataset: str) -> CellPart | None:
    """The strongest set of adversarial images that were made for another model and shown to this one."""
    shown = [
        cell
        for cell in cells.values()
        if cell.probe == "transfer" and cell.models[1:] == (model,) and cell.dataset == dataset
    ]
    return max(shown, key=lambda cell: cell.mean, default=None)


def _warnings(c: AttackCheck) -> Iterator[str]:
    if any(later < earlier - FALL for ladder in c.alone for earlier, later in pairwise(ladder)):
        yield "attacks at a larger epsilon, each by itself, break fewer images: gradients may be masked"
    if any(later < earlier - SLACK for earlier, later in pairwise(c.losses)):
        yield "more steps lower the loss: gradients may be masked"
    if c.no_gradient:
        yield f"the loss of {c.no_gradient:.3g} % of the images has no gradient: gradients are masked there"
    if c.success is not None and c.noise is not None and c.success < ALL and c.noise >= c.success:
        yield "noise of the same size succeeds as often as the attack: gradients may be masked"
    if c.own is not None and c.transferred is not None and c.own < ALL and c.transferred >= c.own:
        yield f"images made for {c.made_for} succeed as often as an attack on the model itself: gradients may be masked"
