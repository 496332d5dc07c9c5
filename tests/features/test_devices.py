"""A device that torch does not have here is refused in one line."""

import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest

from mmbench.errors import BadSpec
from mmbench.features.devices import require_device, warn_of_slow_precision


@pytest.mark.parametrize("device", ["nope", "cpu:x", "meta"])
def test_a_device_that_cannot_be_used_is_refused(device):
    with pytest.raises(BadSpec) as told:
        require_device(device)
    assert str(told.value).startswith(f"device '{device}' cannot be used here (")
    assert str(told.value).endswith("); give another, such as cpu or cuda:0")


def test_a_device_that_is_there_is_taken():
    require_device("cpu")
    require_device("cpu:0")


def test_the_usual_device_is_known_without_torch():
    code = (
        "import sys; from mmbench.features.devices import require_device as r; r('cpu'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("there", [False, True])
def test_a_precision_that_the_processor_does_not_have_is_said_once(monkeypatch, precision, there):
    import torch

    ops = SimpleNamespace(**{f"_is_mkldnn_{each}_supported": lambda: there for each in ("bf16", "fp16")})
    monkeypatch.setattr(torch, "ops", SimpleNamespace(mkldnn=ops))
    warn_of_slow_precision.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for device in ("cpu", "cpu", "cuda:0"):
            warn_of_slow_precision(device, precision)
        warn_of_slow_precision("cpu", "float32")
    warn_of_slow_precision.cache_clear()
    said = [str(each.message) for each in caught]
    assert len(said) == (0 if there else 1)
    assert all(text.startswith(f"this processor has no instructions for {precision}: encoding takes") for text in said)
