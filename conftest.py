"""Hypothesis profiles, and pytester for the plugin's own tests."""

import os
from importlib.util import find_spec

from mmbench.two_workers import let_waiting_threads_sleep

pytest_plugins = ["pytester"]

let_waiting_threads_sleep()  # the plugin does it for a run of benchmarks; most tests load torch without such a run

if find_spec("hypothesis"):  # the tests need it, benchmarks do not
    from hypothesis import settings

    settings.register_profile("dev", deadline=None)
    settings.register_profile("ci", deadline=None, derandomize=True)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
