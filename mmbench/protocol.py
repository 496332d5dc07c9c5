"""How a score is made: a frozen, fingerprinted setting of probe, metric, trials and seed.

Where a paper and its authors' code differ (numbered D-03, D-04, ... here), a protocol has two readings:
``paper`` as printed and ``code`` as released. Both are ordinary protocols; ``Protocol.code`` leads from one to
the other, so a claim can be judged under both.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any, Literal

from mmbench.errors import UnknownName
from mmbench.registry import Registry, by_name

Reading = Literal["paper", "code"]
NO_PROBE = "none"  # the probe of a number that is only printed


@dataclass(frozen=True)
class Settings:
    """The settings of a probe. ``as_code`` holds the fields that the authors' code sets otherwise."""

    def as_code(self) -> Settings:
        return self

    def for_probe(self) -> Settings:
        """These settings without what decides the probe's input or the metric: equal ones need one probe run."""
        return self

    def for_inputs(self) -> tuple[Any, ...]:
        """What of these settings decides the probe's inputs: cells that differ in it are never solved together."""
        return ()

    def counted(self, examples: int) -> int:
        """How many of ``examples`` test examples, from the first on, the metric sees."""
        return examples


@dataclass(frozen=True)
class PrintedSettings(Settings):
    """A number that a paper prints and no probe of ours makes (a count, a cited score)."""


@dataclass(frozen=True)
class Protocol:
    """One way of making a score.

    ``metric`` judges single-label datasets, ``multilabel_metric`` those with several labels. ``trials`` counts
    draws, or seeds where the probe trains. All draws come from one training pool. The spread over trials, which is what
    papers print too, is that of draws from this pool; intervals of measured cells are for fresh ones (``Probe.pool``).
    ``layer`` is the encoder's layer whose features are probed.
    """

    name: str
    probe: str
    settings: Settings
    metric: str = "accuracy"
    multilabel_metric: str | None = None
    trials: int = 1
    seed: int = 0
    reading: Reading = "paper"
    layer: str = "output"

    @property
    def printed_only(self) -> bool:
        """Whether no probe of ours makes the number: papers print it."""
        return self.probe == NO_PROBE

    def over(self, **axes: tuple[Any, ...]) -> tuple[Protocol, ...]:
        """This protocol at every combination of the named settings: ``FEW_SHOT.over(shots=(1, 5, 10))``."""
        combos = itertools.product(*axes.values())
        return tuple(self.at(**dict(zip(axes, combo, strict=True))) for combo in combos)

    def at_layer(self, layer: str) -> Protocol:
        """This protocol on the features of another layer of the encoder."""
        return dataclasses.replace(self, name=f"{self.name}@{layer}", layer=layer)

    def at(self, **changed: Any) -> Protocol:
        """This protocol with some settings changed and the values appended to its name.

        Raises UnknownName for a setting that its probe does not have.
        """
        known = [field.name for field in dataclasses.fields(self.settings)]
        for setting in changed:
            if setting not in known:
                raise UnknownName(f"setting of protocol {self.name}", setting, known)
        name = "_".join([self.name, *(str(value) for value in changed.values())])
        return dataclasses.replace(self, name=name, settings=dataclasses.replace(self.settings, **changed))

    def __hash__(self) -> int:
        # The generated hash walks every setting; claims look cells up by the thousand, and names tell protocols apart.
        return hash(self.name)

    @functools.cached_property
    def code(self) -> Protocol | None:
        """The ``code`` reading of this protocol, or None where paper and code agree."""
        settings = self.settings.as_code()
        if self.reading == "code" or settings == self.settings:
            return None
        return dataclasses.replace(self, settings=settings, reading="code")

    def fingerprint(self) -> str:
        """Sixteen hex digits of a SHA-256 over every field but the name: change a setting and nothing old is reused."""
        return self._fingerprint

    @functools.cached_property
    def _fingerprint(self) -> str:
        fields = dataclasses.asdict(self) | {"settings_type": type(self.settings).__name__}
        del fields["name"]
        if self.layer == "output":  # as before there were layers, so that older records can be compared
            del fields["layer"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


class Roles(tuple[str, ...]):
    """Model roles in the order in which a probe takes them; what several mean is the probe's to say.

    ``Roles("clip", "clip_t")`` reads ``clip+clip_t`` wherever it is shown. Nothing parses that text.
    """

    __slots__ = ()

    def __new__(cls, *names: str) -> Roles:
        return super().__new__(cls, names)

    @classmethod
    def of(cls, models: Models) -> Roles:
        """One role, or several, as Roles."""
        return models if isinstance(models, Roles) else cls(models)

    def __getnewargs__(self) -> tuple[str, ...]:  # so that it can be copied and sent to workers
        return tuple(self)

    def __str__(self) -> str:
        return "+".join(self)

    def __repr__(self) -> str:
        return f"Roles({', '.join(map(repr, self))})"


Models = str | Roles


@dataclass(frozen=True)
class Cell:
    """Protocol x models x dataset: the unit that is measured and stored once.

    ``models`` are roles in the order in which the probe takes them (one role may be given as a string). ``dataset`` is
    a role.
    """

    protocol: Protocol
    models: Roles
    dataset: str

    def __init__(self, protocol: Protocol, models: Models, dataset: str) -> None:
        object.__setattr__(self, "protocol", protocol)
        object.__setattr__(self, "models", Roles.of(models))
        object.__setattr__(self, "dataset", dataset)

    def __hash__(self) -> int:
        # as that of a protocol, and without another call: claims look cells up by the hundred thousand
        return hash((self.protocol.name, self.models, self.dataset))

    @property
    def measured(self) -> Cell:
        """The cell that must be measured to know this one's number."""
        return self

    def __str__(self) -> str:
        return f"{self.protocol.name}[{self.models}, {self.dataset}]"


class ChanceCell(Cell):
    """The chance level of a cell: what the best answer that ignores the input scores, in the cell's metric and unit.

    It is known with the cell's scores (``Scores.chance``), and taken as fixed, as the labels of the test are.
    """

    @property
    def measured(self) -> Cell:
        return Cell(self.protocol, self.models, self.dataset)

    def __str__(self) -> str:
        return f"chance of {self.measured}"


PROTOCOLS: Registry[Protocol] = Registry("protocol", package="mmbench.probes", group="mmbench.protocols", order=by_name)
PRINTED = Protocol("printed", NO_PROBE, PrintedSettings(), trials=1)  # no probe makes it, so it is in no registry
