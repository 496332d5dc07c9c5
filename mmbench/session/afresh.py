"""A gate says of models and data that they are the same: every file is read in its run, by one of its workers."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from mmbench.files import hashed_afresh

BEGAN = "mmbench_began"


class Afresh:
    """Within ``files.hashed_afresh`` until pytest ends; workers of xdist are told when the run began."""

    def __init__(self, config: pytest.Config) -> None:
        until_the_end = contextlib.ExitStack()
        told = getattr(config, "workerinput", {}).get(BEGAN)
        self.began = until_the_end.enter_context(hashed_afresh(told))
        config.add_cleanup(until_the_end.close)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[BEGAN] = self.began
