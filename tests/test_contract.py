"""One contract, run over every registered dataset, model, protocol, claim and lineup."""

import pytest

from mmbench.contract_checks import contract

CHECKS = dict(contract())


@pytest.mark.parametrize("name", CHECKS)
def test_contract(name):
    CHECKS[name]()
