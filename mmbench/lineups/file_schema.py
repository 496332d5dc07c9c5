"""The tables and keys that a lineup file may hold, and what is said of a mistake in one."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmbench import files
from mmbench.errors import BadSpec
from mmbench.lineups.roles import KINDS, Kind

MOST_BYTES = 1 << 24  # a larger file is not read


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Head(_Strict):
    name: str = Field(min_length=1)
    about: str = ""
    extends: str = ""
    new_roles: list[str] = []


class _Bound(_Strict):
    spec: str = Field(min_length=1)
    stand_in_for: str = ""
    note: str = ""


class _BoundModel(_Bound):
    kind: Kind | None = None
    recipe: str = ""


class _Unbound(_Strict):
    models: dict[str, str] = {}
    datasets: dict[str, str] = {}


class LineupFile(_Strict):
    """What a lineup file says (``mmbench.lineups.reader`` shows one)."""

    lineup: _Head
    models: dict[str, _BoundModel] = {}
    datasets: dict[str, _Bound] = {}
    unbound: _Unbound = _Unbound()
    reduced: dict[str, dict[str, Annotated[int, Field(ge=1)] | list[float]]] = {}
    trainings: dict[str, dict[str, int | float | str]] = {}


def read_file(path: Path) -> LineupFile:
    """What the file says. Raises BadSpec for one that is no plain TOML file, and for its first mistake."""
    try:
        raw = files.parse_toml(files.read_plain(path, MOST_BYTES))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadSpec(f"{path} is not TOML: {why}") from error
    try:
        file = LineupFile.model_validate(raw)
    except ValidationError as error:
        raise BadSpec(_first_mistake(path, error)) from None
    for table, bound, unbound in (
        ("models", file.models, file.unbound.models),
        ("datasets", file.datasets, file.unbound.datasets),
    ):
        if both := sorted(bound.keys() & unbound.keys()):
            raise BadSpec(f"{path}: {both[0]!r} stands in [{table}] and in [unbound.{table}]; keep one")
    return file


def _first_mistake(path: Path, error: ValidationError) -> str:
    first = error.errors()[0]
    *table, key = [str(step) for step in first["loc"]]
    where = f"{path}: [{'.'.join(table)}] {key}" if table else f"{path}: {key}"
    if first["type"] == "extra_forbidden":
        fields = _fields_at(table)
        near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(fields)}"
        return f"{where} is unknown; {hint}"
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "literal_error":
        return f"{where} should be one of {', '.join(KINDS)}, not {first['input']!r}"
    if first["type"] in ("model_type", "dict_type"):
        return f"{where} should be a table, not {first['input']!r}"
    return f"{where}: {first['msg']}, not {first['input']!r}"


def _fields_at(table: list[str]) -> list[str]:
    here: type[BaseModel] = LineupFile
    if table[:1] == ["lineup"]:
        here = _Head
    elif table[:1] == ["unbound"]:
        here = _Unbound
    elif table:
        here = _BoundModel if table[0] == "models" else _Bound
    return list(here.model_fields)
