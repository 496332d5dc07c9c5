"""Hypothesis profiles, and pytester for the plugin's own tests."""

import os
from importlib.util import find_spec

pytest_plugins = ["pytester"]

# Before anything loads torch: OpenMP's threads soon sleep while they wait. See Bench.open.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

if find_spec("hypothesis"):  # the tests need it, benchmarks do not
    from hypothesis import settings

    settings.register_profile("dev", deadline=None)
    settings.register_profile("ci", deadline=None, derandomize=True)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
