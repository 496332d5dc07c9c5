"""Protocols at other settings."""

import pytest

from mmbench.errors import UnknownName
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.prototypes import FEW_SHOT


def test_a_setting_that_the_probe_does_not_have_is_refused_by_name():
    with pytest.raises(UnknownName, match=r"^no setting of protocol few_shot named 'shot'\. Did you mean 'shots'"):
        FEW_SHOT.at(shot=1)
    with pytest.raises(UnknownName, match="no setting of protocol linear_probe named 'shots'"):
        LINEAR_PROBE.over(shots=(1, 5))
    assert FEW_SHOT.at(shots=1).settings.shots == 1
