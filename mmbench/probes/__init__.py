"""Probes: arrays in, predictions out. A probe knows no dataset, path, model or device policy."""
