"""Where models come from: a source makes an entry of each specification that begins with its name.

A source is one entry in one file, registered where its loader is:

    SOURCES.add(ModelSource("timm", "timm:NAME[.TAG][@FILE]", entry, options={"": IMAGE_OPTIONS | WEIGHT_OPTIONS}))

A distribution adds one with an entry point in the group ``mmbench.model_sources``, whose name is the source's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mmbench.errors import BadSpec
from mmbench.models.entry import ModelEntry
from mmbench.registry import Registry
from mmbench.spec import IN_A_PATH, Value, choice, matching, require_known, whole

GROUP = "mmbench.model_sources"
IMAGE_OPTIONS = frozenset({"size", "resize", "interpolation", "fit", "pixels"})
TEXT_OPTIONS = frozenset({"pool", "token", "max_length", "unit"})
WEIGHT_OPTIONS = frozenset({"dim", "random", "sha256", "inside", "prefix", "spare"})
# What the options that sources share may be; those of one source alone are in its ``values``.
VALUES: Mapping[str, Value] = {
    "interpolation": choice("bicubic", "bilinear"),
    "fit": choice("crop", "squash", "border"),
    "pixels": choice("raw", "normalised"),
    "pool": choice("mean", "cls", "last"),
    "unit": choice("0", "1"),
    "spare": choice("0", "1"),
    **{key: whole() for key in ("size", "resize", "max_length", "dim", "random", "token")},
    "sha256": matching("[0-9a-f]{8,64}", "8 to 64 hexadecimal digits in lower case"),
}
_NOT_OF_AN_ARCHITECTURE = frozenset({"dim", "random", "sha256", "head"})


@dataclass(frozen=True)
class ModelSpec:
    """A parsed specification. ``options`` are sorted, so two spellings of one thing are equal."""

    source: str
    name: str
    tag: str = ""
    file: str = ""
    options: tuple[tuple[str, str], ...] = ()
    tower: str = ""

    def option(self, key: str, default: str = "") -> str:
        return dict(self.options).get(key, default)

    def number(self, key: str, default: int = 0) -> int:
        return int(self.option(key, str(default)))

    @property
    def seed(self) -> int | None:
        """The seed of untrained weights, or None when weights are to be read."""
        return int(self.option("random")) if self.option("random") else None

    @property
    def weights(self) -> str:
        """What names published weights: source, name and tag."""
        return f"{self.source}:{self.name}" + (f":{self.tag}" if self.tag else "")

    def with_option(self, key: str, value: str) -> ModelSpec:
        return replace(self, options=tuple(sorted({**dict(self.options), key: value}.items())))

    def architecture(self) -> str:
        """The specification without the place of its file: all that decides features but the weights."""
        kept = tuple(option for option in self.options if option[0] not in _NOT_OF_AN_ARCHITECTURE)
        return str(replace(self, file="", options=kept))

    def __str__(self) -> str:
        query = "&".join(f"{key}={value}" for key, value in self.options)
        return "".join(
            (
                f"{self.source}:{self.name}",
                self.tag and f":{self.tag}",
                self.file and f"@{self.file}",
                query and f"?{query}",
                self.tower and f"#{self.tower}",
            )
        )


@dataclass(frozen=True)
class ModelSource:
    """One source: ``form`` shows how its specifications are written, ``entry`` makes an entry of one.

    ``options`` gives the known options for each #TOWER, "" being none; a tower that is not among them is refused.
    None leaves both to ``entry``. ``tagged``: a second colon parts the name from a tag. ``values`` says what options of
    this source alone may be.
    """

    name: str
    form: str
    entry: Callable[[ModelSpec], ModelEntry]
    options: Mapping[str, frozenset[str]] | None = field(default_factory=lambda: {"": frozenset()})
    tagged: bool = False
    values: Mapping[str, Value] = field(default_factory=dict)

    def resolve(self, spec: ModelSpec) -> ModelEntry:
        """The entry of ``spec``; raises BadSpec for an option or a tower that the source does not have."""
        owner = f"model {str(spec)!r}"
        if self.options is None:
            return self.entry(spec)
        if spec.tower not in self.options:
            names = " or ".join(f"#{tower}" for tower in self.options if tower) or "no #TOWER"
            hint = f"; {IN_A_PATH}" if "/" in spec.tower else ""
            raise BadSpec(f"{owner}: {self.name} takes {names} here, not #{spec.tower}{hint}")
        require_known(owner, [key for key, _ in spec.options], self.options[spec.tower])
        return self.entry(spec)


SOURCES: Registry[ModelSource] = Registry("model source", package="mmbench.models", group=GROUP)
