"""The files of the paper lineup's checkpoints in their real layouts, filled with random weights.

``write_checkpoints(folder)`` fills ``folder``; under ``environment(folder)`` every model role of the lineups ``paper``
and ``paper_224`` is then loaded by its real loader. Widths are the real ones, since entries declare and check them.
Made small, as no feature depends on it: classifiers but those of ResNet-50 have ten classes, transformers of the hub
have one layer and a narrow middle, those for text a vocabulary of letters. About 2.2 GB and fifteen seconds; roles of
one layout share one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paper_text_files import write_texts
from random_weights import random_state

CLASSES = 10
REVISION = "0123456789abcdef0123456789abcdef01234567"
SIN = (
    "resnet50_train_60_epochs-c8e5653e.pth.tar",
    "resnet50_train_45_epochs_combined_IN_SF-2a0d100e.pth.tar",
    "resnet50_finetune_60_epochs_lr_decay_after_30_start_resnet50_train_45_epochs_combined_IN_SF-ca06340c.pth.tar",
)
ROBUST = ("imagenet_l2_3_0", "imagenet_linf_4", "imagenet_linf_8")
ROBUST_HUB = ("resnet50_l2_eps3", "resnet50_linf_eps4.0", "resnet50_linf_eps8.0")
TSM = "text_audio_video/visual_module/~/TSMResNetV2"


def environment(folder: Path) -> dict[str, str]:
    """The variables under which the files in ``folder`` are found by a new process.

    In a process that has imported huggingface_hub, also set ``huggingface_hub.constants.HF_HUB_CACHE``.
    """
    return {
        "MMBENCH_WEIGHTS": str(folder),
        "HF_HUB_CACHE": str(folder / "hub"),
        "HF_HUB_OFFLINE": "1",
        "TORCH_HOME": str(folder / "torch"),
    }


def write_checkpoints(folder: Path) -> None:
    """Write every file that the models of the paper lineups need into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    _resnets(folder)
    _bit(folder)
    _tsm(folder)
    _clip(folder)
    _nf_resnet(folder)
    _vision_transformers(folder)
    write_texts(folder)


def resnet50(seed: int = 0) -> dict[str, Any]:
    """With all 1,000 classes: attacks go through the network's own head."""
    import torchvision

    return random_state(lambda: torchvision.models.resnet50(weights=None), seed)


def texture_vs_shape(state: Mapping[str, Any]) -> dict[str, Any]:
    """The layout of the three stylised ResNets: the training script's dict around a data-parallel network."""
    momentum = {"state": {}, "param_groups": [{"lr": 0.1, "momentum": 0.9, "params": [0]}]}
    parallel = {f"module.{key}": value for key, value in state.items()}
    return {"epoch": 60, "arch": "resnet50", "state_dict": parallel, "best_prec1": 60.2, "optimizer": momentum}


def robustness(state: Mapping[str, Any]) -> dict[str, Any]:
    """What the robustness library saves: a normaliser, the network, and both again inside the attacker."""
    import torch

    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    normaliser = {"new_mean": mean, "new_std": std}
    parts = {"normalizer": normaliser, "model": state, "attacker.normalize": normaliser, "attacker.model": state}
    names = {f"module.{part}.{key}": value for part, values in parts.items() for key, value in values.items()}
    return {"model": names, "optimizer": {"state": {}, "param_groups": []}, "epoch": 90, "schedule": None}


def converted_robustness(state: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors of the same after ``mmbench convert FILE OUT --inside model``, none shared."""
    return {key: value.clone() for key, value in robustness(state)["model"].items()}


def icmlm(state: Mapping[str, Any]) -> dict[str, Any]:
    """The network is the part ``cnn``; what else is in the file is not known, so something is."""
    import torch

    headless = {key: value for key, value in state.items() if not key.startswith("fc.")}
    return {"cnn": headless, "attfc": {"weight": torch.zeros(3, 2)}, "epoch": 99}


def _resnets(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    hub = folder / "torch" / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    torch.save(resnet50(0), hub / "resnet50-0676ba61.pth", _use_new_zipfile_serialization=False)
    stylised = folder / SIN[0]
    torch.save(texture_vs_shape(resnet50(1)), stylised, _use_new_zipfile_serialization=False)
    _link(stylised, SIN[1:])
    robust = folder / f"{ROBUST[0]}.safetensors"
    save_file(converted_robustness(resnet50(2)), robust)
    _link(robust, [f"{name}.safetensors" for name in (*ROBUST[1:], *ROBUST_HUB)])
    backbone = {key: value for key, value in resnet50(3).items() if not key.startswith("fc.")}
    torch.save(backbone, folder / "backbone_bicaptioning_R_50_L1_H2048.pth")
    torch.save(icmlm(resnet50(4)), folder / "icmlm-attfc_r50_coco_5K.pth")


def bit_npz(seed: int = 0) -> dict[str, Any]:
    """BiT-M-R50x1.npz: kernels in HWIO order, named as the authors' network names them."""
    import numpy as np

    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}

    def kernel(name: str, *shape: int) -> None:
        fan_in = shape[0] * shape[1] * shape[2]
        arrays[f"resnet/{name}/kernel"] = (rng.standard_normal(shape, np.float32) / fan_in**0.5).astype(np.float32)

    def norm(name: str, width: int) -> None:
        arrays[f"resnet/{name}/gamma"] = (1 + 0.1 * rng.standard_normal(width, np.float32)).astype(np.float32)
        arrays[f"resnet/{name}/beta"] = 0.1 * rng.standard_normal(width, np.float32)

    kernel("root_block/standardized_conv2d", 7, 7, 3, 64)
    before = 64
    for block, (units, width) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), start=1):
        for unit in range(1, units + 1):
            at = f"block{block}/unit{unit:02d}"
            if unit == 1:
                kernel(f"{at}/a/proj/standardized_conv2d", 1, 1, before, 4 * width)
            for part, size, (inputs, outputs) in (
                ("a", 1, (before, width)), ("b", 3, (width, width)), ("c", 1, (width, 4 * width)),
            ):  # fmt: skip
                norm(f"{at}/{part}/group_norm", inputs)
                kernel(f"{at}/{part}/standardized_conv2d", size, size, inputs, outputs)
            before = 4 * width
    norm("group_norm", 2048)
    kernel("head/conv2d", 1, 1, 2048, CLASSES)
    arrays["resnet/head/conv2d/bias"] = np.zeros(CLASSES, np.float32)
    return arrays


def _bit(folder: Path) -> None:
    import numpy as np
    import timm
    from safetensors.torch import save_file

    np.savez(folder / "BiT-S-R50x1.npz", **bit_npz(11))

    state = random_state(lambda: timm.create_model("resnetv2_50x1_bit.goog_in21k", num_classes=CLASSES), 5)
    save_file(state, _snapshot(folder, "timm/resnetv2_50x1_bit.goog_in21k") / "model.safetensors")


def tsm_haiku(seed: int = 6) -> dict[str, Any]:
    """mmv_tsm_resnet_x1.pkl: haiku's parameters and state, module by module, beside those of the other towers."""
    import numpy as np

    rng = np.random.default_rng(seed)
    params: dict[str, dict[str, Any]] = {}
    state: dict[str, dict[str, Any]] = {}

    def conv(name: str, *shape: int) -> None:
        fan_in = shape[0] * shape[1] * shape[2]
        params[f"{TSM}/{name}"] = {"w": rng.standard_normal(shape, np.float32) * np.float32((1.5 / fan_in) ** 0.5)}

    def norm(name: str, width: int) -> None:
        at, shape = f"{TSM}/{name}", (1, 1, 1, width)
        noise = 0.1 * rng.standard_normal((3, *shape), np.float32)
        params[at] = {"offset": noise[0], "scale": 1 + noise[1]}
        for key, value in (("mean_ema", noise[2]), ("var_ema", 1 + 0.2 * rng.random(shape, np.float32))):
            state[f"{at}/~/{key}"] = {"average": value, "counter": np.array(9, np.int32), "hidden": value / 2}

    conv("tsm_resnet_stem", 7, 7, 3, 64)
    before = 64
    for unit, (blocks, width) in enumerate(zip((3, 4, 6, 3), (256, 512, 1024, 2048), strict=True)):
        for block in range(blocks):
            at = f"tsm_resnet_unit_{unit}/block_{block}"
            if block == 0:
                conv(f"{at}/shortcut_conv", 1, 1, before, width)
            for i, (size, inputs, outputs) in enumerate(
                ((1, before, width // 4), (3, width // 4, width // 4), (1, width // 4, width))
            ):
                norm(f"{at}/__cross_replica_batch_norm{f'_{i}' if i else ''}", inputs)
                conv(f"{at}/conv_{i}", size, size, inputs, outputs)
            before = width
    norm("__cross_replica_batch_norm", 2048)
    params["text_audio_video/text_module/~/text_conv1"] = {"w": np.zeros((1, 3, 4), np.float32)}
    return {"params": params, "state": state}


def flattened(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Names as ``mmbench convert`` writes them: the keys on the way, joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= flattened(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _tsm(folder: Path) -> None:
    from safetensors.numpy import save_file

    save_file(flattened(tsm_haiku()), folder / "mmv_tsm_resnet_x1.safetensors")


def _clip(folder: Path) -> None:
    import open_clip
    from safetensors.torch import save_file

    for seed, (name, repository) in enumerate({
        "RN50": "timm/resnet50_clip.openai", "ViT-B-32": "timm/vit_base_patch32_clip_224.openai",
    }.items()):  # fmt: skip
        config = open_clip.get_model_config(name)
        assert config is not None
        state = random_state(lambda config=config: open_clip.CLIP(**config), 10 + seed)
        # a mask that the network makes itself is no weight
        state = {key: value for key, value in state.items() if key != "attn_mask"}
        save_file(state, _snapshot(folder, repository) / "open_clip_model.safetensors")


def _nf_resnet(folder: Path) -> None:
    import timm
    from safetensors.torch import save_file

    name = "nf_resnet50.ra2_in1k"
    state = random_state(lambda: timm.create_model(name, num_classes=CLASSES), 12)
    save_file(state, _snapshot(folder, f"timm/{name}") / "model.safetensors")


# The image processors as the hub has them: written for the feature extractors of older versions of the library.
BEIT = "microsoft/beit-large-patch16-224-pt22k"
_BEITS = {
    "feature_extractor_type": "BeitFeatureExtractor", "resample": 2, "size": 224, "crop_size": 224,
    "do_center_crop": False, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
}  # fmt: skip
PROCESSORS = {
    "google/vit-base-patch16-224-in21k": {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": 224},
    "facebook/dino-vitb16": {
        "feature_extractor_type": "ViTFeatureExtractor", "resample": 3, "size": 224,
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
    },
    BEIT: _BEITS,
    f"{BEIT}-ft22k": _BEITS,
}  # fmt: skip


def vision_model(name: str) -> Any:
    """An untrained network of the class and the config that the hub's repository has, but for its depth."""
    import transformers

    small = {"num_hidden_layers": 1, "intermediate_size": 64}
    if name.startswith("google/"):
        return transformers.ViTModel(transformers.ViTConfig(**small))
    if name.startswith("facebook/"):
        return transformers.ViTModel(transformers.ViTConfig(**small), add_pooling_layer=False)
    wide = small | {"hidden_size": 1024, "num_attention_heads": 16, "use_mean_pooling": True}
    if name.endswith("-ft22k"):
        config = transformers.BeitConfig(**wide, use_relative_position_bias=True, num_labels=CLASSES)
        return transformers.BeitForImageClassification(config)
    options = {"use_mask_token": True, "use_shared_relative_position_bias": True, "vocab_size": 8192}
    return transformers.BeitForMaskedImageModeling(transformers.BeitConfig(**wide, **options))


def _vision_transformers(folder: Path) -> None:
    """ViT, DINO and BEiT: the first two without a prefix, BEiT below its own and beside the head of its training."""
    import torch
    from safetensors.torch import save_file

    for seed, (name, processor) in enumerate(PROCESSORS.items(), start=40):
        place = folder / name
        place.mkdir(parents=True)
        with torch.device("meta"):
            model = vision_model(name)
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(place)
        (place / "preprocessor_config.json").write_text(
            json.dumps({"do_normalize": True, "do_resize": True} | processor)
        )
        state = random_state(lambda name=name: vision_model(name), seed)
        if name.startswith("facebook/"):
            torch.save(state, place / "pytorch_model.bin")
        else:
            save_file(state, place / "model.safetensors", {"format": "pt"})


def _snapshot(folder: Path, repository: str) -> Path:
    """A folder of the hub's local cache for ``repository`` at one revision."""
    place = folder / "hub" / f"models--{repository.replace('/', '--')}"
    snapshot = place / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(REVISION)
    return snapshot


def _link(file: Path, names: Any) -> None:
    for name in names:
        os.link(file, file.with_name(name))
