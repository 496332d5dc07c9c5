"""The record of a run: JSON, written once, never edited. Every page is rendered from records.

The schema is versioned; a reader refuses a version that it does not know. Schema 2 added what the gate pairs by and
what tells two runs apart (outcomes, digests, identities); a record of schema 1 lacks them. Numbers of a cell or a
verdict are in the metric's printed unit (accuracy in percent, F1 between 0 and 1).
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmbench.errors import MMBenchError
from mmbench.protocol import Roles

SCHEMA = 2
READABLE = (1, 2)


class BadRecord(MMBenchError):
    """A record that cannot be read: not JSON, of an unknown schema, or with fields that do not fit."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CeilingPart(_Part):
    """The score, in the metric's unit, of one who knows ``knows`` of each test item."""

    knows: str
    score: float


class Binding(_Part):
    """Who plays a role: ``stand_in_for`` is what the papers used, empty when this is the thing itself.

    ``digest`` is of a model's weights, or of a dataset's content; ``identity`` all else that decides a model's features
    (architecture, layer, preprocessing, versions). None where it is unknown. ``kind`` is a model's, as in
    ``mmbench.lineups.roles.KINDS``; empty for datasets, and in records that were written before it was kept.
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


class Machine(_Part):
    """Where a run was made; no host or user name."""

    cpu: str
    cores: int | None
    os: str
    architecture: str
    python: str


class LineupPart(_Part):
    """The lineup as it was run; ``changed`` are the roles that the command line bound anew."""

    name: str
    note: str = ""
    models: tuple[Binding, ...] = ()
    datasets: tuple[Binding, ...] = ()
    changed: tuple[str, ...] = ()


class CellPart(_Part):
    """One measured cell: means by trial, the overall mean with its 95 % interval, chance, and what it cost.

    ``outcomes`` are those of every trial and example (mmbench.records.outcome_codec), ``paired_by`` the digest of the
    examples that they belong to. ``made_of`` holds digests of the stages that led to them, as far as they are known.
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
    outcomes: str | None = None
    paired_by: str | None = None
    made_of: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _roles(cls, raw: Any) -> Any:
        """Schemas 1 and 2 wrote joined roles as one text, ``clip+clip_t``."""
        if isinstance(raw, dict) and isinstance(raw.get("model"), str):
            return {k: v for k, v in raw.items() if k != "model"} | {"models": raw["model"].split("+")}
        return raw

    @property
    def model(self) -> str:
        """The roles as they are shown."""
        return str(Roles(*self.models))

    def __str__(self) -> str:
        reading = "" if self.reading == "paper" else f" ({self.reading})"
        return f"{self.protocol}[{self.model}, {self.dataset}]{reading}"


class VerdictPart(_Part):
    """One judged claim, as the verdict module words it, and how it stands to the known outcome."""

    claim: str
    study: str
    evidence: str
    reading: str = "paper"
    outcome: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    point: bool = False
    p_support: float | None = None
    p_refute: float | None = None
    holm_support: float | None = None
    holm_refute: float | None = None
    standing: str = "new"
    reason: str = ""
    explanation: str = ""
    details: dict[str, Any] = Field(default_factory=dict)
    other_reading: dict[str, Any] | None = None


class TimingPart(_Part):
    """A pytest-benchmark timing of a probe on features that existed already; ``warm_up`` rounds are not counted."""

    test: str
    cell: str
    median: float
    rounds: int
    warm_up: int


class CostPart(_Part):
    """Seconds paid for one piece of work, and over how many items."""

    kind: str
    name: str
    seconds: float
    fresh: bool
    items: int = 0


class Record(_Part):
    """All that a run leaves. ``code`` is the digest of the source that turns features into outcomes.

    ``encoded`` counts encoded items over all models, ``encoded_twice`` those of them that some model had encoded before
    in the same process (0 unless a stored shard was damaged meanwhile); None in a record that did not count them.
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

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @property
    def stem(self) -> str:
        """The label as a file name."""
        return slug(self.label)

    def dumps(self) -> str:
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"


def slug(text: str) -> str:
    """Text as a file name or an anchor: letters, digits, dashes, dots and underscores, not hidden."""
    return re.sub(r"[^\w.-]+", "_", text).lstrip(".") or "run"


def read_record(path: Path) -> Record:
    """The record in ``path``. Raises BadRecord naming the file and what is wrong with it."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadRecord(f"there is no record at {path}; a run of pytest benchmarks writes one") from None
    except (OSError, ValueError) as error:
        raise BadRecord(f"{path} is not a record: {error}") from error
    if not isinstance(raw, dict) or "schema" not in raw:
        raise BadRecord(f"{path} is not a record: it has no 'schema'")
    if raw["schema"] not in READABLE:
        raise BadRecord(
            f"{path} has schema {raw['schema']!r} and this mmbench reads schema {' and '.join(map(str, READABLE))}; "
            "read it with the mmbench version that wrote it"
        )
    try:
        return Record.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRecord(f"{path}, field {where}: {first['msg']}") from None


def save_record(record: Record, folder: Path) -> Path:
    """Write ``<folder>/<NNNN>_<label>.json`` under the next free number, atomically; an existing record stays."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".writing-", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(record.dumps())
            stream.flush()
            os.fsync(stream.fileno())
        number = max((int(p.name[:4]) for p in folder.glob("[0-9][0-9][0-9][0-9]_*.json")), default=0)
        while True:
            number += 1
            target = folder / f"{number:04d}_{record.stem}.json"
            # The link fails when another run has taken the number's name meanwhile; a rename would overwrite it.
            try:
                os.link(temporary, target)
            except FileExistsError:
                continue
            target.chmod(0o644)
            return target
    finally:
        Path(temporary).unlink(missing_ok=True)


def records_under(*folders: Path) -> list[Path]:
    """Record files below the folders, oldest first by number within a machine and by time between machines."""
    found = [path for folder in folders if folder.is_dir() for path in folder.rglob("[0-9][0-9][0-9][0-9]_*.json")]
    return sorted(found, key=lambda path: (path.stat().st_mtime, path.name))
