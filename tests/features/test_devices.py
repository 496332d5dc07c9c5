"""A device that torch does not have here is refused in one line."""

import subprocess
import sys

import pytest

from mmbench.errors import BadSpec
from mmbench.features.devices import require_device


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
