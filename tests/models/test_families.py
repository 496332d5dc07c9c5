"""Features of 16 varied images and of texts equal the reference library's own pipeline, family by family.

Each model is small and random, saved as its library saves it, and read twice: by mmbench from a specification, and by
the library with its own classes for preprocessing, network and tokenizer. Tolerance: ``CLOSE`` of the largest feature.
transformers has two backends for images: features are those of its PIL backend, and the pixels of its torchvision
backend differ by less than half a level of 255 on average.
"""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from mmbench.models.specs import resolve

warnings.simplefilter("ignore")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import open_clip
    import timm
    import torchvision
    import transformers as hf

CLOSE = 2e-5
SIZES = [(32, 32), (40, 33), (33, 40), (64, 64), (97, 31), (31, 97), (200, 150), (151, 201), (16, 16), (17, 90)]
SIZES += [(300, 40), (41, 120), (224, 224), (225, 224), (224, 227), (50, 49)]
TEXTS = ["a cat", "a big red dog", "cat", "dog dog dog dog dog dog dog", "red", "unknown words here"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "dog", "big", "red"]


@pytest.fixture(scope="module", autouse=True)
def quiet():
    level = hf.logging.get_verbosity()
    hf.logging.set_verbosity_error()
    hf.utils.logging.disable_progress_bar()
    yield
    hf.utils.logging.enable_progress_bar()
    hf.logging.set_verbosity(level)


@pytest.fixture(scope="module")
def images():
    """Noise, smooth slopes and grey pictures, wide, tall, tiny and larger than any network reads."""
    rng = np.random.default_rng(0)
    found = []
    for number, (width, height) in enumerate(SIZES):
        noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        slope = np.linspace(0, 255, width, dtype=np.uint8)[None, :, None] * np.ones((height, 1, 3), np.uint8)
        image = Image.fromarray(noise if number % 2 else slope)
        found.append(image.convert("L") if number % 5 == 4 else image)
    return found


def ours(spec, items):
    encoder = resolve(spec).load()
    with torch.inference_mode():
        batch = torch.stack([encoder.prepare(item) for item in items]) if encoder.modality == "image" else items
        found = encoder.forward(batch)
    assert found.shape == (len(items), encoder.dim)
    return batch, found


def assert_close(found, wanted):
    assert found.shape == wanted.shape
    assert wanted.std(dim=0).max() > 1e-4  # else any two models would agree
    torch.testing.assert_close(found, wanted, rtol=0, atol=float(CLOSE * wanted.abs().max()))


SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
VISION = {**SMALL, "image_size": 32, "patch_size": 8}
TEXT = {**SMALL, "vocab_size": len(WORDS), "max_position_embeddings": 12}
ENDS = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
SWIN = {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4}
STAGES = {"hidden_sizes": [8, 16], "depths": [1, 1]}
SQUARE = {"size": {"height": 32, "width": 32}}
CROP = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}


def towers(config, **text):
    return config(vision_config=VISION, text_config=TEXT | ENDS | text, projection_dim=12)


IMAGE_FAMILIES = {
    "vit": (lambda: hf.ViTModel(hf.ViTConfig(**VISION)), hf.ViTImageProcessor(**SQUARE)),
    "deit": (lambda: hf.DeiTModel(hf.DeiTConfig(**VISION)), hf.DeiTImageProcessor(**CROP)),
    "beit": (lambda: hf.BeitModel(hf.BeitConfig(**VISION)), hf.BeitImageProcessor(**SQUARE)),
    "data2vec": (lambda: hf.Data2VecVisionModel(hf.Data2VecVisionConfig(**VISION)), hf.BeitImageProcessor(**SQUARE)),
    "dinov2": (lambda: hf.Dinov2Model(hf.Dinov2Config(**VISION)), hf.BitImageProcessor(**CROP)),
    "dinov2 with registers": (
        lambda: hf.Dinov2WithRegistersModel(hf.Dinov2WithRegistersConfig(**VISION)), hf.BitImageProcessor(**CROP)
    ),
    "clip": (lambda: hf.CLIPModel(towers(hf.CLIPConfig)), hf.CLIPImageProcessor(**CROP)),
    "clip tower": (lambda: hf.CLIPVisionModel(hf.CLIPVisionConfig(**VISION)), hf.CLIPImageProcessor(**CROP)),
    "clip tower with projection": (
        lambda: hf.CLIPVisionModelWithProjection(hf.CLIPVisionConfig(**VISION, projection_dim=12)),
        hf.CLIPImageProcessor(size=36, crop_size=32),  # a number: the short side
    ),
    "siglip": (
        lambda: hf.SiglipModel(hf.SiglipConfig(vision_config=VISION, text_config=TEXT)),
        hf.SiglipImageProcessor(**SQUARE),
    ),
    "siglip tower": (lambda: hf.SiglipVisionModel(hf.SiglipVisionConfig(**VISION)), hf.SiglipImageProcessor(**SQUARE)),
    "swin": (lambda: hf.SwinModel(hf.SwinConfig(**SWIN)), hf.ViTImageProcessor(size=32)),  # a number: a square
    "swinv2": (lambda: hf.Swinv2Model(hf.Swinv2Config(**SWIN)), hf.ViTImageProcessor(**SQUARE)),
    "convnext": (
        lambda: hf.ConvNextModel(hf.ConvNextConfig(num_stages=2, **STAGES)),
        hf.ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=0.875),
    ),
    "convnextv2": (
        lambda: hf.ConvNextV2Model(hf.ConvNextV2Config(num_stages=2, **STAGES)),
        hf.ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=1.0),
    ),
    "resnet": (
        lambda: hf.ResNetModel(hf.ResNetConfig(embedding_size=8, **STAGES)),
        hf.ConvNextImageProcessor(size=CROP["size"]),
    ),
    "regnet": (
        lambda: hf.RegNetModel(hf.RegNetConfig(embedding_size=8, groups_width=8, **STAGES)),
        hf.BitImageProcessor(**CROP),
    ),
    "mobilenet": (
        lambda: hf.MobileNetV1Model(hf.MobileNetV1Config(depth_multiplier=0.25, min_depth=4)),
        hf.MobileNetV1ImageProcessor(**CROP),
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_images_of_transformers(weights, images, family):
    build, processor = IMAGE_FAMILIES[family]
    torch.manual_seed(0)
    model = build().eval()
    for weight in model.parameters():
        if weight.ndim == 4:  # convolutions as they begin would give features of nearly 0
            torch.nn.init.kaiming_normal_(weight)
    model.save_pretrained(weights / "m")
    processor.save_pretrained(weights / "m")
    batch, found = ours("transformers:m#image", images)
    for backend, levels in (("torchvision", 0.5), ("pil", 1e-3)):
        library = hf.AutoImageProcessor.from_pretrained(weights / "m", backend=backend)
        pixels = torch.cat(
            [library(images=each.convert("RGB"), return_tensors="pt")["pixel_values"] for each in images]
        )
        std = torch.tensor(library.image_std or [1.0] * 3).view(3, 1, 1)
        assert ((batch - pixels) * std).abs().mean(dim=(1, 2, 3)).max() * 255 <= levels
    with torch.inference_mode():
        if hasattr(model, "get_image_features"):
            wanted = model.get_image_features(pixel_values=pixels).pooler_output
        else:
            out = model(pixel_values=pixels)
            own = out.get("image_embeds", out.get("pooler_output"))
            wanted = out.last_hidden_state[:, 0] if own is None else own.flatten(1)  # without a pooler: the class token
    assert_close(found, wanted)


def write_tokenizer(folder, **options):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    raw = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    hf.PreTrainedTokenizerFast(tokenizer_object=raw, **names | options).save_pretrained(folder)


PLAIN_TEXT = {"vocab_size": len(WORDS), "max_position_embeddings": 12}
MEAN, OWN = "", "?pool=pooler"
TEXT_FAMILIES = {
    "bert": (lambda: hf.BertModel(hf.BertConfig(**TEXT)), MEAN),
    "bert pooler": (lambda: hf.BertModel(hf.BertConfig(**TEXT)), OWN),
    "roberta": (
        lambda: hf.RobertaModel(hf.RobertaConfig(**TEXT | {"max_position_embeddings": 13}, pad_token_id=0)), MEAN
    ),
    "distilbert": (
        lambda: hf.DistilBertModel(hf.DistilBertConfig(**PLAIN_TEXT, dim=16, n_layers=2, n_heads=2, hidden_dim=24)),
        MEAN,
    ),
    "mpnet": (lambda: hf.MPNetModel(hf.MPNetConfig(**TEXT | {"max_position_embeddings": 14}, pad_token_id=0)), MEAN),
    "gpt2": (
        lambda: hf.GPT2Model(hf.GPT2Config(vocab_size=len(WORDS), n_positions=12, n_embd=16, n_layer=2, n_head=2)), MEAN
    ),
    "clip": (lambda: hf.CLIPModel(towers(hf.CLIPConfig)), "own"),
    "clip tower": (lambda: hf.CLIPTextModel(hf.CLIPTextConfig(**TEXT, **ENDS)), "own"),
    "clip tower with projection": (
        lambda: hf.CLIPTextModelWithProjection(hf.CLIPTextConfig(**TEXT, **ENDS, projection_dim=12)), "own"
    ),
    "siglip": (
        lambda: hf.SiglipModel(hf.SiglipConfig(vision_config=VISION, text_config=TEXT | {"projection_size": 16})), "own"
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", TEXT_FAMILIES)
def test_texts_of_transformers(weights, family):
    build, pool = TEXT_FAMILIES[family]
    torch.manual_seed(0)
    model = build().eval()
    model.save_pretrained(weights / "m")
    siglip = family == "siglip"
    write_tokenizer(weights / "m", **{"model_input_names": ["input_ids"]} if siglip else {})
    _, found = ours(f"transformers:m{pool.removeprefix('own')}", TEXTS)
    tokenizer = hf.AutoTokenizer.from_pretrained(weights / "m")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    words = {"padding": "max_length", "max_length": 12} if siglip else {}
    rows = []
    with torch.inference_mode():
        for text in TEXTS:  # one by one: no padding has to be left out
            batch = tokenizer(text, return_tensors="pt", truncation=True, **words or {"max_length": 12})
            batch.pop("token_type_ids", None)
            if hasattr(model, "get_text_features"):
                rows.append(model.get_text_features(**batch).pooler_output)
                continue
            out = model(**batch)
            own = out.text_embeds if "text_embeds" in out else out.get("pooler_output")
            rows.append(out.last_hidden_state.mean(dim=1) if pool == MEAN else own)
    assert_close(found, torch.cat(rows))


TIMM = timm.list_models("test_*")


@pytest.mark.parametrize("name", TIMM)
def test_images_of_timm(weights, images, name):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3).eval()
    save_file(model.state_dict(), weights / "m.safetensors")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    batch, found = ours(f"timm:{name}@m.safetensors", images)
    pixels = torch.stack([transform(image.convert("RGB")) for image in images])
    torch.testing.assert_close(batch, pixels, rtol=0, atol=1e-6)
    with torch.inference_mode():
        wanted = model.forward_head(model.forward_features(pixels), pre_logits=True)
    torch.testing.assert_close(found, wanted, rtol=0, atol=float(CLOSE * wanted.abs().max()))


@pytest.mark.parametrize(("mode", "share"), [("squash", 0.9), ("squash", 1.0), ("border", 0.9), ("border", 1.0)])
@pytest.mark.parametrize("form", ["timm:local-dir:d", "timm:test_vit@d", "timm:test_vit@d/model.safetensors"])
def test_the_config_beside_timms_weights(weights, images, mode, share, form):
    folder = weights / "d"
    folder.mkdir()
    torch.manual_seed(0)
    fed = {"mean": [0.5] * 3, "std": [0.3] * 3, "input_size": [3, 160, 160], "crop_pct": share, "crop_mode": mode}
    fed |= {
        "num_classes": 3,
        "fixed_input_size": True,
        "interpolation": "bilinear",
        "classifier": "head",
        "first_conv": "patch_embed.proj",
    }
    config = {"architecture": "test_vit", "num_classes": 3, "pretrained_cfg": fed}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(timm.create_model("test_vit", num_classes=3).state_dict(), folder / "model.safetensors")
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    batch, found = ours(form, images)
    pixels = torch.stack([transform(image.convert("RGB")) for image in images])
    torch.testing.assert_close(batch, pixels, rtol=0, atol=1e-6)
    with torch.inference_mode():
        assert_close(found, model.forward_head(model.forward_features(pixels), pre_logits=True))


@pytest.mark.parametrize("name", [
    "resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "mnasnet0_5",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("vit_b_16", "swin_t", "convnext_tiny", "densenet121",
      "efficientnet_b0", "regnet_y_400mf", "maxvit_t")),
])  # fmt: skip
def test_images_of_torchvision(weights, images, name):
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, weights=None).eval()
    save_file(model.state_dict(), weights / "m.safetensors")
    transform = torchvision.models.get_model_weights(name).IMAGENET1K_V1.transforms()
    batch, found = ours(f"torchvision:{name}@m.safetensors", images)
    pixels = torch.stack([transform(image.convert("RGB")) for image in images])
    torch.testing.assert_close(batch, pixels, rtol=0, atol=1e-6)
    last = [part for part in model.modules() if isinstance(part, torch.nn.Linear)][-1]
    seen = []
    last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.inference_mode():
        model(pixels)
    torch.testing.assert_close(found, seen[0], rtol=0, atol=float(CLOSE * seen[0].abs().max()))


OC_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
OC_VIT = {"image_size": 32, "layers": 2, "width": 16, "patch_size": 8, "head_width": 8}
DECODER = {"context_length": 76, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1, "embed_cls": True}
OPEN_CLIP = {
    "vit": {"embed_dim": 12, "vision_cfg": OC_VIT, "text_cfg": OC_TEXT},
    "resnet": {
        "embed_dim": 12,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None},
        "text_cfg": OC_TEXT,
    },
    "timm tower": {
        "embed_dim": 12,
        "vision_cfg": {"timm_model_name": "test_vit", "timm_model_pretrained": False, "timm_pool": "",
                       "timm_proj": "linear", "image_size": 160},
        "text_cfg": OC_TEXT,
    },
    "own text tower": {"embed_dim": 12, "vision_cfg": OC_VIT, "text_cfg": OC_TEXT, "custom_text": True},
    "coca": {
        "embed_dim": 12,
        "vision_cfg": {**OC_VIT, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
        "text_cfg": {**DECODER, "output_tokens": True},
        "multimodal_cfg": {**DECODER, "attn_pooler_heads": 2},
        "custom_text": True,
    },
    "text tower of transformers": {
        "embed_dim": 12,
        "vision_cfg": OC_VIT,
        "text_cfg": {"hf_model_name": "bert", "hf_tokenizer_name": "bert", "hf_proj_type": "mlp",
                     "hf_pooler_type": "mean_pooler", "context_length": 12},
    },
}  # fmt: skip


@pytest.mark.parametrize("resize", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("family", OPEN_CLIP)
def test_both_towers_of_open_clip(weights, images, monkeypatch, family, resize):
    monkeypatch.chdir(weights)  # the text tower's folder is named relative to it
    hf.BertModel(hf.BertConfig(**TEXT)).save_pretrained(weights / "bert")
    write_tokenizer(weights / "bert")
    fed = {"mean": [0.5, 0.4, 0.3], "std": [0.2] * 3, "interpolation": "bicubic", "resize_mode": resize}
    folder = weights / "d"
    folder.mkdir()
    if "hf_tokenizer_name" in OPEN_CLIP[family]["text_cfg"]:
        write_tokenizer(folder)
    config = {"model_cfg": OPEN_CLIP[family], "preprocess_cfg": fed}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}", load_weights=False)
    save_file({key: value.clone() for key, value in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    model.eval()
    batch, found = ours("open_clip:local-dir:d", images)
    pixels = torch.stack([transform(image.convert("RGB")) for image in images])
    torch.testing.assert_close(batch, pixels, rtol=0, atol=1e-6)
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS)
    with torch.inference_mode():
        assert_close(found, model.encode_image(pixels))
        assert_close(ours("open_clip:local-dir:d#text", TEXTS)[1], model.encode_text(tokens))
