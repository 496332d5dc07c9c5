"""Every architecture that open_clip lists has both towers, without weights and without a network.

They are built on the meta device, where a tensor has a shape and no values, with towers of one layer where open_clip's
own config says how many there are.
"""

from __future__ import annotations

import copy
import warnings

import pytest
import torch

from mmbench.errors import MissingAsset
from mmbench.models import open_clip as ours
from mmbench.models.specs import parse

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import open_clip
    from open_clip import factory, timm_model


@pytest.fixture
def on_meta(monkeypatch):
    """open_clip builds small models on the meta device, and asks nobody for a tokenizer."""
    whole = factory.get_model_config

    def shallow(name):
        config = copy.deepcopy(whole(name))
        for tower in ("vision_cfg", "text_cfg", "multimodal_cfg"):
            if "layers" in config.get(tower, {}):
                layers = config[tower]["layers"]
                config[tower]["layers"] = [1] * len(layers) if isinstance(layers, list) else 1
        return config

    created = timm_model.timm.create_model

    def shallow_timm(name, *given, **options):
        less = {"vit": {"depth": 1}, "eva": {"depth": 1}, "eva02": {"depth": 1}, "convnext": {"depths": (1, 1, 1, 1)}}
        return created(name, *given, **options, **less.get(name.partition("_")[0], {}))

    monkeypatch.setattr(factory, "get_model_config", shallow)
    monkeypatch.setattr(timm_model.timm, "create_model", shallow_timm)
    monkeypatch.setattr(factory, "_set_model_device_and_precision", lambda *_: None)  # it would copy to the CPU
    with torch.device("meta"):
        yield


def test_every_architecture_gives_both_towers_or_says_what_is_missing(on_meta, monkeypatch):
    refused, widths = [], {}
    for name in open_clip.list_models():
        spec, config = parse(f"open_clip:{name}?random=0"), open_clip.get_model_config(name)
        length = config["text_cfg"].get("context_length", 77)
        monkeypatch.setattr(
            ours, "tokenizer_of", lambda _, n=length: lambda texts: torch.zeros(len(texts), n, dtype=torch.long)
        )
        try:
            module = ours.build(spec)
        except MissingAsset as error:
            refused.append((name, str(error)))
            continue
        image = ours.image_of(spec, module)
        widths[name] = (image.dim, ours.text_of(spec, module).dim, config["embed_dim"])
    assert len(widths) + len(refused) == len(open_clip.list_models())
    assert {name: each for name, each in widths.items() if len(set(each)) > 1} == {}
    for name, words in refused:  # text towers of transformers, whose configs are on the hub
        assert f"hf download {open_clip.get_model_config(name)['text_cfg']['hf_model_name']} " in words
    assert len(widths) > 120
