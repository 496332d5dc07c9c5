"""Weights are read as tensors only, told apart by digest, and fitted to a module or refused with the first names."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset
from mmbench.models import checkpoints, published
from mmbench.models.specs import resolve
from mmbench.models.state_dicts import load_strictly


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def state():
    generator = torch.Generator().manual_seed(0)
    return {"weight": torch.randn(3, 4, generator=generator), "bias": torch.randn(3, generator=generator)}


def same(found, wanted):
    assert list(found) == list(wanted)
    for key in wanted:
        assert torch.equal(found[key], wanted[key])


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_both_formats_give_back_what_was_written(tmp_path, state, suffix):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)
    found = checkpoints.read_state_dict(path)
    same({key: found[key] for key in state}, state)


@pytest.mark.parametrize("wrap", [
    lambda state: {"state_dict": state, "epoch": 3},
    lambda state: {"model": {f"module.{key}": value for key, value in state.items()}},
    lambda state: {f"module.{key}": value for key, value in state.items()},
    lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
], ids=["state_dict", "model of a parallel module", "parallel module", "compiled module"])  # fmt: skip
def test_wrappings_are_taken_off(tmp_path, state, wrap):
    torch.save(wrap(state), tmp_path / "wrapped.pt")
    same(checkpoints.read_state_dict(tmp_path / "wrapped.pt"), state)


def test_a_prefix_that_only_some_names_carry_stays(tmp_path, state):
    mixed = {"module.a": state["bias"], "b": state["bias"]}
    torch.save(mixed, tmp_path / "mixed.pt")
    same(checkpoints.read_state_dict(tmp_path / "mixed.pt"), mixed)


def test_inside_and_prefix_choose_a_part(tmp_path, state):
    """The layout of the robustness library's files: the network's copy below one prefix, a second copy beside it."""
    parts = {f"module.model.{key}": value for key, value in state.items()} | {"module.normalizer.mean": torch.ones(3)}
    torch.save({"model": parts, "cnn": {"deep": state}}, tmp_path / "parts.pt")
    same(checkpoints.read_state_dict(tmp_path / "parts.pt", "model", "model."), state)
    same(checkpoints.read_state_dict(tmp_path / "parts.pt", "model", "module.model."), state)
    assert list(checkpoints.read_tensors(tmp_path / "parts.pt", "model"))[-1] == "module.normalizer.mean"
    same(checkpoints.read_state_dict(tmp_path / "parts.pt", "cnn.deep"), state)
    with pytest.raises(BadSpec, match=r"has no part 'nn'; at 'nn' it has 'model', 'cnn'"):
        checkpoints.read_state_dict(tmp_path / "parts.pt", "nn")
    with pytest.raises(BadSpec, match=r"has no tensor whose name begins with 'visual.'"):
        checkpoints.read_state_dict(tmp_path / "parts.pt", "cnn.deep", "visual.")


class Boom:
    """A pickle that would run a command when opened."""

    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        return os.mkdir, (str(self.flag),)


def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, state):
    flag = tmp_path / "was run"
    torch.save({"state_dict": state, "extra": Boom(flag)}, tmp_path / "evil.pt")
    with pytest.raises(CorruptAsset) as caught:
        checkpoints.read_state_dict(tmp_path / "evil.pt", "state_dict")
    assert str(caught.value) == (
        f"{tmp_path / 'evil.pt'} holds objects other than tensors, or is damaged, and was not opened (it asks for "
        "posix.mkdir), since that could run code; if you trust it, take its tensors out and name the new file: mmbench "
        f"convert {tmp_path / 'evil.pt'} {tmp_path / 'evil.safetensors'} --inside state_dict --trust"
    )
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Boom(flag)))
    with pytest.raises(CorruptAsset):
        checkpoints.read_state_dict(tmp_path / "evil.pth")
    assert not flag.exists()
    torch.load(tmp_path / "evil.pt", weights_only=False)  # the planted liar does lie
    assert flag.exists()


@pytest.mark.parametrize(("name", "content"), [
    ("empty.pt", b""), ("noise.pt", b"no checkpoint at all"), ("cut.safetensors", b"\x10\0\0\0\0\0\0\0{"),
    ("empty.safetensors", b""),
])  # fmt: skip
def test_damaged_files_are_told(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorruptAsset, match=name):
        checkpoints.read_state_dict(tmp_path / name)


PAGE = b"\n<!DOCTYPE html>\n<html><title>Log in</title></html>"


class TestPage:
    """The papers' checkpoints are fetched by hand, and what a browser saves may be a login."""

    @pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
    def test_is_named_as_such_and_nobody_is_told_to_trust_it(self, tmp_path, name):
        (tmp_path / name).write_bytes(PAGE)
        with pytest.raises(CorruptAsset) as caught:
            checkpoints.read_state_dict(tmp_path / name)
        assert str(caught.value) == (
            f"{tmp_path / name} is an HTML page and no checkpoint; open its address in a browser, see what it asks "
            "for, and fetch it again"
        )

    @pytest.mark.parametrize("spec", [
        "torchvision:resnet50@resnet50-19c8e357.pth", "open_clip:RN50:openai@RN50.pt",
        "timm:resnetv2_50x1_bit.goog_in21k@BiT-M-R50x1.npz",
        "tfhub:deepmind/mmv/tsm-resnet50/1@mmv_tsm_resnet_x1.safetensors",
    ])  # fmt: skip
    def test_every_loader_says_whose_page_it_is(self, tmp_path, monkeypatch, spec):
        monkeypatch.setenv("MMBENCH_WEIGHTS", str(tmp_path))
        file = spec.partition("@")[2]
        (tmp_path / file).write_bytes(PAGE)
        url = published.PUBLISHED[file].url
        with pytest.raises(CorruptAsset, match=rf"{file} is an HTML page and no checkpoint; open {url} in a browser"):
            resolve(spec).load()

    @pytest.mark.parametrize("content", [b"<svg>", b"PK<html>", b"", b"\x80\x02}q\x00."])
    def test_other_files_are_none(self, tmp_path, content):
        (tmp_path / "w.pt").write_bytes(content)
        checkpoints.check_page(tmp_path / "w.pt")


def test_what_pytorch_met_is_said_and_not_its_advice_to_load_without_safety(tmp_path):
    (tmp_path / "noise.pt").write_bytes(b"no checkpoint at all")
    with pytest.raises(CorruptAsset) as caught:
        checkpoints.read_state_dict(tmp_path / "noise.pt")
    assert "weights_only" not in str(caught.value)
    assert "was not opened (Unsupported operand 110)" in str(caught.value)


def lying_safetensors(path, **changes):
    """A safetensors file of one tensor of 12 bytes whose header says otherwise."""
    header = json.dumps({"weight": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]} | changes}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(12))
    return path


@pytest.mark.parametrize("change", [
    {"shape": [4]}, {"dtype": "F64"}, {"data_offsets": [0, 16]}, {"data_offsets": [0, 4096], "shape": [1024]},
    {"shape": [2**62, 4]}, {"data_offsets": [12, 0]}, {"dtype": "F33"}, {"shape": [-3]},
], ids=str)  # fmt: skip
def test_a_safetensors_header_that_lies_is_told(tmp_path, change):
    checkpoints.read_state_dict(lying_safetensors(tmp_path / "w.safetensors"))
    with pytest.raises(
        CorruptAsset, match=r"w.safetensors (cannot be read as safetensors|says that its table of names has)"
    ):
        checkpoints.read_state_dict(lying_safetensors(tmp_path / "w.safetensors", **change))


@pytest.mark.parametrize("length", [10**18, 2**63 + 5, 40])
def test_a_safetensors_header_of_another_length_is_told(tmp_path, length):
    path = lying_safetensors(tmp_path / "w.safetensors")
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    with pytest.raises(CorruptAsset, match=r"w.safetensors (cannot be read as safetensors|says that its table)"):
        checkpoints.read_state_dict(path)


def test_a_truncated_checkpoint_is_told(tmp_path, state):
    torch.save(state, tmp_path / "whole.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:-200])
    with pytest.raises(CorruptAsset, match=r"cut.pt"):
        checkpoints.read_state_dict(tmp_path / "cut.pt")


@pytest.mark.parametrize(("content", "words"), [
    ([1, 2], "holds a list and no state dict"),
    ({"epoch": 3, "best": 0.5}, "it has 'epoch', 'best'; name the part that does with .inside=KEY"),
    ({}, "it has nothing"),
], ids=["list", "numbers", "empty"])  # fmt: skip
def test_what_is_no_state_dict_is_told(tmp_path, content, words):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(BadSpec, match=words):
        checkpoints.read_state_dict(tmp_path / "other.pt")


def test_numpy_archives_are_refused(tmp_path):
    (tmp_path / "bit.npz").write_bytes(b"PK")
    with pytest.raises(BadSpec, match=r"is a NumPy archive"):
        checkpoints.read_state_dict(tmp_path / "bit.npz")


class TestTorchScript:
    @pytest.fixture
    def archive(self, tmp_path):
        path = tmp_path / "scripted.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript as a whole is deprecated
            torch.jit.save(torch.jit.trace(torch.nn.Linear(4, 3), torch.zeros(1, 4)), str(path))
        return path

    def test_is_told_from_a_state_dict(self, archive, tmp_path, state):
        torch.save(state, tmp_path / "plain.pt")
        assert checkpoints.is_torchscript(archive)
        assert not checkpoints.is_torchscript(tmp_path / "plain.pt")

    def test_is_refused_as_a_state_dict(self, archive):
        with pytest.raises(BadSpec, match=r"is a TorchScript archive, which carries code"):
            checkpoints.read_state_dict(archive)

    def test_is_read_only_when_its_digest_is_known(self, archive):
        with pytest.raises(BadSpec, match=r"not one of the published files that are known by digest"):
            checkpoints.read_torchscript(archive, {"0" * 64})
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        assert set(checkpoints.read_torchscript(archive, {digest})) == {"weight", "bias"}


class TestLoadStrictly:
    def module(self):
        return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))

    def load(self, state):
        module = self.module()
        load_strictly(module, state, Path("file.pt"), "test net")
        return module

    def test_puts_the_weights_in(self):
        wanted = self.module().state_dict()
        same(self.load(wanted).state_dict(), wanted)

    def test_missing_key(self):
        state = self.module().state_dict()
        del state["0.bias"]
        with pytest.raises(CorruptAsset) as caught:
            self.load(state)
        assert str(caught.value) == "file.pt lacks weights that test net needs: 0.bias"

    def test_extra_keys(self):
        state = self.module().state_dict() | {f"x{i}": torch.zeros(1) for i in range(5)}
        with pytest.raises(CorruptAsset) as caught:
            self.load(state)
        assert str(caught.value) == "file.pt has weights that test net does not use: x0, x1, x2 and 2 more"
        load_strictly(self.module(), state, Path("file.pt"), "test net", spare=True)
        del state["0.bias"]
        with pytest.raises(CorruptAsset, match=r"f lacks weights that test net needs: 0.bias"):  # spare is not missing
            load_strictly(self.module(), state, Path("f"), "test net", spare=True)

    def test_wrong_shape_is_another_architecture(self):
        state = self.module().state_dict() | {"0.weight": torch.zeros(3, 5)}
        with pytest.raises(BadSpec) as caught:
            self.load(state)
        assert (
            str(caught.value) == "file.pt is of another architecture than test net: 0.weight (3, 5) instead of (3, 4)"
        )

    def test_other_names_are_another_architecture(self):
        with pytest.raises(
            BadSpec, match=r"file.pt does not hold the weights of test net: it lacks 0.weight, .* has a, b"
        ):
            self.load({"a": torch.zeros(1), "b": torch.zeros(1)})

    @pytest.mark.parametrize("kind", [torch.int8, torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn])
    def test_weights_of_another_kind_are_refused(self, kind):
        """PyTorch would copy them into place without their scale or their imaginary part, and say nothing."""
        state = self.module().state_dict()
        state["0.weight"] = state["0.weight"].to(kind)
        said = f"file.pt holds 0.weight {str(kind).removeprefix('torch.')} where test net has floating point weights"
        with pytest.raises(BadSpec, match=said):
            self.load(state)

    @pytest.mark.parametrize("change", [torch.Tensor.to_sparse, lambda value: value.to("meta")])
    def test_weights_without_dense_values_are_refused(self, change):
        state = self.module().state_dict()
        state["0.weight"] = change(state["0.weight"])
        with pytest.raises(BadSpec, match=r"holds 0.weight float32 .* where test net has floating point weights"):
            self.load(state)

    @pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
    def test_floats_of_other_widths_are_read_into_the_modules_own(self, kind):
        state = {k: v.to(kind) if v.is_floating_point() else v for k, v in self.module().state_dict().items()}
        found = self.load(state).state_dict()
        assert found["0.weight"].dtype == torch.float32
        assert torch.equal(found["0.weight"], state["0.weight"].float())

    def test_old_files_without_batch_counters_are_read(self):
        state = self.module().state_dict()
        del state["1.num_batches_tracked"]
        self.load(state)


class TestPlaces:
    def test_relative_files_stand_under_the_weights_folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MMBENCH_WEIGHTS", str(tmp_path))
        assert checkpoints.weights_path("sub/a.pt") == tmp_path / "sub" / "a.pt"
        assert checkpoints.weights_path(f"file:{tmp_path}/b.pt") == tmp_path / "b.pt"

    def test_a_missing_file_names_model_and_place(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MMBENCH_WEIGHTS", "/data/weights")
        with pytest.raises(MissingAsset) as caught:
            checkpoints.require_file(checkpoints.weights_path("a.pt"), "rn50")
        wanted = "rn50 needs /data/weights/a.pt; the file is not there (MMBENCH_WEIGHTS=/data/weights)"
        assert str(caught.value) == wanted

    def test_a_zip_that_is_no_checkpoint(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "z.pt", "w") as archive:
            archive.writestr("a", "b")
        with pytest.raises(CorruptAsset, match=r"z.pt"):
            checkpoints.read_state_dict(tmp_path / "z.pt")
