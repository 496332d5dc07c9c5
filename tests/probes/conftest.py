"""Makes the fixture ``gaussians`` known here."""

from ..made_features import gaussians

__all__ = ["gaussians"]
