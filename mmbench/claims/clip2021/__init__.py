"""Radford et al. 2021 (CLIP, the ICML version), and what a pre-report by Wu says of it."""

from mmbench.claims.clip2021 import audits, few_shot, pretraining, probing, roles, shift, zero_shot

__all__ = ["audits", "few_shot", "pretraining", "probing", "roles", "shift", "zero_shot"]
