"""Specifications as a person writes them, for models and datasets alike: one reader of the parts and the options.

    SCHEME:NAME[@FILE][?OPTION=VALUE&...][#FRAGMENT]

Interface (standard library and ``mmbench.errors`` alone):

``split(text, marks="@#")``
    The parts of a specification, none of them checked. A mark that is not in ``marks`` is an ordinary character of the
    name, as in ``hf_dataset:ORG/NAME@COMMIT`` (``marks=""``). ``Parts.scheme`` is "" where no colon is written.
``read_options(owner, query, values, known=..., needs=..., form=...)``
    The options of ``OPTION=VALUE&OPTION=VALUE`` as a dict of strings in the order written, each checked. ``owner``
    begins every message: ``"model 'timm:x?size=big'"``, ``"dataset spec 'coco:x'"``. ``values`` says what an option
    may be; an option without an entry may be any text. ``known`` lists the options that exist (None: any name passes,
    for ``require_known`` to check later). ``needs`` lists those that must be given, with ``form`` as the way to write
    them. ``note`` says how a value with an ``&`` is written, where there is a way.
``require_known(owner, names, known)``
    The check of ``known`` alone.
``whole(digits)``, ``choice(*names)``, ``FLAG``, ``matching(pattern, words)``, or a ``Value`` of one's own
    What an option may be. ``Value.require(owner, key, text)`` raises when it is not.

``as_path(text)``, ``relative_to(folder)``
    The path that a specification names, from the folder of the lineup that holds the specification.

Every error is a BadSpec that begins with ``owner`` and names the option, what was expected and what was found; an
unknown option gets the nearest known ones.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mmbench.errors import BadSpec, UnknownName


@dataclass(frozen=True)
class Parts:
    """A specification taken apart. ``marked`` are the marks that were written: an empty part is not a missing one."""

    scheme: str
    name: str
    file: str = ""
    query: str = ""
    fragment: str = ""
    marked: str = ""


@dataclass(frozen=True)
class Value:
    """What an option may be: ``words`` complete the sentence "OPTION is ...", ``fits`` decides."""

    words: str
    fits: Callable[[str], bool]

    def require(self, owner: str, key: str, text: str) -> str:
        """``text`` if it fits; else raises BadSpec."""
        if not self.fits(text):
            raise BadSpec(f"{owner}: {key} is {self.words}, not {text!r}")
        return text


def whole(digits: int = 9) -> Value:
    """A number of at most ``digits`` digits, without a sign."""
    return Value("a whole number", lambda text: text.isascii() and text.isdigit() and len(text) <= digits)


def choice(*names: str) -> Value:
    return Value(f"one of {', '.join(names)}", lambda text: text in names)


def matching(pattern: str, words: str) -> Value:
    """A text that the regular expression ``pattern`` matches as a whole."""
    return Value(words, lambda text: re.fullmatch(pattern, text) is not None)


FLAG = Value("0 or 1", lambda text: text in ("0", "1"))


def split(text: str, marks: str = "@#") -> Parts:
    """The parts of ``text``; ``@`` and ``#`` count where they are in ``marks``, ``?`` and the first ``:`` always."""
    rest, file, fragment, marked = text, "", "", ""
    if "#" in marks and "#" in rest:
        rest, _, fragment = rest.partition("#")
        marked += "#"
    rest, _, query = rest.partition("?")
    if "@" in marks and "@" in rest:
        rest, _, file = rest.partition("@")
        marked += "@"
    scheme, colon, name = rest.partition(":")
    if not colon:
        scheme, name = "", rest
    return Parts(scheme, name, file, query, fragment, marked)


def read_options(
    owner: str,
    query: str,
    values: Mapping[str, Value],
    *,
    known: Collection[str] | None = None,
    needs: Collection[str] = (),
    form: str = "",
    note: str = "",
) -> dict[str, str]:
    """The options that ``query`` gives, in its order; raises BadSpec for one that cannot be (see the module's text)."""
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        key, equals, value = part.partition("=")
        if not equals or not key or not value or key in options:
            raise BadSpec(f"{owner}: {part!r} is not OPTION=VALUE, given once" + (f"; {note}" if note else ""))
        options[key] = value
    if known is not None:
        require_known(owner, options, known, note)
    if lacking := [key for key in needs if key not in options]:
        raise BadSpec(f"{owner} lacks {lacking[0]}=...; write {form}")
    for key, value in options.items():
        if key in values:
            values[key].require(owner, key, value)
    return options


_FOLDER: ContextVar[Path | None] = ContextVar("folder of the lineup", default=None)
_WRITTEN = re.compile("%(23|25|26|28|29|2C|3F|40)", re.IGNORECASE)  # # % & ( ) , ? @
IN_A_PATH = "in a path write ? as %3F, & as %26, # as %23 and @ as %40"


@contextlib.contextmanager
def relative_to(folder: Path | None) -> Iterator[None]:
    """Inside this block relative paths begin at ``folder``; None: at the current folder."""
    before = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(before)


def as_path(text: str) -> Path:
    """The path that a specification names: ``~`` is expanded, and a relative one begins as ``relative_to`` says.

    Characters that a specification gives a meaning are written as in web addresses (``IN_A_PATH``), unless a file of
    the very name exists. Raises BadSpec for the home folder of nobody.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise BadSpec(f"{text!r} is no path: {error} Write the folder in full") from None
    path = path if path.is_absolute() or _FOLDER.get() is None else Path(_FOLDER.get() or "") / path
    if _WRITTEN.search(text) and not _is_there(path):
        return Path(_WRITTEN.sub(lambda found: unquote(found[0]), str(path)))
    return path


def placed(text: str, *, name: bool = False) -> str:
    """``text``, a path, as an absolute one inside ``relative_to``; else as it is.

    With ``name`` it may also be a name of something else: then it is a path where something lies there.
    """
    if _FOLDER.get() is None or (name and not _is_there(as_path(text))):
        return text
    return str(as_path(text))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def require_known(owner: str, names: Collection[str], known: Collection[str], note: str = "") -> None:
    """Raise BadSpec for the first of ``names`` that is not in ``known``, with the nearest of those.

    ``note`` is added where the name looks like part of a value: no option is written so.
    """
    for name in names:
        if name not in known:
            more = f" Was it part of a value? Then {note}." if note and not name.isidentifier() else ""
            raise BadSpec(f"{owner}: {UnknownName('option', name, known)}{more}")
