"""Executable claims about vision-language representations.

A claim is one sentence of one paper in a form that can be judged. ``pytest benchmarks`` extracts the features
it names, probes them as the paper did, and returns a verdict with its uncertainty.
"""

import mmbench.imports as _imports  # noqa: F401 - first: it notes when a module is asked for

__version__ = "0.1.0"
