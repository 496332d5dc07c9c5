"""What a record holds, as pydantic models. Every page is rendered from records.

Numbers of a cell or a verdict are in the metric's printed unit (accuracy in percent, F1 between 0 and 1). How a record
lies on disk is in ``mmbench.records.layout``; how it is read and written in ``mmbench.records.files``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mmbench.errors import MMBenchError
from mmbench.protocol import Roles
from mmbench.records.outcomes import Outcomes, as_groups, as_outcomes
from mmbench.stats import LEVEL
from mmbench.verdict.about import About
from mmbench.verdict.outcome import Outcome
from mmbench.verdict.readings import State, state_of

SCHEMA = 3


class BadRecord(MMBenchError):
    """A record that cannot be read: not JSON, of an unknown schema, or with fields that do not fit."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class CeilingPart(_Part):
    """The score, in the metric's unit, of the best answer that uses ``knows`` of each test item and nothing else."""

    knows: str
    score: float


class Binding(_Part):
    """Who plays a role: ``stand_in_for`` is what the papers used, empty when this is the thing itself.

    ``digest`` is of a model's weights, or of a dataset's content; ``identity`` all else that decides a model's features
    (architecture, layer, preprocessing, versions). None where it is unknown. ``kind`` is a model's, as in
    ``mmbench.lineups.roles.KINDS``; empty for datasets, and in records that were written before it was kept.
    ``seed_of`` is the role of which this is a further training, given by ``--mmbench-seeds``.
    ``hashed``: the run read every file that the digest is of; where False, an earlier process noted the digest of one
    of them beside its size and times. None where there is no digest, and in older records.
    ``left_out`` says how many items of a dataset could not be decoded and were left out.
    """

    role: str
    spec: str
    stand_in_for: str = ""
    note: str = ""
    credit: str = ""
    digest: str | None = None
    identity: dict[str, Any] | None = None
    ceilings: tuple[CeilingPart, ...] = ()
    kind: str = ""
    seed_of: str = ""
    hashed: bool | None = None
    left_out: str = ""


class Machine(_Part):
    """Where a run was made; no host or user name."""

    cpu: str
    cores: int | None
    os: str
    architecture: str
    python: str


class LineupPart(_Part):
    """The lineup as it was run; ``changed`` are the roles that the command line bound anew.

    ``reduced`` are, by probe, settings that the lineup lowers; ``trainings``, by training, those that it states
    otherwise than the paper.
    """

    name: str
    note: str = ""
    models: tuple[Binding, ...] = ()
    datasets: tuple[Binding, ...] = ()
    changed: tuple[str, ...] = ()
    reduced: dict[str, dict[str, Any]] = Field(default_factory=dict)
    trainings: dict[str, dict[str, Any]] = Field(default_factory=dict)


class CellPart(_Part):
    """One measured cell: means by trial, the overall mean with its 95 % interval, chance, and the seconds it took.

    ``outcomes`` are those of every trial and example, ``paired_by`` the digest of the examples that they belong to;
    None in a record of schema 1. ``made_of`` holds digests of the stages that led to them, as far as they are known.
    ``groups`` int64 ``[examples]`` or ``[examples, k]`` and ``grouped_by`` say what examples were made from, ``halves``
    are the means on random halves of the examples, for a probe that is fitted on these, ``pool`` the share of the
    training pool that a trial draws; older records lack them.
    ``seed_sd`` is the standard deviation between seeds of a training recipe on this protocol and dataset, in ``unit``,
    where a recipe made the model and the lineup has measured its seeds.
    """

    protocol: str
    probe: str
    fingerprint: str
    reading: str
    models: tuple[str, ...] = Field(min_length=1)
    dataset: str
    metric: str
    unit: str = ""
    trials: tuple[float, ...]
    mean: float
    low: float | None = None
    high: float | None = None
    chance: float
    examples: int
    seconds: float | None = None
    fresh: bool = False
    seed_sd: float | None = None
    outcomes: Annotated[Outcomes | None, BeforeValidator(as_outcomes)] = Field(None, exclude=True, repr=False)
    paired_by: str | None = None
    groups: Annotated[Outcomes | None, BeforeValidator(as_groups)] = Field(None, exclude=True, repr=False)
    grouped_by: str = ""
    halves: tuple[float, ...] | None = None
    pool: float | None = None
    made_of: dict[str, Any] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """The identity of the cell within a record, whatever its protocol is called."""
        return f"{self.fingerprint}/{self.model}/{self.dataset}"

    @property
    def model(self) -> str:
        """The roles as they are shown."""
        return str(Roles(*self.models))

    def __str__(self) -> str:
        reading = "" if self.reading == "paper" else f" ({self.reading})"
        return f"{self.protocol}[{self.model}, {self.dataset}]{reading}"


class RowPart(_Part):
    """One cell that a verdict rests on: mean and spread (standard deviation over trials or seeds) in printed units."""

    protocol: str
    fingerprint: str
    models: tuple[str, ...]
    dataset: str
    mean: float
    spread: float | None = None
    trials: int | None = None
    examples: int | None = None

    @property
    def model(self) -> str:
        """The roles as they are shown."""
        return str(Roles(*self.models))


class ComparisonPart(_Part):
    """One elementary comparison of a claim, judged by itself; ``low`` and ``high`` are one-sided 95 % bounds."""

    label: str
    outcome: Outcome
    estimate: float | None = None
    low: float | None = None
    high: float | None = None


class AboutPart(_Part):
    """What a verdict's interval speaks of: see ``mmbench.verdict.About``. Empty in records of before."""

    networks: str = ""
    examples: str = ""
    training: str = ""
    printed: str = ""
    left_out: str = ""

    def __str__(self) -> str:
        return str(About(**self.model_dump()))


class _Finding(_Part):
    """What a verdict says under one reading: see ``mmbench.verdict.Verdict``, whose fields have the same names."""

    reading: str = "paper"
    outcome: Outcome
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    point: bool = False
    truth: bool | None = None
    p_support: float | None = None
    p_refute: float | None = None
    binding: str = ""
    missing: tuple[str, ...] = ()
    settle: str = ""
    note: str = ""
    about: AboutPart = AboutPart()
    uninformative: str = ""
    at_chance: int = 0
    unit: str = ""

    @property
    def margin(self) -> str:
        """The estimate with its unit; empty without one. Records of before have no unit."""
        if self.estimate is None:
            return ""
        return f"{self.estimate:+.3g} {self.unit}".rstrip()

    @property
    def column(self) -> str:
        """Where it is counted: its outcome, or ``point`` where only the sign of printed numbers decides it."""
        return "point" if self.point else self.outcome

    @property
    def word(self) -> str:
        """The outcome in one or two words; a sign is never shown as a test."""
        return f"{self.outcome} (point)" if self.point else self.outcome


class ReadingsPart(_Part):
    """The test of the difference between two readings: see ``mmbench.verdict.Readings``."""

    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    untested: str = ""
    elsewhere: bool = False


class OtherReadingPart(_Finding):
    """The verdict on the same claim under the reading of the authors' code."""

    reading: str = "code"


class VerdictPart(_Finding):
    """One judged claim, and how it compares with the known outcome (``standing``, with the known ``reason``)."""

    claim: str
    study: str
    evidence: str
    says: str = ""
    expected: str = ""
    holm_support: float | None = None
    holm_refute: float | None = None
    standing: Literal["new", "as recorded", "drifted", "changed"] = "new"
    reason: str = ""
    rows: tuple[RowPart, ...] = ()
    parts: tuple[ComparisonPart, ...] = ()
    other_reading: OtherReadingPart | None = None
    readings: ReadingsPart | None = None

    @property
    def tested(self) -> bool:
        """Whether its outcome is that of a test: see ``is_test``."""
        return is_test(self.outcome, self.p_support, self.p_refute)

    @property
    def holm(self) -> float | None:
        """The p-value adjusted over its study (Holm): of the decided side, else the smaller; None without a test."""
        if not self.tested or self.outcome == "unmeasured" or self.holm_support is None or self.holm_refute is None:
            return None
        sides = {"supported": self.holm_support, "refuted": self.holm_refute}
        return sides.get(self.outcome, min(sides.values()))

    @property
    def fails_holm(self) -> bool:
        """Whether it is decided at its own level only, and no longer after the adjustment."""
        return self.outcome in ("supported", "refuted") and self.holm is not None and self.holm > LEVEL

    @property
    def reading_state(self) -> State | None:
        """How the verdict under the code's reading stands to this one; None where there is no other reading."""
        return state_of(self.outcome, self.other_reading.outcome) if self.other_reading else None


class TimingPart(_Part):
    """A pytest-benchmark timing of a probe on features that existed already; ``warm_up`` rounds are not counted."""

    test: str
    cell: str
    median: float
    rounds: int
    warm_up: int


class CostPart(_Part):
    """Seconds paid for one piece of work, and over how many items; what a cell took stands with the cell."""

    kind: str
    name: str
    seconds: float
    fresh: bool
    items: int = 0


class Record(_Part):
    """All that a run leaves. ``code`` was one digest of all probes, in schemas 1 and 2; now each cell has its own.

    ``encoded`` counts encoded items over all models, ``encoded_twice`` those of them that some model had encoded before
    in the same process (0 unless a stored shard was damaged meanwhile); None in a record that did not count them.
    ``lost`` are the cells that were asked for and not measured, each with the reason; empty in older records.
    """

    schema_version: int = Field(SCHEMA, alias="schema")
    label: str
    commit: str | None = None
    dirty: bool | None = None
    machine: Machine
    versions: dict[str, str]
    lineup: LineupPart
    options: dict[str, Any] = Field(default_factory=dict)
    started: str
    seconds: float
    cells: tuple[CellPart, ...] = ()
    verdicts: tuple[VerdictPart, ...] = ()
    timings: tuple[TimingPart, ...] = ()
    costs: tuple[CostPart, ...] = ()
    encoded: int = 0
    encoded_twice: int | None = None
    calibration: str | None = None
    code: str | None = None
    lost: dict[str, str] = Field(default_factory=dict)

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @property
    def stem(self) -> str:
        """The label as a file name."""
        return slug(self.label)


def is_test(outcome: str, p_support: float | None, p_refute: float | None) -> bool:
    """Whether an outcome is that of a test, which chance can decide.

    Not where there are no p-values (signs), where they are 0 and 1 (exact numbers), or where too much evidence is
    missing for any decision (unmeasured, with 1 and 1).
    """
    found = {p_support, p_refute}
    return None not in found and found != {0.0, 1.0} and not (outcome == "unmeasured" and found == {1.0})


def slug(text: str) -> str:
    """Text as a file name or an anchor: letters, digits, dashes, dots and underscores, not hidden."""
    return re.sub(r"[^\w.-]+", "_", text).lstrip(".") or "run"
