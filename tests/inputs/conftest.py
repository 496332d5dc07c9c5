"""Every cell that is measured here is also asked for its examples without features."""

from ..noted_examples import examples_are_known_without_features  # noqa: F401
