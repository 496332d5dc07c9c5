"""Attacks on any differentiable encoder: images within a distance of the given ones that it takes for others."""
