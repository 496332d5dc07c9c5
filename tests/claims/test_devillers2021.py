"""Forms of Devillers et al. 2021 that are no stronger than their sentences: planted numbers at which they differ."""

import pytest

from mmbench.claims import CLAIMS
from mmbench.claims._common import AR, MULTIMODAL, SIN, VISUAL12
from mmbench.conditions import cells_of
from mmbench.probes.linear import LINEAR_PROBE
from mmbench.probes.spectral import CLUSTERING


def holds(claim, value):
    """Whether the claim's measured form holds where ``value(cell)`` is what each cell shows."""
    node = CLAIMS.get(f"devillers2021-{claim}").condition("measured")
    return node.truth({cell: value(cell) for cell in cells_of(node)})


def of_kinds(images, across, texts):
    """A correlation for each pair: two image encoders, an image encoder and a text model, two text models."""

    def value(cell):
        return (texts, across, images)[sum(role in VISUAL12 for role in cell.models)]

    return value


@pytest.mark.parametrize("texts", [-0.3, 0.9])
def test_text_models_are_furthest_away_whether_or_not_they_are_near_each_other(texts):
    assert holds("rsa-language-cluster-separate", of_kinds(0.6, 0.2, texts))
    assert not holds("rsa-language-cluster-separate", of_kinds(0.2, 0.6, texts))


def test_one_text_model_that_joins_clip_first_is_not_furthest_away():
    def value(cell):
        return 0.9 if set(cell.models) == {"clip", "clip_t"} else of_kinds(0.6, 0.2, 0.5)(cell)

    assert not holds("rsa-language-cluster-separate", value)


def test_clip_t_is_no_standard_language_model():
    """CLIP is nearer to CLIP-T than to image encoders; from BERT and GPT-2 it is further."""

    def value(cell):
        return 0.95 if set(cell.models) == {"clip", "clip_t"} else of_kinds(0.6, 0.2, 0.5)(cell)

    assert holds("rsa-multimodal-not-linguistic", value)
    assert not holds("rsa-multimodal-not-linguistic", of_kinds(0.2, 0.6, 0.5))


@pytest.mark.parametrize(
    "claim",
    ["fewshot-multimodal-not-better", "contrastive-not-enough", "clustering-clip-not-above-rn50",
     "multimodal-not-above-rn50"],
)  # fmt: skip
def test_a_tie_is_no_gain_and_neither_is_half_a_point(claim):
    for lead, expected in ((0.0, True), (0.5, True), (1.5, False)):
        assert holds(claim, lambda cell, lead=lead: 60.0 + lead * (cell.models[0] in MULTIMODAL)) == expected


def test_tasks_have_equal_weight_where_they_are_pooled():
    """Few-shot learning at three sizes is one task: 4 points there and -7 in the two others are no lead."""
    for model, claim, more in (("clip", "clip-best-multimodal", 0.0), ("bit_m", "cub-bitm-large-margin", 6.0)):

        def value(cell, model=model, more=more):
            other = cell.protocol.probe in (CLUSTERING.probe, LINEAR_PROBE.probe)
            return 60.0 + (cell.models[0] == model) * (more + (-3.5 if other else 4.0))

        assert not holds(claim, value)
        assert holds(claim, lambda cell, model=model, more=more: 60.0 + (cell.models[0] == model) * (more + 0.5))


def test_generally_the_best_on_digits_is_asked_of_pairs():
    """Five of the six are above all others; the sixth is far below, and so is the mean of the six."""

    def value(cell):
        return {"sin": 10.0}.get(cell.models[0], 61.0 if cell.models[0] in (*AR, *SIN) else 60.0)

    assert holds("digits-sin-ar-best", value)
    assert not holds("digits-sin-ar-best", lambda cell: 121.0 - value(cell))
