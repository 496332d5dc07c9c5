"""One contract, run over every registered dataset, model, protocol, claim and lineup."""

from dataclasses import replace

import pytest

from mmbench import contract_checks as checks
from mmbench.contract_checks import contract
from mmbench.datasets.masks import MASKS
from mmbench.datasets.source import SOURCES
from mmbench.errors import UnknownName
from mmbench.metrics import METRICS
from mmbench.probes.entry import PROBES
from mmbench.probes.prototypes import FEW_SHOT

CHECKS = dict(contract())


@pytest.mark.parametrize("name", CHECKS)
def test_contract(name):
    CHECKS[name]()


PROBE = PROBES.get("prototypes")
FAULTS = {
    "figure without a title": (checks.figure_has_a_title, replace(PROBE, title="")),
    "nothing said": (checks.says_what_it_is, replace(PROBE, about="")),
    "unknown inputs": (checks.takes_what_it_is_given, replace(PROBE, inputs="labeled")),
    "settings of another probe": (checks.names_what_is_registered, replace(FEW_SHOT, probe="linear")),
    "bounds in the wrong order": (checks.bounds_are_in_order, replace(METRICS.get("accuracy"), low=1.0, high=0.0)),
    "form of another source": (checks.form_begins_with_its_name, replace(SOURCES.get("table"), name="tables")),
    "identity by chance": (checks.mask_identity_is_stable, replace(MASKS.get("grey"), identity=iter("ab").__next__)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault):
    check, entry = FAULTS[fault]
    with pytest.raises(AssertionError):
        check(entry)


def test_a_probe_without_a_parameter_and_a_protocol_with_unknown_metric_are_found():
    with pytest.raises(TypeError, match="device"):
        checks.takes_what_it_is_given(replace(PROBE, run=lambda inputs, settings, *, trials, seed: []))
    with pytest.raises(UnknownName, match="accuracy"):
        checks.names_what_is_registered(replace(FEW_SHOT, metric="acuracy"))
