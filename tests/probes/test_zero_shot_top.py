"""Several answers of zero-shot classification: open_clip's own classifier as oracle, nested answers, refusals."""

import dataclasses
import json
import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mmbench.errors import BadDataset
from mmbench.inputs.prompts import Prompted
from mmbench.metrics import METRICS
from mmbench.models.specs import resolve
from mmbench.probes.zero_shot import ZERO_SHOT_IMAGENET80, ZeroShotSettings, class_vectors, zero_shot
from mmbench.probes.zero_shot_top import ZERO_SHOT_TOP1, ZERO_SHOT_TOP5, ZeroShotTopSettings, zero_shot_top
from mmbench.training.tensors import unit_rows

ANIMALS = ("tench", "great white shark", "hen", "owl", "tree frog", "box turtle", "water snake")


def answers(inputs, *tops):
    return zero_shot_top(inputs, [ZeroShotTopSettings(top=top) for top in tops], trials=1, seed=0)


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_answers_are_nested_and_the_first_is_that_of_zero_shot(gaussians, seed):
    inputs = gaussians(seed=seed, prompted=True)
    one, two, three = answers(inputs, 1, 2, 3)
    np.testing.assert_array_equal(one, three[:, :, :1])
    np.testing.assert_array_equal(two, three[:, :, :2])
    assert all(len(set(row)) == 3 for row in three[0])
    np.testing.assert_array_equal(one[:, :, 0], zero_shot(inputs, [ZeroShotSettings()], trials=1, seed=0)[0])


def test_more_answers_are_right_more_often(gaussians):
    inputs = gaussians(spread=0.3, test=200, prompted=True)
    metric = METRICS.get("among_answers")
    shares = [metric.outcome(found, inputs.test_y).mean() for found in answers(inputs, 1, 2, 3)]
    assert shares[0] < shares[1] < shares[2] < 1


def test_a_label_counts_wherever_it_stands_among_the_answers():
    found = METRICS.get("among_answers").outcome(np.array([[[0, 1], [1, 2], [2, 0]]]), np.array([1, 1, 1]))
    assert (found.tolist(), found.dtype) == ([[1, 1, 0]], np.float32)


@pytest.mark.parametrize("top", [4, 5])
def test_no_more_classes_than_answers_is_refused(gaussians, top):
    message = (
        f"top-{top} accuracy needs more than {top} classes, got 4, so that every answer would be right; ask top-1, or "
        "a dataset with more classes"
    )
    with pytest.raises(BadDataset, match=f"^{re.escape(message)}$"):
        answers(gaussians(prompted=True), top)


def test_a_trial_is_the_same_as_another(gaussians):
    found = zero_shot_top(gaussians(prompted=True), [ZeroShotTopSettings(top=2)], trials=3, seed=0)[0]
    assert found.shape == (3, *found.shape[1:])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.fixture
def tiny_clip(tmp_path, monkeypatch):
    """open_clip's model of random weights, its tokenizer, and mmbench's two towers of the same file."""
    import torch
    from safetensors.torch import save_file

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import open_clip

    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    vision = {"image_size": 32, "layers": 2, "width": 16, "patch_size": 8, "head_width": 8}
    (tmp_path / "top-five-vit.json").write_text(json.dumps({"embed_dim": 12, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(tmp_path / "top-five-vit.json")
    torch.manual_seed(0)
    model, _, _ = open_clip.create_model_and_transforms("top-five-vit")
    save_file(model.state_dict(), tmp_path / "c.safetensors")
    monkeypatch.setenv("MMBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    image, words = (resolve(f"open_clip:top-five-vit@c.safetensors?dim=12{tower}").load() for tower in ("", "#text"))
    return model.eval(), open_clip.get_tokenizer("top-five-vit"), image, words


def test_classifier_logits_and_answers_are_those_of_open_clip(tiny_clip):
    """The 80 templates, seven classes: its ``build_zero_shot_classifier`` to 1e-5, and five answers for an image."""
    import open_clip
    import torch

    model, tokenizer, image, words = tiny_clip
    wanted = open_clip.build_zero_shot_classifier(model, tokenizer, ANIMALS, open_clip.OPENAI_IMAGENET_TEMPLATES)
    templates = ZERO_SHOT_IMAGENET80.settings.templates
    pixels = torch.rand(40, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        texts = [template.replace("{}", name) for name in ANIMALS for template in templates]
        prompts = words.forward(texts).reshape(len(ANIMALS), len(templates), -1)
        torch.testing.assert_close(class_vectors(prompts).T, wanted, rtol=0, atol=1e-5)
        logits = 100 * model.encode_image(pixels, normalize=True) @ wanted
        features = image.forward(pixels)
        torch.testing.assert_close(100 * unit_rows(features) @ class_vectors(prompts).T, logits, rtol=0, atol=1e-3)
        assert not torch.allclose(class_vectors(prompts, normalise_each=False).T, wanted, rtol=0, atol=1e-5)
    inputs = Prompted(features.numpy(), np.zeros(40, np.int64), ANIMALS, prompts.numpy())
    (found,) = zero_shot_top(inputs, [ZERO_SHOT_TOP5.settings], trials=1, seed=0)
    gaps = logits.sort(dim=1, descending=True).values.diff(dim=1).abs().min(dim=1).values.numpy()
    clear = gaps > 1e-3  # the order of others is decided by rounding
    assert clear.sum() > 20
    np.testing.assert_array_equal(found[0][clear], logits.topk(5, dim=1).indices.numpy()[clear])


def test_one_answer_is_a_protocol_too():
    assert dataclasses.replace(ZERO_SHOT_TOP1.settings, top=5) == ZERO_SHOT_TOP5.settings
    assert ZERO_SHOT_TOP1.fingerprint() != ZERO_SHOT_TOP5.fingerprint()
