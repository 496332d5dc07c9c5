"""Assets are fetched once, verified, resumed, and never run; what goes wrong says what to do."""

import base64
import contextlib
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench import assets
from mmbench.assets import ASSETS, Asset, cached, check_member, digest, fetch, open_archive, open_member, read_member
from mmbench.assets.asset import address_of, path_of
from mmbench.errors import BadSpec, CorruptAsset, MissingAsset

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MMBENCH_OFFLINE", raising=False)
    monkeypatch.setattr("mmbench.assets.asset._offline", None)


class Server(http.server.BaseHTTPRequestHandler):
    """Serves ``content`` in one of several moods; counts requests and remembers the ranges asked for."""

    def do_GET(self):
        state = self.server.state
        state["requests"].append(self.headers.get("Range"))
        content, start = state["content"], 0
        wanted = self.headers.get("Range")
        if state["mood"] == "missing":
            return self.send_error(404)
        if state["mood"] == "away":
            self.send_response(302)
            self.send_header("Location", "http://example.invalid/file")
            return self.end_headers()
        ranged = wanted and state["ranges"] and self.headers.get("If-Range") == state["tag"]
        if ranged:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", state["tag"])
        self.end_headers()
        stop = len(content)
        if state["breaks"]:
            stop = start + (len(content) - start) // 2
            state["breaks"] -= 1
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content[start:stop])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        running.state = {"content": CONTENT, "mood": "", "breaks": 0, "ranges": True, "tag": '"one"', "requests": []}
        running.url = f"http://127.0.0.1:{running.server_port}/weights.bin"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


# -- https: --------------------------------------------------------------------------------------------------------


def test_a_file_is_fetched_once(server):
    asset = Asset("weights", server.url, SHA256, len(CONTENT), CONTENT[:4])
    assert cached(asset) is None
    path = fetch(asset)
    assert path.read_bytes() == CONTENT
    assert fetch(asset) == cached(asset) == path
    assert server.state["requests"] == [None]


def test_a_broken_download_is_resumed_where_it_stopped(server):
    server.state["breaks"] = 1
    path = fetch(Asset("weights", server.url, SHA256))
    assert path.read_bytes() == CONTENT
    assert server.state["requests"] == [None, f"bytes={len(CONTENT) // 2}-"]


def test_what_came_before_giving_up_serves_the_next_call(server):
    asset = Asset("weights", server.url, SHA256)
    server.state["breaks"] = 3
    with pytest.raises(MissingAsset, match=r"'weights'.*broke off.*bytes are kept and the next call resumes"):
        fetch(asset)
    fetch(asset)
    assert server.state["requests"][-1] == f"bytes={len(CONTENT) * 7 // 8}-"


def test_a_server_without_ranges_starts_over(server):
    server.state |= {"breaks": 1, "ranges": False}
    assert fetch(Asset("weights", server.url, SHA256)).read_bytes() == CONTENT


def test_a_file_that_changed_between_two_halves_is_not_glued(server):
    server.state["breaks"] = 3
    with pytest.raises(MissingAsset):
        fetch(Asset("weights", server.url))
    other = CONTENT[::-1]
    server.state |= {"content": other, "tag": '"two"'}
    assert fetch(Asset("weights", server.url)).read_bytes() == other


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"sha256": "0" * 64}, r"sha256 .* and not 0{64}"),
        ({"size": 7}, r"has 1048576 bytes and not the declared 7"),
        ({"magic": b"PK"}, r"begins with b'\\x00\\x01' and not b'PK'"),
    ],
)
def test_another_file_than_declared_is_refused_and_not_kept(server, declared, message):
    asset = Asset("weights", server.url, **declared)
    with pytest.raises(CorruptAsset, match=message):
        fetch(asset)
    assert cached(asset) is None
    assert not list((assets.cache_dir() / "assets" / "files").glob("*.part"))


def test_an_html_page_in_place_of_weights_is_named_as_such(server):
    server.state["content"] = b"<!DOCTYPE html><html>please log in</html>"
    with pytest.raises(CorruptAsset, match="is an HTML page and not a file; has the address moved"):
        fetch(Asset("weights", server.url))


def test_a_missing_page_says_the_code_and_where_to_put_the_file(server):
    server.state["mood"] = "missing"
    asset = Asset("weights", server.url)
    with pytest.raises(
        MissingAsset, match=r"answered 404 Not Found; check the address, or put the file at .*weights\.bin"
    ):
        fetch(asset)


def test_a_redirection_to_plain_http_is_not_followed(server):
    server.state["mood"] = "away"
    with pytest.raises(MissingAsset, match="redirected away from https"):
        fetch(Asset("weights", server.url))


def test_a_damaged_file_of_the_cache_is_fetched_again_but_refused_offline(server):
    asset = Asset("weights", server.url, SHA256)
    path = fetch(asset)
    path.write_bytes(b"damaged")
    with pytest.raises(CorruptAsset, match=str(path)):
        fetch(asset, offline=True)
    assert fetch(asset).read_bytes() == CONTENT


def test_an_unknown_digest_is_recorded_and_then_holds(server):
    asset = Asset("weights", server.url)
    assert digest(asset) is None
    path = fetch(asset)
    assert digest(asset) == SHA256
    path.write_bytes(b"something else")
    with pytest.raises(CorruptAsset):
        cached(asset)


def test_a_digest_is_computed_once(server, monkeypatch):
    asset = Asset("weights", server.url, SHA256)
    path = fetch(asset)
    monkeypatch.setattr("mmbench.files.sha256_of", lambda path: pytest.fail("hashed again"))
    assert fetch(asset) == path


def test_a_full_disk_is_told_and_keeps_what_came(server, monkeypatch):
    asset = Asset("weights", server.url, SHA256, len(CONTENT))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(MissingAsset, match=r"the disk of .* is full; free some space \(1 MB\) or set MMBENCH_CACHE"):
        fetch(asset)
    assert server.state["requests"] == []


def test_a_cache_that_is_a_file_is_told(server, tmp_path, monkeypatch):
    (tmp_path / "occupied").write_text("")
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "occupied"))
    with pytest.raises(MissingAsset, match=r"cannot be written .*set MMBENCH_CACHE to a folder of yours"):
        fetch(Asset("weights", server.url))


def test_two_processes_at_once_fetch_once(server):
    script = "import sys; from mmbench.assets import Asset, fetch; fetch(Asset('weights', *sys.argv[1:]))"
    command = [sys.executable, "-c", script, server.url, SHA256]
    children = [subprocess.Popen(command) for _ in range(2)]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    assert server.state["requests"] == [None]


# -- offline, file:, hf: -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["argument", "setter", "environment"])
def test_offline_never_asks_the_network(server, monkeypatch, how):
    if how == "setter":
        assets.set_offline(True)
    if how == "environment":
        monkeypatch.setenv("MMBENCH_OFFLINE", "1")
    with pytest.raises(MissingAsset, match=r"is not in the cache and mmbench is offline; run once with network"):
        fetch(Asset("weights", server.url), offline=True if how == "argument" else None)
    assert server.state["requests"] == []


def test_a_local_file_is_read_where_it_lies(tmp_path):
    file = tmp_path / "ckpt.pt"
    file.write_bytes(CONTENT)
    assert fetch(Asset("mine", f"file:{file}", SHA256), offline=True) == file
    with pytest.raises(CorruptAsset, match="sha256"):
        fetch(Asset("mine", f"file:{file}", "0" * 64))
    assert file.exists()
    with pytest.raises(MissingAsset, match=r"is to be read from .*gone\.pt, but there is no such file"):
        fetch(Asset("mine", f"file:{tmp_path / 'gone.pt'}"))


def test_a_hub_address_follows_hf_endpoint(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url.rsplit("/", 1)[0])
    path = fetch(Asset("hub", "hf:org/repo@v1/sub/model.safetensors", SHA256))
    assert path.name.endswith("model.safetensors")
    assert address_of(Asset("hub", "hf:org/repo@v1/m.bin")).endswith("/org/repo/resolve/v1/m.bin")


@pytest.mark.parametrize(
    "url",
    ["http://example.invalid/x", "ftp://x/y", "file:relative/path", "hf:no-path", "wheel:name/without/version", "x"],
)
def test_an_address_that_cannot_be_read_is_refused_at_once(url):
    with pytest.raises(BadSpec, match="asset 'odd'"):
        Asset("odd", url)


# -- wheel: --------------------------------------------------------------------------------------------------------


@pytest.fixture
def wheelhouse(tmp_path, monkeypatch):
    """A folder with one handmade wheel, and pip told to look nowhere else. Running its code would leave a trace."""
    house, trace = tmp_path / "house", tmp_path / "trace"
    house.mkdir()
    code = f"open({str(trace)!r}, 'w').close()\n"
    files = {"tiny/__init__.py": code.encode(), "tiny/data.bin": CONTENT[:1000], "setup.py": code.encode()}
    files["tiny-1.0.dist-info/METADATA"] = b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
    files["tiny-1.0.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    encoded = {name: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode() for name, data in files.items()}
    record = "".join(f"{name},sha256={encoded[name].rstrip('=')},{len(data)}\n" for name, data in files.items())
    with zipfile.ZipFile(house / "tiny-1.0-py3-none-any.whl", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr("tiny-1.0.dist-info/RECORD", record)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    yield house / "tiny-1.0-py3-none-any.whl"
    assert not trace.exists(), "code out of a wheel was run"


def test_a_wheel_is_taken_with_the_installers_settings_and_its_code_never_runs(wheelhouse):
    sha256 = hashlib.sha256(wheelhouse.read_bytes()).hexdigest()
    whole = Asset("tiny", "wheel:tiny==1.0", sha256, wheelhouse.stat().st_size, b"PK")
    assert fetch(whole).read_bytes() == wheelhouse.read_bytes()
    assert read_member(whole, "tiny/data.bin") == CONTENT[:1000]
    with open_archive(whole) as archive, open_member(whole, "tiny/data.bin") as stream:
        assert "tiny/data.bin" in archive.namelist()
        assert stream.read(3) == CONTENT[:3]
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


def test_a_wheel_of_another_digest_is_refused(wheelhouse):
    with pytest.raises(CorruptAsset, match="sha256"):
        fetch(Asset("tiny", "wheel:tiny==1.0", "0" * 64))


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
            CorruptAsset, match=r"'bomb/zeros' would grow from [\d,]+ bytes to 2,097,152; .*not unpacked"
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
