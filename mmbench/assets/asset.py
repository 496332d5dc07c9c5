"""What an asset is: its name, address and declared digest, and where it lies on this machine."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from mmbench.errors import BadSpec
from mmbench.registry import Registry

WHEEL = re.compile(r"wheel:(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.!+]+)(?:/(?P<member>.+))?")
TAG = re.compile(r"(?P<implementation>[a-z]{2})(?P<python>\d+)-(?P<abi>\w+)-(?P<platform>\w+)")
HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/]+))?/(?P<path>.+)")
LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/")


@dataclass(frozen=True)
class Asset:
    """One file, by name.

    ``sha256``, ``size`` and ``magic`` (its first bytes) are those of the file that is fetched: of the wheel, for
    ``wheel:``. ``sha256`` None means unknown: the first fetch records it, and a later file must agree. ``tag`` names
    one of a wheel's builds, as the end of its file name does ("cp311-cp311-manylinux_2_28_x86_64"), where a data file
    is wanted that each build holds; empty takes the build that suits this machine.
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
        if self.url.startswith("wheel:"):
            match = WHEEL.fullmatch(self.url)
            if match is None:
                raise BadSpec(
                    f"asset {self.name!r}: {self.url!r} is not wheel:NAME==VERSION or wheel:NAME==VERSION/path"
                )
            if match["member"] is not None:
                check_member(match["member"])
            if self.tag and TAG.fullmatch(self.tag) is None:
                raise BadSpec(f"asset {self.name!r}: {self.tag!r} is not a wheel's tag, PYTHON-ABI-PLATFORM")
        elif self.url.startswith("file:"):
            if not Path(self.url.removeprefix("file:")).is_absolute():
                raise BadSpec(f"asset {self.name!r}: {self.url!r} is not an absolute path; write file:/abs/path")
        elif self.url.startswith("hf:"):
            if HUB.fullmatch(self.url) is None:
                raise BadSpec(f"asset {self.name!r}: {self.url!r} is not hf:org/repo@revision/path")
        elif not (self.url.startswith("https://") or LOOPBACK.match(self.url)):
            raise BadSpec(f"asset {self.name!r}: {self.url!r} is none of file:, https:, hf:, wheel:")


ASSETS: Registry[Asset] = Registry("asset")

_offline: bool | None = None


def set_offline(value: bool | None) -> None:
    """Forbid (True) or allow (False) the network for this process; None leaves it to $MMBENCH_OFFLINE."""
    global _offline
    _offline = value


def is_offline() -> bool:
    if _offline is not None:
        return _offline
    return os.environ.get("MMBENCH_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


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


def path_of(asset: Asset) -> Path:
    """Where the asset is, or would be once it is fetched."""
    if asset.url.startswith("file:"):
        return Path(asset.url.removeprefix("file:"))
    root = cache_dir() / "assets"
    if match := WHEEL.fullmatch(asset.url):
        stem = f"{re.sub(r'[-_.]+', '-', match['name']).lower()}-{match['version']}"
        return root / "wheel" / (f"{stem}/{check_member(match['member'])}" if match["member"] else f"{stem}.whl")
    base = re.sub(r"[^\w.-]", "_", asset.url.split("?")[0].rsplit("/", 1)[-1])[-80:]
    return root / "files" / f"{hashlib.sha256(asset.url.encode()).hexdigest()[:16]}-{base}"


def whole_wheel(asset: Asset) -> Asset:
    """The wheel that a member is taken from. Raises BadSpec for an asset that is no wheel."""
    match = WHEEL.fullmatch(asset.url)
    if match is None:
        raise BadSpec(f"asset {asset.name!r} ({asset.url}) is not a wheel, so it has no members")
    url = f"wheel:{match['name']}=={match['version']}"
    return replace(asset, url=url)


def address_of(asset: Asset) -> str:
    """The address that is asked; a hub file's follows HF_ENDPOINT."""
    if match := HUB.fullmatch(asset.url):
        endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        if not (endpoint.startswith("https://") or LOOPBACK.match(endpoint + "/")):
            raise BadSpec(f"HF_ENDPOINT={endpoint!r} is not an https: address")
        return f"{endpoint}/{match['repo']}/resolve/{match['revision'] or 'main'}/{match['path']}"
    return asset.url
