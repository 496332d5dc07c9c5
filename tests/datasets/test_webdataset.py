"""Shards in tar files: read where they lie, held against the webdataset library, and each kind of bad shard refused."""

import io
import json
import pickle
import tarfile

import numpy as np
import paper_data
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.datasets.declared import Declared
from mmbench.datasets.specs import resolve
from mmbench.datasets.webdataset import Fields, samples, webdataset
from mmbench.errors import BadDataset, BadItem, BadSpec, MissingAsset

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (8, 9, 7, 3), dtype=np.uint8)


def members(rows, folder=""):
    """Files of samples: a picture, its class, a sentence and a record."""
    found = {}
    for row in rows:
        key = f"{folder}{row:04d}"
        found[f"{key}.png"] = paper_data.png(PICTURES[row])
        found[f"{key}.cls"] = f"{row % 2}\n".encode()
        found[f"{key}.txt"] = f"picture {row}".encode()
        found[f"{key}.json"] = json.dumps({"kind": ["cat", "dog"][row % 2], "caption": f"no. {row}"}).encode()
    return found


@pytest.fixture
def root(tmp_path):
    paper_data.shard(tmp_path / "train" / "000.tar", members(range(3)))
    paper_data.shard(tmp_path / "train" / "001.tar", members(range(3, 6)))
    paper_data.shard(tmp_path / "test" / "000.tar", members([6, 7]))
    (tmp_path / "classnames.txt").write_text("a cat\na dog\n")
    return tmp_path


def test_shards_are_a_dataset(root):
    dataset = resolve(f"webdataset:{root}?text=txt&classes=2&train=6&test=2").load()
    assert dataset.classes == ("a cat", "a dog")
    split = dataset.split("train")
    assert split.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert split.ids[3] == "train/001/0003"
    assert split.texts[5] == "picture 5"
    for row in range(6):
        np.testing.assert_array_equal(np.asarray(split.images.image(row)), PICTURES[row])
    assert len({split.images.digest(row) for row in range(6)}) == 6


def test_shards_may_lie_side_by_side_and_labels_in_a_record(tmp_path):
    paper_data.shard(tmp_path / "test-000.tar", members(range(4), "./some/folder/"))
    dataset = resolve(f"webdataset:{tmp_path}?label=json.kind&text=json.caption").load()
    assert dataset.classes == ("cat", "dog")
    assert dataset.split("test").texts == ("no. 0", "no. 1", "no. 2", "no. 3")
    assert dataset.split("test").ids[1] == "test-000/some/folder/0001"


def test_a_file_or_a_field_says_what_items_were_made_from(root):
    split = resolve(f"webdataset:{root}?group=cls").load().split("train")
    assert split.groups.of.tolist() == [0, 1, 0, 1, 0, 1]
    assert split.groups.kind == "values of 'cls'"
    assert resolve(f"webdataset:{root}?group=json.caption").load().split("train").groups is None
    with pytest.raises(BadDataset, match=r"has no \.person"):
        resolve(f"webdataset:{root}?group=person").load()


def test_without_names_the_classes_are_the_numbers_in_order(tmp_path):
    shard = {f"{label}.{kind}": content for label in (10, 9, 2)
             for kind, content in (("png", paper_data.png(PICTURES[0])), ("cls", str(label).encode()))}  # fmt: skip
    paper_data.shard(tmp_path / "test.tar", shard)
    assert webdataset(tmp_path).load().classes == ("2", "9", "10")


def test_the_webdataset_library_reads_the_same(root):
    from webdataset.tariterators import group_by_keys, tar_file_expander

    read = []
    for path in sorted((root / "train").glob("*.tar")):
        with path.open("rb") as stream:
            read += group_by_keys(tar_file_expander([{"url": str(path), "stream": stream}]))
    ours = [sample for path in sorted((root / "train").glob("*.tar")) for sample in samples(path)]
    assert [sample["__key__"] for sample in read] == [key for key, _ in ours]
    for sample, (_, parts) in zip(read, ours, strict=True):
        assert {name: part.read() for name, part in parts.items()} == {
            name: content for name, content in sample.items() if not name.startswith("__")
        }


def test_identity_follows_bytes_and_fields(root, own_notes):
    first = webdataset(root).identity()
    assert webdataset(root).identity() == first
    assert webdataset(root, Fields(text="txt")).identity() != first
    paper_data.shard(root / "test" / "000.tar", members([5, 7]))
    assert webdataset(root).identity() != first


def test_sizes_are_checked(root):
    with pytest.raises(BadDataset, match=r"has 2 items in 'test', expected 3; is it complete\?"):
        webdataset(root, declared=Declared(None, {"test": 3})).load()


# -- bad shards ----------------------------------------------------------------------------------------------------


def write(path, *infos):
    with tarfile.open(path, "w") as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(bytes(info.size)) if info.isreg() else None)


def info(name, size=1, kind=tarfile.REGTYPE, link=""):
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = size if kind == tarfile.REGTYPE else 0, kind, link
    return made


@pytest.mark.parametrize("name", ["../../etc/x.png", "/etc/x.png", "a/../../x.png"])
def test_a_name_that_climbs_out_is_refused(tmp_path, name):
    write(tmp_path / "test.tar", info("0.png"), info(name))
    with pytest.raises(BadDataset, match=r"test\.tar:.* is a path outside its shard; the shard was not read"):
        webdataset(tmp_path).load()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_what_is_no_file_is_refused(tmp_path, kind):
    write(tmp_path / "test.tar", info("0.png", kind=kind, link="/etc/passwd"))
    with pytest.raises(BadDataset, match=r"0\.png is a link, a device or a sparse file"):
        webdataset(tmp_path).load()


def test_a_member_that_claims_to_be_huge_is_refused(tmp_path):
    """A header alone can promise any size; nothing may be read or kept for it."""
    path = tmp_path / "test.tar"
    path.write_bytes(info("0.png", size=1 << 40).tobuf(format=tarfile.GNU_FORMAT) + bytes(512))
    with pytest.raises(BadDataset, match=r"0\.png has 1,099,511,627,776 bytes, more than the limit"):
        webdataset(tmp_path).load()


def test_a_cut_shard_is_refused(root):
    path = root / "test" / "000.tar"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BadDataset, match=r"000\.tar.*(copy|damaged)"):
        webdataset(root).load()


@given(cut=st.integers(0, 6000), place=st.integers(0, 6000), value=st.integers(0, 255))
def test_damage_anywhere_gives_samples_or_a_bad_dataset(tmp_path_factory, cut, place, value):
    path = tmp_path_factory.mktemp("damage") / "test.tar"
    paper_data.shard(path, {"a.txt": b"one", "a.cls": b"0", "b.txt": b"two"})
    raw = bytearray(path.read_bytes())
    raw[place % len(raw)] = value
    path.write_bytes(bytes(raw[: max(0, len(raw) - cut)]))
    try:
        for _, parts in samples(path):
            for part in parts.values():
                part.read()
    except (BadDataset, BadItem):
        pass


def test_a_shard_that_shrank_meanwhile_is_told(root):
    images = webdataset(root).load().split("test").images
    (root / "test" / "000.tar").write_bytes(b"")
    with pytest.raises(BadItem, match=r"000\.tar:0006\.png is truncated: expected 266 bytes, found 0; copy"):
        images.image(0)


def test_a_pickle_is_never_read(root, tmp_path):
    class Attack:
        def __reduce__(self):
            return pytest.fail, ("the pickle ran",)

    shard = tmp_path / "pickles"
    paper_data.shard(shard / "test.tar", {"0.png": b"", "0.pyd": pickle.dumps(Attack())})
    with pytest.raises(BadDataset, match=r"test\.tar:0 has no \.cls; it has \.png, \.pyd \(a pickle, never read\)"):
        webdataset(shard).load()
    with pytest.raises(BadSpec, match=r"\.pyd is read by unpickling, which could run code"):
        resolve(f"webdataset:{shard}?label=pyd")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"0.cls": b"1"}, r"0 has no image \.jpg or \.jpeg or \.png or \.webp; it has \.cls"),
        ({"0.png": b"", "0.cls": b"\xff\xfe"}, r"0\.cls is not text"),
        ({"0.png": b"", "0.cls": b" \n"}, r"0\.cls has no text or number"),
        ({"0.png": b"", "0.PNG": b""}, r"0\.PNG occurs twice"),
        ({"0.png": b"", "0.cls": b"0"}, r"has only the class '0'; there must be two classes or more"),
    ],
)
def test_a_sample_that_lacks_something_is_named(tmp_path, files, message):
    paper_data.shard(tmp_path / "test.tar", files)
    with pytest.raises(BadDataset, match=message):
        webdataset(tmp_path).load()


@pytest.mark.parametrize("content", [b"{}", b"[1]", b'{"kind": null}', b'{"kind": ["a"]}', b"{"])
def test_a_record_without_the_field_is_named(tmp_path, content):
    paper_data.shard(tmp_path / "test.tar", {"0.png": b"", "0.json": content})
    with pytest.raises(BadDataset, match=r"0\.json (has no text or number under 'kind'|is not valid JSON)"):
        resolve(f"webdataset:{tmp_path}?label=json.kind").load()


def test_labels_beyond_the_names_are_refused(root):
    (root / "classnames.txt").write_text("a cat\n")
    with pytest.raises(BadDataset, match=r"by its classnames\.txt, has only the class 'a cat'"):
        webdataset(root).load()
    (root / "classnames.txt").write_text("a cat\na dog\n")
    paper_data.shard(root / "dev" / "0.tar", {"0.png": b"", "0.cls": b"2"})
    with pytest.raises(BadDataset, match=r"has the label 2, and there are 2 class names, from 0 on"):
        webdataset(root).load()


def test_no_shards_are_told(tmp_path):
    with pytest.raises(MissingAsset, match=r"nowhere does not exist; .* WebDataset's layout"):
        webdataset(tmp_path / "nowhere").load()
    (tmp_path / "test.tar.gz").touch()
    with pytest.raises(BadDataset, match=r"no shards of 'test' .*test\.tar\.gz is compressed"):
        webdataset(tmp_path).load()


def test_a_bomb_in_a_shard_is_refused_by_its_header(root, monkeypatch):
    monkeypatch.setattr("mmbench.datasets.images.MAX_PIXELS", 10)
    monkeypatch.setitem(
        __import__("mmbench.datasets.images", fromlist=["x"]).decode_image.__kwdefaults__, "max_pixels", 10
    )
    with pytest.raises(BadItem, match=r"000\.tar:0006\.png has 7 x 9 pixels, more than the limit of 10"):
        webdataset(root).load().split("test").images.image(0)


# -- the end of a shard --------------------------------------------------------------------------------------------


def whole_shard(tmp_path):
    paper_data.shard(tmp_path / "test.tar", members(range(4)))
    return tmp_path / "test.tar", (tmp_path / "test.tar").read_bytes()


def test_a_shard_that_is_cut_anywhere_is_refused(tmp_path):
    """Also between two members, where tarfile stops without a word and the rest of the items would be left out."""
    file, raw = whole_shard(tmp_path)
    with tarfile.open(file) as archive:
        ends = [info.offset_data + -(-info.size // 512) * 512 for info in archive]
    for cut in sorted({*ends, *range(100, ends[-1], 700)}):
        file.write_bytes(raw[:cut])
        with pytest.raises(
            BadDataset, match=r"test\.tar.*(is cut or damaged at byte|is damaged or not an uncompressed)"
        ):
            list(samples(file))
    file.write_bytes(raw[: ends[-1] + 512])  # one block of zeros is an end
    assert len(list(samples(file))) == 4


def test_a_damaged_header_in_the_middle_is_refused(tmp_path):
    file, raw = whole_shard(tmp_path)
    with tarfile.open(file) as archive:
        second = archive.getmembers()[4].offset
    file.write_bytes(raw[: second + 150] + b"X" + raw[second + 151 :])
    with pytest.raises(BadDataset, match=f"is cut or damaged at byte {second:,}: the block of zeros"):
        list(samples(file))


def test_several_archives_in_one_file_are_refused(tmp_path):
    file, raw = whole_shard(tmp_path)
    file.write_bytes(raw + raw)
    with pytest.raises(BadDataset, match=r"test\.tar goes on behind its end: several archives in one file"):
        list(samples(file))
    file.write_bytes(raw + b"\0" * (3 << 20))
    assert len(list(samples(file))) == 4
