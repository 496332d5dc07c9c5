"""The designs of the calibration, one module a kind of evidence; ``DESIGNS`` finds them all."""
