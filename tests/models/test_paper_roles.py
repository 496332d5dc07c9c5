"""Every model role of the paper lineups, loaded by its real loader from files in the real layout.

Weights are random, so that nothing is downloaded; features are compared with those of the reference library on the
same file, and the preprocessing with what the papers' code does.
"""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest
import torch
import transformers
import tsm_by_hand
from paper_files import BEIT, PROCESSORS, REVISION, SIN, environment, tsm_haiku, vision_model, write_checkpoints
from PIL import Image

from mmbench.datasets.marked import Marked
from mmbench.lineups import load_lineup
from mmbench.models.spans import SPAN_FIRST
from mmbench.models.specs import resolve

pytestmark = pytest.mark.slow

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5,) * 3, (0.5,) * 3
PLAIN = (0.0,) * 3, (1.0,) * 3
# Mean and std (as their authors give them), and the SHA-256 of the bytes that are normalised: resized, cropped, RGB.
CROP_256, CROP_224, CROP_272_256 = "8b2cf8f0f9786b35", "b94206758ca0d8f1", "cc9b6ff421c995ff"
SQUASH_LINEAR, SQUASH_CUBIC = "de4932afc55eab94", "19b3c77609230443"
PREPROCESSED = {
    **dict.fromkeys(("rn50", "sin", "sin_in", "sin_in_fin", "ar_l2", "ar_li4", "ar_li8"), (256, IMAGENET, CROP_256)),
    **dict.fromkeys(("virtex", "icmlm"), (256, IMAGENET, CROP_256)),
    **dict.fromkeys(("bit_m", "bit_s"), (256, HALF, CROP_256)),
    "tsm": (256, PLAIN, CROP_256),
    "clip": (224, CLIP, CROP_224),
    "clip_vitb32": (224, CLIP, CROP_224),
    "vit_unimodal": (224, HALF, SQUASH_LINEAR),
    "dino_vitb16": (224, IMAGENET, SQUASH_CUBIC),
    **dict.fromkeys(("limber_beit", "limber_beit_ft"), (224, HALF, SQUASH_LINEAR)),
    "limber_nfrn50": (256, PLAIN, CROP_272_256),
}
CAPTIONS = ["a photo of a tench", "a photo of a cock, male of the domestic fowl", "a photo of an axolotl"]
PAPER = load_lineup("paper")
# visualbert has tests of its own; clip, clip_t, clip_vitb32 and gpt2 are read as the others are, from files of this
# kind, and ViT-L/14 would be five times as large.
ELSEWHERE = {"visualbert", "captioned_clip", "captioned_clip_t", "aligned_clip", "aligned_clip_t", "writer"}
ROLES = {role: binding for role, binding in PAPER.models.items() if role not in ELSEWHERE}
IMAGE_ROLES = [role for role, binding in ROLES.items() if binding.entry.modality == "image"]
TEXT_ROLES = [role for role in ROLES if role not in (*IMAGE_ROLES, "free_words")]  # which is no encoder
# Lineups that bind some of these roles otherwise.
CHANGED = {"paper_224": ("rn50", "bit_m"), "paper_hub_robust": ("ar_l2", "ar_li4", "ar_li8")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All files, and the environment in which they are found; 2.4 GB, removed afterwards."""
    import huggingface_hub.constants

    place = tmp_path_factory.mktemp("checkpoints")
    write_checkpoints(place)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment(place).items():
            patch.setenv(key, value)
        patch.setenv("MMBENCH_CACHE", str(place / "cache"))
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(place / "hub"))
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        yield place
    shutil.rmtree(place)


def picture():
    """A picture of whole numbers by a formula: 300 x 200, smooth in one channel and busy in another."""
    y, x = np.meshgrid(np.arange(200), np.arange(300), indexing="ij")
    return Image.fromarray(np.stack([(x + y) // 2, (3 * x + 7 * y) % 256, (x * y) % 256], -1).astype(np.uint8))


def encode(role, lineup=PAPER):
    """Encoder, batch and features of a role, two pictures or the captions."""
    encoder = lineup.model(role).entry.load()
    if encoder.modality == "text":
        batch = CAPTIONS
    else:
        images = picture(), picture().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        batch = torch.stack([encoder.prepare(image) for image in images])
    with torch.inference_mode():
        return encoder, batch, encoder.forward(batch)


def resnet(state):
    """torchvision's own ResNet-50 up to its pooling, with nothing of mmbench in it."""
    import torchvision

    module = torchvision.models.resnet50(weights=None)
    missing = module.load_state_dict(state, strict=False).missing_keys
    assert all(key.startswith("fc.") for key in missing)
    module.fc = torch.nn.Identity()
    return module.eval()


def torch_file(path):
    return torch.load(path, weights_only=True)


def stylised(name):
    return lambda at: resnet({k.removeprefix("module."): v for k, v in torch_file(at / name)["state_dict"].items()})


def robust(name):
    def build(at):
        from safetensors.torch import load_file

        prefix, state = "module.model.", load_file(at / f"{name}.safetensors")
        return resnet({key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)})

    return build


def timm_model(name):
    def build(at):
        import timm

        file = at / "hub" / f"models--timm--{name}" / "snapshots" / REVISION / "model.safetensors"
        module = timm.create_model(name, num_classes=10, checkpoint_path=str(file)).eval()
        return lambda batch: module.forward_head(module.forward_features(batch), pre_logits=True).flatten(1)

    return build


def bit_of(file):
    """timm's own reader of BiT's npz files."""

    def build(at):
        import timm

        module = timm.create_model("resnetv2_50x1_bit.goog_in21k", num_classes=10).eval()
        module.load_pretrained(str(at / file))
        return lambda batch: module.forward_head(module.forward_features(batch), pre_logits=True).flatten(1)

    return build


def vision_transformer(name, pool):
    """transformers' own class for the repository; its base model's last hidden state, pooled."""

    def build(at):
        module = getattr(transformers, type(vision_model(name)).__name__).from_pretrained(at / name).eval()
        body = getattr(module, "beit", module)
        return lambda batch: pool(body(pixel_values=batch).last_hidden_state)

    return build


def cls(hidden):
    return hidden[:, 0]


def mean(hidden):
    return hidden[:, 1:].mean(dim=1)  # of the patches, without the class token


def clip_model(name):
    import open_clip

    # by the tag alone open_clip warns and builds a plain GELU
    return open_clip.create_model(name, pretrained="openai", force_quick_gelu=True).eval()


REFERENCE = {
    "rn50": lambda at: resnet(torch_file(at / "torch" / "hub" / "checkpoints" / "resnet50-0676ba61.pth")),
    **{role: stylised(name) for role, name in zip(("sin", "sin_in", "sin_in_fin"), SIN, strict=True)},
    "ar_l2": robust("imagenet_l2_3_0"),
    "ar_li4": robust("imagenet_linf_4"),
    "ar_li8": robust("imagenet_linf_8"),
    "virtex": lambda at: resnet(torch_file(at / "backbone_bicaptioning_R_50_L1_H2048.pth")),
    "icmlm": lambda at: resnet(torch_file(at / "icmlm-attfc_r50_coco_5K.pth")["cnn"]),
    "bit_m": timm_model("resnetv2_50x1_bit.goog_in21k"),
    "bit_s": bit_of("BiT-S-R50x1.npz"),
    "limber_nfrn50": timm_model("nf_resnet50.ra2_in1k"),
    "vit_unimodal": vision_transformer("google/vit-base-patch16-224-in21k", cls),
    "dino_vitb16": vision_transformer("facebook/dino-vitb16", cls),
    "limber_beit": vision_transformer(BEIT, mean),
    "limber_beit_ft": vision_transformer(f"{BEIT}-ft22k", mean),
    "tsm": lambda at: lambda batch: torch.stack([tsm_by_hand.features(tsm_haiku(), image[None]) for image in batch]),
    "clip": lambda at: clip_model("RN50").encode_image,
    "clip_vitb32": lambda at: clip_model("ViT-B-32").encode_image,
}


def test_all_are_tested():
    assert set(REFERENCE) == set(PREPROCESSED) == set(IMAGE_ROLES)
    assert set(TEXT_ROLES) == {"clip_t", "bert", "gpt2", "bert_base", "bert_large"}
    for name, roles in CHANGED.items():
        models = load_lineup(name).models
        assert {role for role in models if models[role].spec != PAPER.model(role).spec} == set(roles)


@pytest.mark.parametrize("role", IMAGE_ROLES)
def test_image_features_equal_the_reference_librarys(folder, role):
    _, batch, found = encode(role)
    entry = PAPER.model(role).entry
    assert found.shape == (2, entry.dim)
    assert entry.identity().weights
    with torch.inference_mode():
        wanted = REFERENCE[role](folder)(batch)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))
    assert not torch.allclose(found[0], found[1], rtol=1e-2)  # the features see the picture
    check_preprocessing(batch[0], *PREPROCESSED[role])


def check_preprocessing(tensor, size, normalisation, digest):
    """A tensor is its bytes, normalised: undone in double precision it gives whole numbers, whose digest is known.

    So a change of resizing, crop, mean or std is seen, and none of rounding in the last bits.
    """
    mean, std = (torch.tensor(row, dtype=torch.float64)[:, None, None] for row in normalisation)
    assert tensor.shape == (3, size, size)
    levels = (tensor.double() * std + mean) * 255
    assert (levels - levels.round()).abs().max() < 1e-3
    assert levels.round().min() >= 0 <= 255 - levels.round().max()
    found = hashlib.sha256(levels.round().to(torch.uint8).numpy().tobytes()).hexdigest()
    assert found[: len(digest)] == digest


def test_text_features_equal_open_clips(folder):
    import open_clip

    _, _, found = encode("clip_t")
    with torch.inference_mode():
        wanted = clip_model("RN50").encode_text(open_clip.get_tokenizer("RN50")(CAPTIONS))
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def hidden(folder, name, text):
    """transformers' own last layer for one text, which so has no padding."""
    module = transformers.AutoModel.from_pretrained(folder / name).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder / name)(text, return_tensors="pt")
    return module(**tokens).last_hidden_state[0]


@pytest.mark.parametrize("size", ["base", "large"])
def test_text_features_equal_transformers(folder, size):
    _, _, found = encode(f"bert_{size}")
    assert found.shape == (len(CAPTIONS), PAPER.model(f"bert_{size}").entry.dim)
    with torch.inference_mode():
        wanted = [hidden(folder, f"sentence-transformers/bert-{size}-nli-cls-token", text)[0] for text in CAPTIONS]
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("role", "name"), [("bert", "bert-base-uncased"), ("gpt2", "gpt2")])
def test_the_labels_first_token_is_where_the_authors_code_takes_it(folder, role, name):
    """The fourth token from 0, behind [CLS] in BERT (D-08b), for a label that stands behind "a photo of a"."""
    entry, text = PAPER.model(role).entry, "a photo of a tench"
    with torch.inference_mode():
        found = entry.load().forward_layers([Marked(text, 13, 18)], (SPAN_FIRST,))[SPAN_FIRST]
        wanted = hidden(folder, name, text)[5 if role == "bert" else 4]
    assert found.shape == (1, entry.dim)
    torch.testing.assert_close(found[0], wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", PROCESSORS)
def test_images_are_prepared_as_transformers_does(folder, name):
    kind = transformers.BeitImageProcessorPil if "beit" in name else transformers.ViTImageProcessorPil
    processor = kind.from_pretrained(folder / name)
    wanted = processor(picture(), return_tensors="pt")["pixel_values"][0]
    found = resolve(f"transformers:{name}#image").load().prepare(picture())
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "role"), [(name, role) for name, roles in CHANGED.items() for role in roles])
def test_the_other_lineups_load_too(folder, name, role):
    _, batch, found = encode(role, load_lineup(name))
    assert found.shape == (2, 2048)
    assert found.isfinite().all()
    size, normalisation, digest = PREPROCESSED[role]
    check_preprocessing(
        batch[0], *((224, normalisation, CROP_224) if name == "paper_224" else (size, normalisation, digest))
    )
