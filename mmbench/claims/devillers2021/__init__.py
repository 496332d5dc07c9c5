"""Devillers, Choksi, Bielawski and VanRullen 2021 (CoNLL), reprinted as chapter 4 of the thesis."""

from mmbench.claims.devillers2021 import generalization, parts, printed_numbers, robustness, similarity, words

__all__ = ["generalization", "parts", "printed_numbers", "robustness", "similarity", "words"]
