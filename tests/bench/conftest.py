"""Makes tiny_spaces importable: tests are no package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ..noted_examples import examples_are_known_without_features  # noqa: F401  for every test here
