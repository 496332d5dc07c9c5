"""Files written whole or not at all, plain files of bounded size, and digests of files that are read once.

What is noted of a file over processes stands beside its stamp. Before a decision that two things are the same, no such
note counts (``hashed_afresh``).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from mmbench.progress import progress_bar
from mmbench.words import printable

T = TypeVar("T")
TEMPORARY = ".writing-"
_JUST_NOW = 200_000_000  # nanoseconds, many ticks of a file system's clock
_ABANDONED = 24 * 3600.0  # seconds after which a temporary file of another machine is taken for left behind
BIG = 256 << 20  # bytes of a file whose hashing shows a bar; it takes about a second
_BLOCK = 1 << 20
_swept: set[tuple[Path, str]] = set()
_runs_afresh: list[int] = []  # when the run began, for each ``hashed_afresh`` block that is open in this process
_asked: list[set[Path]] = []  # the files whose stamp was asked for, for each ``asked_for`` block
_read: dict[Path, Stamp] = {}  # the files that this process has read whole, as they were


class NotPlain(OSError):
    """A folder, pipe or device in the place of a file, or a file that is larger than any of its kind."""


class Stamp(NamedTuple):
    """What changes when a file is written again: size, times of content and of status in ns, and inode.

    The time of content alone can be set back (archives and image layers do so), that of the status cannot.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class RunStamp(Stamp):
    """A stamp taken inside ``hashed_afresh``; what is written down of it says in which run (``run``).

    So no note of an earlier run holds all that it says, and a note of this run holds all that a plain stamp says.
    """

    run: int

    def _asdict(self) -> dict[str, Any]:
        return {**super()._asdict(), "run": self.run}


@contextlib.contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """``with atomic(path) as temporary``: what the block writes into ``temporary`` takes the place of ``path``.

    A reader, or a process that is killed, sees the old file or the new one and nothing between. The temporary file
    lies in the same folder, its name begins with ``TEMPORARY`` and ends like the path's, and it is removed when the
    block raises; those of processes that were killed are removed before (``sweep``). ``durable``: file and folder are
    on the disk when the block ends (fsync), which takes milliseconds; without it a power cut may cost the file or
    damage it. The folder must exist; raises OSError.
    """
    sweep(path.parent)
    temporary = path.with_name(f"{own_name()}{path.name[-24:]}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        put(temporary, path, durable=durable)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def temporary_folder(parent: Path, kind: str) -> Iterator[Path]:
    """A folder below ``parent`` whose name begins with ``kind``, removed at the end; those of killed processes too."""
    sweep(parent, kind)
    with tempfile.TemporaryDirectory(dir=parent, prefix=own_name(kind)) as folder:
        yield Path(folder)


def own_name(kind: str = TEMPORARY) -> str:
    """The beginning of a temporary name: its kind, then the machine and the process that write it."""
    return f"{kind}{_machine()}-{os.getpid()}-{os.urandom(4).hex()}-"


def sweep(folder: Path, kind: str = TEMPORARY) -> None:
    """Remove what processes that were killed left in ``folder``, the first time that this process asks.

    Only names of ``own_name``: of this machine where no such process runs, of another one when it is a day old.
    """
    if (folder, kind) in _swept:
        return
    _swept.add((folder, kind))
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(kind) and _is_abandoned(entry, kind):
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        Path(entry.path).unlink()


def _is_abandoned(entry: os.DirEntry[str], kind: str) -> bool:
    machine, _, rest = entry.name.removeprefix(kind).partition("-")
    process = rest.partition("-")[0]
    if machine == _machine() and process.isdecimal():
        return not _runs(int(process))
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


@functools.cache
def _machine() -> str:
    """What tells apart the places in which a process number means one process: start of the system, and namespace."""
    said = []
    for look in (
        lambda: Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"),
        lambda: str(Path("/proc/self/ns/pid").stat().st_ino),
    ):
        with contextlib.suppress(OSError):
            said.append(look())
    if not said:
        import platform

        said.append(platform.node())
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:8]


def open_plain(path: Path, most: int | None = None) -> BufferedReader:
    """``path`` opened for reading. Raises NotPlain for anything but a file, or one of more than ``most`` bytes.

    It never waits, as opening a pipe without a writer does. Raises OSError.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise NotPlain(f"{_KINDS.get(stat.S_IFMT(status.st_mode), 'no file')} stands there and not a plain file")
        if most is not None and status.st_size > most:
            raise NotPlain(f"it has {status.st_size:,} bytes, and no more than {most:,} are read")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_plain(path: Path, most: int) -> bytes:
    """The bytes of a plain file of at most ``most`` bytes; raises NotPlain or another OSError."""
    with open_plain(path, most) as file:
        data = file.read(most + 1)
    if len(data) > most:  # it grew, or its size was not told
        raise NotPlain(f"no more than {most:,} bytes of it are read, and it has more")
    return data


def parse_json(text: str | bytes) -> Any:
    """``json.loads``, where deep nesting is a ValueError like every other fault of the text."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_toml(data: bytes) -> dict[str, Any]:
    """A TOML document, also behind a byte order mark; every fault of it is a ValueError."""
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_whole(path: Path, text: str) -> None:
    """Put UTF-8 text at ``path``, whole or not at all where that is a file; a pipe or a device is written to.

    What UTF-8 does not have is written as an escape. Raises OSError.
    """
    data = text.encode("utf-8", "backslashreplace")
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    target = path.resolve()  # a link stays a link
    with atomic(target, durable=False) as temporary:
        temporary.write_bytes(data)


def put_new(written: Path, path: Path) -> None:
    """Give a finished file of the same folder its name; FileExistsError where the name is taken. Raises OSError.

    By a hard link, which a second writer of the name sees at once. Where the file system has none (exFAT, some network
    drives) the name is taken by an empty file first, and ``written`` takes its place.
    """
    try:
        os.link(written, path)
    except FileExistsError:
        raise
    except OSError:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        try:
            written.replace(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def set_aside(path: Path) -> None:
    """Take what stands at ``path`` out of the way: a file or a link is removed, a folder renamed. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f"{path.name}.set-aside-{os.urandom(4).hex()}"))
    else:
        path.unlink(missing_ok=True)


def put(written: Path, path: Path, *, durable: bool = True) -> None:
    """Move a finished file of the same file system to ``path`` in one step; ``durable`` as in ``atomic``."""
    if durable:
        with written.open("rb+") as file:
            os.fsync(file.fileno())
    written.replace(path)
    if durable and os.name != "nt":  # a folder cannot be opened there, and the rename is already durable
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def stamp(path: Path, *, follow: bool = True) -> Stamp:
    """The stamp of a file as it lies there now (of a link itself unless ``follow``); raises OSError."""
    status = path.stat(follow_symlinks=follow)
    for asked in _asked:
        asked.add(path)
    parts = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    if not _runs_afresh:
        return Stamp(*parts)
    found = RunStamp(*parts)
    found.run = max(_runs_afresh)
    return found


def settled(seen: Stamp) -> bool:
    """Whether a file of this stamp would show a later write by another stamp.

    A file that changed this very moment may change again within one tick of the file system's clock.
    """
    return time.time_ns() - max(seen.mtime_ns, seen.ctime_ns) > _JUST_NOW


@contextlib.contextmanager
def hashed_afresh(since: int | None = None) -> Iterator[int]:
    """Inside this block a file is read before its digest counts, whatever was noted of it; gives when the run began.

    A failing disk, a network drive and an image of a disk may change bytes without another stamp. So a decision that
    two models or datasets are the same rests on bytes that were read in its own run. ``since`` (nanoseconds since 1970;
    now by default) is when that run began: what another process of it has read since is not read again.
    """
    began = time.time_ns() if since is None else since
    _runs_afresh.append(began)
    try:
        yield began
    finally:
        _runs_afresh.remove(began)


def counts(noted_ns: int) -> bool:
    """Whether what was noted at this time (nanoseconds since 1970) counts: not inside ``hashed_afresh``, if before."""
    return not _runs_afresh or noted_ns >= max(_runs_afresh)


@contextlib.contextmanager
def asked_for() -> Iterator[set[Path]]:
    """The files whose stamp, and so perhaps whose digest, was asked for in this block."""
    asked: set[Path] = set()
    _asked.append(asked)
    try:
        yield asked
    finally:
        _asked[:] = [each for each in _asked if each is not asked]


def read_in_this_run(path: Path) -> bool:
    """Whether a digest of the file as it lies there is of bytes read in this run, and not noted by an earlier one."""
    try:
        return bool(_runs_afresh) or _read.get(path) == stamp(path)
    except OSError:
        return False


def remembered(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """``read``, called once for a file while the process lives and the file's stamp stays the same."""
    answers: dict[Path, tuple[Stamp, int, T]] = {}

    @functools.wraps(read)
    def asked(path: Path) -> T:
        seen, now = stamp(path), time.time_ns()
        if path in answers and answers[path][0] == seen and counts(answers[path][1]):
            return answers[path][2]
        answer = read(path)
        if settled(seen):
            answers[path] = seen, now, answer
            _read[path] = seen
        return answer

    return asked


@remembered
def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file; read once, as ``remembered`` says. Raises OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < BIG:
            return hashlib.file_digest(file, "sha256").hexdigest()
        hasher = hashlib.sha256()
        with progress_bar(f"reading {printable(path.name)} for its digest", size, unit="bytes") as bar:
            while block := file.read(_BLOCK):
                hasher.update(block)
                bar.advance(len(block))
        return hasher.hexdigest()
