"""Whether the settings that a lineup lowers (``[reduced.PROBE]``) are ones that the probe reads and that get lower.

A setting that nothing reads would lower nothing, and pages would say that it does.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mmbench.errors import BadSpec
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS
from mmbench.training.entry import TRAININGS

if TYPE_CHECKING:
    from mmbench.lineups import Lineup


def require_reductions(lineup: Lineup) -> None:
    """Raise UnknownName for no such probe, BadSpec for a setting that is not lowered by what the lineup gives."""
    for name, lowered in lineup.reduced.items():
        probe = PROBES.get(name)
        for setting, value in lowered.items():
            if wrong := next(_wrong(probe, setting, value), None):
                raise BadSpec(f"lineup {lineup.name}: [reduced.{name}] {setting} = {value!r}: {wrong}")


def require_training_settings(lineup: Lineup) -> None:
    """Raise UnknownName for no such training or setting, BadSpec for a value of another kind than the training's."""
    for name, stated in lineup.trainings.items():
        settings = TRAININGS.get(name).settings
        known = [field.name for field in dataclasses.fields(settings)]
        for setting, value in stated.items():
            where = f"lineup {lineup.name}: [trainings.{name}] {setting} = {value!r}"
            if setting not in known:
                raise BadSpec(f"{where}: the training has no such setting; {_instead(setting, known)}")
            registered = getattr(settings, setting)
            if not isinstance(value, type(registered)) and not (isinstance(registered, float) and type(value) is int):
                raise BadSpec(f"{where}: expected a value such as {registered!r}")


def _wrong(probe: Probe, setting: str, value: object) -> Iterator[str]:
    known = [field.name for field in dataclasses.fields(probe.settings)]
    if setting not in known:
        yield f"the probe has no such setting; {_instead(setting, probe.lowers or known)}"
    elif isinstance(value, list):
        if setting in probe.lowers:
            yield "expected one number, the most that is taken, not a list"
    elif setting not in probe.lowers:
        yield (
            f"the probe does not read it, so it would lower nothing; {_instead(setting, probe.lowers)}, or give a list "
            "of the values that are measured unasked"
        )
    elif isinstance(value, int) and value > (most := _most(probe, setting)):
        yield f"no protocol has more than {most}, so it would lower nothing; give {most} or less, or leave it out"


def _instead(setting: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(setting, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(known)}" if known else "no setting of this probe can be lowered"


def _most(probe: Probe, setting: str) -> int:
    """The largest value of the setting among the protocols of the probe and its own default."""
    of_probe: list[Any] = [p.settings for p in PROTOCOLS if p.probe == probe.name]
    return max(int(getattr(one, setting)) for one in [*of_probe, probe.settings()])
