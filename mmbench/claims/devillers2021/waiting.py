"""A claim of the paper that waits for models that no lineup has yet."""

from __future__ import annotations

from mmbench.claims._common import claim

claim(
    "devillers2021-pred-domain-terms-help",
    "Adding a loss term within each modality, such as self-supervision, should help contrastive models on vision "
    "tasks.",
    "6",
    waits_for="a matched pair of models, trained by contrast with and without self-supervision",
    status="predicted",
)
