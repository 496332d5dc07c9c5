"""Lineups: a TOML file binds roles to specifications; nothing is loaded until an entry is asked for.

[lineup]
name = "mine"
about = "..."
extends = "embedded"            # optional: a lineup's name, or a path relative to this file
new_roles = ["my_model"]        # optional: roles of one's own claims that resemble a known role

[models.clip]
spec = "open_clip:RN50@my.pt"   # required
stand_in_for = "CLIP RN50"      # says that this is a stand-in, and for what
note = "..."
kind = "language"               # how it was trained, for figures; by default as the role is registered
recipe = "mine"                 # its training recipe, where it can be repeated: roles of one recipe are seeds

[datasets.cifar10]
spec = "torchvision:CIFAR10?root=data"    # relative paths begin at this file's folder; ~ and $NAME are expanded

[reduced.attack_sweep]          # optional: settings of a probe that are lowered, so that a run is short
images = 32                     # the most that is taken, of a setting that the probe reads here (Probe.lowers)
epsilon = [0.0, 0.01]           # of any other setting: the values that are measured where no claim asks

[trainings.caption_decoder]     # optional: settings of a training that are others here than the paper's
epochs = 5

[unbound.models]
virtex = "why it is not bound"   # [unbound.datasets] likewise

Beside NAME.toml may lie NAME.seeds.json, the table of seed scores that ``mmbench seeds NAME.toml`` measures; a lineup
without one has that of the lineup that it extends.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from mmbench.datasets.entry import DatasetEntry
from mmbench.errors import BadSpec, UnknownName, Unmeasured
from mmbench.lineups.file_schema import read_file
from mmbench.lineups.named import likely_role, require_there
from mmbench.lineups.roles import DATASET_ROLES, MODEL_ROLES
from mmbench.lineups.roles import Kind as RoleKind
from mmbench.models.entry import ModelEntry
from mmbench.protocol import Protocol
from mmbench.spec import relative_to

Kind = Literal["model", "dataset"]
_KNOWN = {"model": MODEL_ROLES, "dataset": DATASET_ROLES}


@dataclass(frozen=True)
class Binding:
    """A role and the specification bound to it. ``where`` names the file or option that bound it.

    ``folder`` is where the specification's relative paths begin: that of a user's lineup file, else the current one.
    """

    role: str
    spec: str
    stand_in_for: str = ""
    note: str = ""
    where: str = ""
    folder: Path | None = None

    @property
    def runs_code(self) -> bool:
        """Whether to resolve the specification runs a file of the user's: then a listing does not."""
        return os.path.expandvars(self.spec).startswith("python:")


@dataclass(frozen=True)
class ModelBinding(Binding):
    """A model's role; ``stated_kind`` is the kind that the lineup gives, or None.

    ``recipe`` names the training recipe that made the network, one that can be repeated under another seed; networks of
    one recipe are its seeds. Empty for a published checkpoint, which stands for itself alone. ``seed_of`` is the role
    of which this is a further training (``--mmbench-seeds``).
    """

    stated_kind: RoleKind | None = None
    recipe: str = ""
    seed_of: str = ""

    @property
    def kind(self) -> RoleKind:
        """How the model was trained: as the lineup states, else as the role is registered, else by its modality.

        Raises BadSpec or UnknownName where a role that is neither stated nor registered does not resolve.
        """
        if self.stated_kind is not None:
            return self.stated_kind
        if self.role in MODEL_ROLES:
            return MODEL_ROLES.get(self.role).kind
        return "text" if self.entry.modality == "text" else "unstated"

    @cached_property
    def entry(self) -> ModelEntry:
        """The entry, resolved on first use; raises BadSpec or UnknownName with role and place added."""
        from mmbench.models.specs import resolve

        with _located(self), relative_to(self.folder):
            return resolve(os.path.expandvars(self.spec))


@dataclass(frozen=True)
class DatasetBinding(Binding):
    """A dataset's role; ``skips_bad``: without its items that cannot be decoded."""

    skips_bad: bool = False

    @cached_property
    def entry(self) -> DatasetEntry:
        """The entry, resolved on first use; raises BadSpec or UnknownName with role and place added."""
        from mmbench.datasets.bad_items import without_bad_items
        from mmbench.datasets.specs import resolve

        with _located(self), relative_to(self.folder):
            found = resolve(os.path.expandvars(self.spec))
        return without_bad_items(found) if self.skips_bad else found


@dataclass(frozen=True)
class Lineup:
    """Bindings by role. ``unbound_models`` and ``unbound_datasets`` say why a role is not bound.

    ``reduced`` holds, by probe, settings that are lower here than in the protocols (``images``, ``steps``), and lists
    of the values of a setting beyond which nothing is measured unasked (``epsilon``).

    ``trainings`` holds, by training, settings that are others here than those that it is registered with.

    ``overrides`` lists the ``ROLE=SPEC`` that were bound after the file was read: recorded outcomes of this lineup do
    not apply to those roles.
    """

    name: str
    about: str = ""
    models: Mapping[str, ModelBinding] = field(default_factory=dict)
    datasets: Mapping[str, DatasetBinding] = field(default_factory=dict)
    unbound_models: Mapping[str, str] = field(default_factory=dict)
    unbound_datasets: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    seeds: Path | None = None
    reduced: Mapping[str, Mapping[str, int | list[float]]] = field(default_factory=dict)
    trainings: Mapping[str, Mapping[str, int | float | str]] = field(default_factory=dict)

    def model(self, role: str) -> ModelBinding:
        """The binding of ``role``. Raises UnknownName for no role at all, Unmeasured for a role without a binding."""
        if role in self.models:
            return self.models[role]
        raise self._absent("model", role, self.models, self.unbound_models)

    def dataset(self, role: str) -> DatasetBinding:
        """The binding of ``role``. Raises UnknownName for no role at all, Unmeasured for a role without a binding."""
        if role in self.datasets:
            return self.datasets[role]
        raise self._absent("dataset", role, self.datasets, self.unbound_datasets)

    def measures_unasked(self, protocol: Protocol) -> bool:
        """Whether the protocol is measured where no claim asks for it: its settings are in the lists of ``reduced``."""
        lists = {k: v for k, v in self.reduced.get(protocol.probe, {}).items() if isinstance(v, list)}
        return all(getattr(protocol.settings, name, None) in values for name, values in lists.items())

    def covers_model(self, role: str) -> bool:
        """Whether ``role`` is bound, or this lineup says why it is not."""
        return role in self.models or role in self.unbound_models

    def covers_dataset(self, role: str) -> bool:
        """Whether ``role`` is bound, or this lineup says why it is not."""
        return role in self.datasets or role in self.unbound_datasets

    def bind_model(self, option: str) -> Lineup:
        """This lineup with ``ROLE=SPEC`` bound. A role may be new; one that resembles a known role is refused.

        Raises BadSpec for a malformed option, a likely typing mistake in the role, or a specification that does not
        resolve, and MissingAsset where its files are not here.
        """
        role, spec = _option(option, "model", {*self.models, *self.unbound_models})
        bound = ModelBinding(role, spec, note="bound by hand", where=f"--mmbench-model {option}")
        require_there(bound)
        without = {key: why for key, why in self.unbound_models.items() if key != role}
        return replace(
            self,
            models={**self.models, role: bound},
            unbound_models=without,
            overrides=(*self.overrides, option),
        )

    def bind_dataset(self, option: str) -> Lineup:
        """This lineup with ``ROLE=SPEC`` bound for a dataset; as ``bind_model``."""
        role, spec = _option(option, "dataset", {*self.datasets, *self.unbound_datasets})
        bound = DatasetBinding(role, spec, note="bound by hand", where=f"--mmbench-dataset {option}")
        require_there(bound)
        without = {key: why for key, why in self.unbound_datasets.items() if key != role}
        return replace(
            self,
            datasets={**self.datasets, role: bound},
            unbound_datasets=without,
            overrides=(*self.overrides, option),
        )

    def skipping_bad_items(self) -> Lineup:
        """This lineup with datasets that leave out the items that cannot be decoded."""
        return replace(self, datasets={role: replace(b, skips_bad=True) for role, b in self.datasets.items()})

    def _absent(self, kind: Kind, role: str, bound: Mapping[str, Any], unbound: Mapping[str, str]) -> Exception:
        known = {*_KNOWN[kind].names(), *bound, *unbound}
        if role not in known:
            return UnknownName(f"{kind} role", role, known)
        why = unbound.get(role) or f"it has no [{kind}s.{role}]"
        return Unmeasured(
            f"{kind} role {role!r} is not bound in lineup {self.name!r}: {why}; bind it with "
            f"--mmbench-{kind} {role}=SPEC"
        )


def lineup_names() -> list[str]:
    """The lineups that come with mmbench."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.toml"))


def load_lineup(name_or_path: str | Path) -> Lineup:
    """Read a lineup that comes with mmbench, by name, or a TOML file, by path.

    Raises UnknownName for no such lineup and BadSpec naming file, table and key of the first mistake.
    """
    return _load(name_or_path, Path(), ())


def table_path(name_or_path: str | Path) -> Path:
    """Where the seed scores of a lineup's recipes belong: beside its file. Raises as ``load_lineup``."""
    return table_beside(_find(name_or_path, Path()))


def table_beside(lineup: str | Path) -> Path:
    """The table's place beside the file of a lineup, whether it is there or not."""
    return Path(lineup).with_name(f"{Path(lineup).stem}.seeds.json")


def _load(name_or_path: str | Path, base: Path, seen: tuple[Path, ...]) -> Lineup:
    path = _find(name_or_path, base)
    if path in seen:
        raise BadSpec(f"{path}: lineups extend each other in a circle: {' -> '.join(p.name for p in (*seen, path))}")
    file = read_file(path)
    parent = _load(file.lineup.extends, path.parent, (*seen, path)) if file.lineup.extends else Lineup("")
    for kind, roles in (
        ("model", [*file.models, *file.unbound.models]),
        ("dataset", [*file.datasets, *file.unbound.datasets]),
    ):
        for role in roles:
            near = None if role in file.lineup.new_roles else _mistaken(role, kind)
            if near:
                raise BadSpec(
                    f"{path}: no {kind} role is named {role!r}; did you mean {near!r}? "
                    "(a role of your own goes into new_roles of [lineup])"
                )
    folder = None if path.parent == Path(__file__).parent else path.parent  # those of mmbench hold no paths of a user
    models = {
        role: ModelBinding(role, b.spec, b.stand_in_for, b.note, str(path), folder, b.kind, b.recipe)
        for role, b in file.models.items()
    }
    datasets = {
        role: DatasetBinding(role, b.spec, b.stand_in_for, b.note, str(path), folder)
        for role, b in file.datasets.items()
    }
    seeds = table_beside(path)
    return Lineup(
        name=file.lineup.name,
        about=file.lineup.about,
        models=_merged(parent.models, models, file.unbound.models),
        datasets=_merged(parent.datasets, datasets, file.unbound.datasets),
        unbound_models=_merged(parent.unbound_models, file.unbound.models, models),
        unbound_datasets=_merged(parent.unbound_datasets, file.unbound.datasets, datasets),
        seeds=seeds if seeds.is_file() else parent.seeds,
        reduced={**parent.reduced, **file.reduced},
        trainings={**parent.trainings, **file.trainings},
    )


def _merged(parent: Mapping[str, Any], own: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """``own`` over ``parent``, without the inherited roles that the file has in ``other``."""
    return {**{role: value for role, value in parent.items() if role not in other}, **own}


def _find(name_or_path: str | Path, base: Path) -> Path:
    text = str(name_or_path)
    shipped = Path(__file__).parent / f"{text}.toml"
    if text in lineup_names():
        return shipped
    try:
        path = (base / Path(text).expanduser()).resolve()
        if path.exists():
            return path
    except (OSError, RuntimeError, ValueError) as error:  # too long, a user that is not known, a zero byte
        why = error.strerror if isinstance(error, OSError) else error
        raise BadSpec(f"there is no lineup file {text[:200]!r}: {why}") from None
    if text.endswith(".toml") or "/" in text:
        raise BadSpec(
            f"there is no lineup file {path}; give a path to a TOML file or one of: {', '.join(lineup_names())}"
        )
    raise UnknownName("lineup", text, lineup_names(), hint="Or give the path of a TOML file.")


def _mistaken(role: str, kind: str) -> str | None:
    return likely_role(role, _KNOWN[kind].names())


def _option(option: str, kind: Kind, here: set[str]) -> tuple[str, str]:
    role, equals, spec = option.partition("=")
    role, spec = role.strip(), spec.strip()
    if not (equals and role and spec):
        raise BadSpec(f"--mmbench-{kind} {option!r} is not ROLE=SPEC, such as {_example(kind)}")
    near = None if role in here else _mistaken(role, kind)
    if near:
        raise BadSpec(f"--mmbench-{kind} {option!r}: no {kind} role is named {role!r}; did you mean {near!r}?")
    return role, spec


def _example(kind: Kind) -> str:
    return "clip=open_clip:RN50:openai" if kind == "model" else "cifar10=torchvision:CIFAR10?root=DIR"


@contextlib.contextmanager
def _located(binding: Binding) -> Iterator[None]:
    """Adds role and place to an error about a specification."""
    try:
        yield
    except (BadSpec, UnknownName) as error:
        raise BadSpec(f"role {binding.role!r} in {binding.where}: {error}") from error
