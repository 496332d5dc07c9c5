"""``mmbench convert``: tensors come out of a pickle on its owner's word only, and nothing else does."""

from __future__ import annotations

import collections
import os
import pickle
import shlex
import subprocess
import sys
import types

import dill
import numpy as np
import pytest
import torch
import torchvision
from paper_files import flattened, robustness
from random_weights import random_state
from safetensors.torch import load_file

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset
from mmbench.models import convert
from mmbench.models.specs import resolve


@pytest.fixture(scope="module")
def state():
    return random_state(lambda: torchvision.models.resnet18(weights=None, num_classes=10))


@pytest.fixture
def robust(weights, state):
    """A file as the robustness library writes it: dill in PyTorch's old format, with a function in it."""
    of_a_script = eval("lambda epoch: 0.1 ** (epoch // 30)", {"__name__": "__main__"})
    checkpoint = robustness(state) | {"schedule": {"lr_lambdas": [of_a_script]}}
    torch.save(checkpoint, weights / "robust.pt", pickle_module=dill, _use_new_zipfile_serialization=False)
    return weights / "robust.pt"


def main(line):
    from mmbench.cli.main import main

    return main(["convert", *shlex.split(line)])


def test_a_refused_pickle_is_converted_by_the_command_it_names(robust, weights, state, pictures, capsys):
    with pytest.raises(CorruptAsset, match=r"it asks for dill\._dill\._create_function") as caught:
        resolve("torchvision:resnet18@robust.pt?inside=model&prefix=module.model.").load()
    command = str(caught.value).partition("name the new file: ")[2]
    assert command == f"mmbench convert {robust} {weights / 'robust.safetensors'} --inside model --trust"
    assert main(command.removeprefix("mmbench convert ")) == 0
    said = capsys.readouterr()
    assert "runs whatever code is in it" in said.err
    assert "kept 248 tensors\n  module.normalizer.new_mean  float32 [3, 1, 1]\n" in said.out
    assert "\ndropped 3 other parts\n  optimizer  (outside model)\n" in said.out
    found = load_file(weights / "robust.safetensors")
    wanted = robustness(state)["model"]
    assert set(found) == set(wanted)
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    torch.save(state, weights / "bare.pth")
    options = "?size=64&prefix=module.model."
    encoders = [
        resolve(f"torchvision:resnet18@{name}").load() for name in (f"robust.safetensors{options}", "bare.pth?size=64")
    ]
    batch = torch.stack([encoders[0].prepare(picture) for picture in pictures])
    with torch.inference_mode():
        assert torch.equal(*(encoder.forward(batch) for encoder in encoders))


def test_inside_and_prefix_choose(weights, state):
    torch.save(robustness(state), weights / "plain.pt")
    report = convert.convert(weights / "plain.pt", weights / "o.safetensors", "model", "module.model.")
    assert set(report.kept) == set(load_file(weights / "o.safetensors")) == set(state)
    assert report.dropped["module.normalizer.new_std"] == "its name does not begin with module.model."


def test_haiku_parameters_are_flattened(weights):
    arrays = {"params": {"net/~/conv": {"w": np.ones((1, 1, 2, 3), np.float32)}}, "state": {"n": np.array(3, np.int32)}}
    (weights / "p.pkl").write_bytes(dill.dumps(arrays))
    report = convert.convert(weights / "p.pkl", weights / "p.safetensors", trust=True)
    assert report.kept == {"params.net/~/conv.w": "float32 [1, 1, 2, 3]", "state.n": "int32 []"}
    assert set(load_file(weights / "p.safetensors")) == set(flattened(arrays))


class Boom:
    """Makes a folder when it is unpickled; what comes out holds tensors."""

    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        return os.mkdir, (str(self.flag),)


class TestTrust:
    @pytest.fixture
    def evil(self, weights):
        torch.save({"model": {"w": torch.ones(2)}, "extra": Boom(weights / "was run")}, weights / "evil.pt")
        return weights / "evil.pt"

    def test_without_it_nothing_is_run(self, evil, weights):
        with pytest.raises(BadSpec) as caught:
            convert.convert(evil, weights / "o.safetensors")
        assert str(caught.value) == (
            f"{evil} cannot be opened without running code (it asks for posix.mkdir). Opening it runs whatever code is "
            "in it, with all that you may do on this machine. Do so only if you trust whoever made it and the way it "
            f"came to you. Then: mmbench convert {evil} {weights / 'o.safetensors'} --trust"
        )
        assert not (weights / "was run").exists()
        assert not (weights / "o.safetensors").exists()

    def test_with_it_the_code_does_run(self, evil, weights):
        report = convert.convert(evil, weights / "o.safetensors", trust=True)
        assert (weights / "was run").exists()
        assert (report.ran_code, list(report.kept)) == (True, ["w"])

    def test_tensors_alone_need_none(self, weights, state, capsys):
        torch.save({"state_dict": state, "epoch": 3}, weights / "plain.pt")
        assert main(f"{weights / 'plain.pt'} {weights / 'o.safetensors'}") == 0
        said = capsys.readouterr()
        assert said.out.endswith("o.safetensors; no code of the file was run\n")
        assert said.err == ""

    def test_a_plain_pickle_needs_it(self, weights):
        (weights / "p.pkl").write_bytes(pickle.dumps({"w": np.ones(3)}))
        with pytest.raises(BadSpec, match=r"p.pkl cannot be opened without running code"):
            convert.convert(weights / "p.pkl", weights / "o.safetensors")


def test_the_process_is_isolated(weights, monkeypatch):
    """Neither the caller's folder nor its settings nor its secrets reach what is run."""
    seen = weights / "seen.txt"
    (weights / "json.py").write_text("raise SystemExit('a module of the folder was imported')")
    monkeypatch.chdir(weights)
    monkeypatch.setenv("PYTHONPATH", str(weights))
    monkeypatch.setenv("HF_TOKEN", "secret")

    class Look:
        def __reduce__(self):
            what = "str(sys.flags.isolated) + str(os.environ.get('HF_TOKEN'))"
            code = f"import os, sys; open({str(seen)!r}, 'w').write({what})"
            return exec, (code,)

    torch.save({"w": torch.ones(1), "look": Look()}, weights / "l.pt")
    convert.convert(weights / "l.pt", weights / "o.safetensors", trust=True)
    assert seen.read_text() == "1None"


class TestCollect:
    def test_what_is_no_tensor_is_dropped_by_name(self):
        sparse, shared = torch.eye(2).to_sparse(), torch.ones(2)
        nested = {
            "a": {"w": shared, "again": shared, "c": torch.ones(1, dtype=torch.complex64)},
            "s": sparse,
            "n": 3,
            "words": np.array(["x"]),
            "module": torch.nn.Linear(1, 1, bias=False),
            "list": [torch.ones(1)],
        }
        tensors, dropped = convert.collect(nested)
        assert set(tensors) == {"a.w", "a.again", "module.weight"}
        assert dropped == {"a.c": "Tensor", "s": "Tensor", "n": "int", "words": "ndarray", "list": "list"}
        assert tensors["a.w"].data_ptr() != tensors["a.again"].data_ptr()

    @pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
    def test_the_usual_part_is_found(self, key):
        nested = {key: collections.OrderedDict(w=torch.ones(1)), "optimizer": {"m": torch.ones(1)}}
        tensors, dropped = convert.collect(nested)
        assert (list(tensors), dropped) == (["w"], {"optimizer": f"outside {key}"})

    def test_inside_a_part_of_a_part(self):
        nested = {"teacher": {"backbone": {"w": torch.ones(1)}, "head": 1}, "student": {}}
        tensors, dropped = convert.collect(nested, "teacher.backbone")
        assert list(tensors) == ["w"]
        assert dropped == dict.fromkeys(("student", "teacher.head"), "outside teacher.backbone")


class TestRefusals:
    @pytest.mark.parametrize(("out", "words"), [
        ("o.pt", r"o.pt should end in .safetensors"), ("here.safetensors", r"here.safetensors exists; remove it"),
    ])  # fmt: skip
    def test_where_to(self, weights, out, words):
        torch.save({"w": torch.ones(1)}, weights / "w.pt")
        (weights / "here.safetensors").write_bytes(b"mine")
        with pytest.raises(BadSpec, match=words):
            convert.convert(weights / "w.pt", weights / out, trust=True)
        assert (weights / "here.safetensors").read_bytes() == b"mine"

    def test_nothing_to_convert(self, weights):
        with pytest.raises(MissingAsset, match=r"no.pt is not there"):
            convert.convert(weights / "no.pt", weights / "o.safetensors")
        (weights / "a.safetensors").write_bytes(b"")
        with pytest.raises(BadSpec, match=r"is in safetensors format already"):
            convert.convert(weights / "a.safetensors", weights / "o.safetensors")
        torch.save({"epoch": 3, "net": {"lr": 0.1}}, weights / "w.pt")
        with pytest.raises(
            BadSpec, match=r"has no tensors where they were looked for; it has epoch \(int\), net.lr \(fl"
        ):
            convert.convert(weights / "w.pt", weights / "o.safetensors")

    def test_a_part_that_is_not_there(self, weights):
        torch.save({"student": {"w": torch.ones(1)}}, weights / "w.pt")
        with pytest.raises(BadSpec, match=r"it has teacher \(is not there\), student \(is\); choose with --inside"):
            convert.convert(weights / "w.pt", weights / "o.safetensors", "teacher")

    def test_a_page_is_named_before_anybody_trusts_it(self, weights):
        (weights / "imagenet_l2_3_0.pt").write_bytes(b"<!doctype HTML><html>")
        with pytest.raises(CorruptAsset, match=r"imagenet_l2_3_0.pt is an HTML page and no checkpoint"):
            convert.convert(weights / "imagenet_l2_3_0.pt", weights / "o.safetensors")

    def test_noise_and_nothing_left_behind(self, weights):
        (weights / "noise.pt").write_bytes(b"no checkpoint")
        with pytest.raises(CorruptAsset, match=r"noise.pt cannot be opened \("):
            convert.convert(weights / "noise.pt", weights / "o.safetensors", trust=True)
        assert {path.name for path in weights.iterdir()} <= {"noise.pt", "cache"}

    def test_a_package_that_is_not_installed(self, weights, monkeypatch):
        module = types.ModuleType("cox_utils")
        module.Parameters = type("Parameters", (), {"__module__": "cox_utils"})
        monkeypatch.setitem(sys.modules, "cox_utils", module)
        (weights / "p.pkl").write_bytes(pickle.dumps({"args": module.Parameters()}))
        with pytest.raises(
            CorruptAsset, match=r"needs the package cox_utils to be opened; install it with: pip install"
        ):
            convert.convert(weights / "p.pkl", weights / "o.safetensors", trust=True)

    def test_code_that_ends_the_process(self, weights):
        class Quit:
            def __reduce__(self):
                return os._exit, (7,)

        torch.save({"w": torch.ones(1), "quit": Quit()}, weights / "q.pt")
        with pytest.raises(CorruptAsset, match=r"its process ended with code 7"):
            convert.convert(weights / "q.pt", weights / "o.safetensors", trust=True)

    def test_code_that_writes_the_file_itself_is_not_believed(self, weights, monkeypatch):
        def lying(file, inside, prefix, place):
            (place / "out.safetensors").write_bytes(b"no safetensors")
            return {"kept": {"w": "float32 [1]"}, "dropped": {}, "ran_code": True}

        torch.save({"w": torch.ones(1), "more": Boom(weights / "x")}, weights / "w.pt")
        monkeypatch.setattr(convert, "_in_a_process_of_its_own", lying)
        with pytest.raises(CorruptAsset, match=r"the file that was written is not a safetensors file"):
            convert.convert(weights / "w.pt", weights / "o.safetensors", trust=True)
        assert not (weights / "o.safetensors").exists()


def test_what_is_no_plain_file_is_not_said_to_be_missing(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.pt")
    assert main(f"{tmp_path / 'pipe.pt'} {tmp_path / 'o.safetensors'} --trust") == 1
    assert "pipe.pt is a pipe or a device, expected a plain file" in capsys.readouterr().err


def test_importing_it_loads_no_torch():
    code = "import sys, mmbench.models.convert; assert not {'torch', 'dill', 'numpy.core'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
