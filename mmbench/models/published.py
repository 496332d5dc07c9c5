"""Where the checkpoints of the papers are published, by file name, and how to get one that is not here.

Addresses and licences are as their publishers state them; nothing here is fetched, since no digest is declared. A
file that its publisher pickled is named by what ``mmbench convert`` makes of it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Published:
    """A checkpoint at ``url``. ``converted`` names the file to make of a pickle, ``inside`` the part to take of it."""

    url: str
    licence: str = ""
    converted: str = ""
    inside: str = ""

    @property
    def file(self) -> str:
        """The name under which a lineup asks for it."""
        return self.converted or self.fetched

    @property
    def fetched(self) -> str:
        """The name under which it is published."""
        return self.url.partition("?")[0].rsplit("/", 1)[-1]


# SHA-256 of the TorchScript archives that OpenAI published; the addresses hold them.
OPENAI_ARCHIVES = {
    "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762": "RN50",
    "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599": "RN101",
    "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd": "RN50x4",
    "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa": "RN50x16",
    "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c": "RN50x64",
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af": "ViT-B-32",
    "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f": "ViT-B-16",
    "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836": "ViT-L-14",
    "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02": "ViT-L-14-336",
}
_OPENAI = "https://openaipublic.azureedge.net/clip/models"
_TEXTURE = "https://bitbucket.org/robert_geirhos/texture-vs-shape-pretrained-models/raw"
_HUB_ROBUST = "https://huggingface.co/madrylab/robust-imagenet-models/resolve/main"
_ALL = (
    Published("https://download.pytorch.org/models/resnet50-19c8e357.pth"),
    Published(f"{_TEXTURE}/6f41d2e86fc60566f78de64ecff35cc61eb6436f/resnet50_train_60_epochs-c8e5653e.pth.tar"),
    Published(
        f"{_TEXTURE}/60b770e128fffcbd8562a3ab3546c1a735432d03/resnet50_train_45_epochs_combined_IN_SF-2a0d100e.pth.tar"
    ),
    Published(
        f"{_TEXTURE}/60b770e128fffcbd8562a3ab3546c1a735432d03/resnet50_finetune_60_epochs_lr_decay_after_30_start_"
        "resnet50_train_45_epochs_combined_IN_SF-ca06340c.pth.tar"
    ),
    Published(
        "https://www.dropbox.com/s/knf4uimlqsi1yz8/imagenet_l2_3_0.pt?dl=1",
        converted="imagenet_l2_3_0.safetensors",
        inside="model",
    ),
    Published(
        "https://www.dropbox.com/s/axfuary2w1cnyrg/imagenet_linf_4.pt?dl=1",
        converted="imagenet_linf_4.safetensors",
        inside="model",
    ),
    Published(
        "https://www.dropbox.com/s/yxn15a9zklz3s8q/imagenet_linf_8.pt?dl=1",
        converted="imagenet_linf_8.safetensors",
        inside="model",
    ),
    Published(f"{_HUB_ROBUST}/resnet50_l2_eps3.ckpt", "MIT", "resnet50_l2_eps3.safetensors", "model"),
    Published(f"{_HUB_ROBUST}/resnet50_linf_eps4.0.ckpt", "MIT", "resnet50_linf_eps4.0.safetensors", "model"),
    Published(f"{_HUB_ROBUST}/resnet50_linf_eps8.0.ckpt", "MIT", "resnet50_linf_eps8.0.safetensors", "model"),
    Published("https://www.dropbox.com/s/pxgjxcva7oypf12/backbone_bicaptioning_R_50_L1_H2048.pth?dl=1"),
    Published("http://download.europe.naverlabs.com//ICMLM/icmlm-attfc_r50_coco_5K.pth"),
    Published("https://storage.googleapis.com/bit_models/BiT-M-R50x1.npz", "Apache-2.0"),
    Published("https://storage.googleapis.com/bit_models/BiT-S-R50x1.npz", "Apache-2.0"),
    Published(
        "https://storage.googleapis.com/deepmind-research-mmv/mmv_tsm_resnet_x1.pkl",
        converted="mmv_tsm_resnet_x1.safetensors",
    ),
)
PUBLISHED = {entry.file: entry for entry in _ALL}
# OpenAI names its files as open_clip names the networks, but for the one that reads 336 px.
for _digest, _name in OPENAI_ARCHIVES.items():
    _file = f"{_name}px.pt" if _name.endswith("-336") else f"{_name}.pt"
    PUBLISHED[_file] = Published(f"{_OPENAI}/{_digest}/{_file}", "MIT")


# What the libraries know too, once they are imported, which takes seconds; a test holds the two together.
_HUB = {
    "open_clip:RN50:openai": ("timm/resnet50_clip.openai", "MIT"),
    "open_clip:ViT-B-32:openai": ("timm/vit_base_patch32_clip_224.openai", "MIT"),
    "open_clip:ViT-L-14:openai": ("timm/vit_large_patch14_clip_224.openai", "MIT"),
    "timm:resnetv2_50x1_bit.goog_in21k": ("timm/resnetv2_50x1_bit.goog_in21k", "Apache-2.0"),
    "timm:vit_base_patch16_224.augreg_in21k": ("timm/vit_base_patch16_224.augreg_in21k", "Apache-2.0"),
    "timm:nf_resnet50.ra2_in1k": ("timm/nf_resnet50.ra2_in1k", "Apache-2.0"),
    "transformers:google/vit-base-patch16-224-in21k": ("google/vit-base-patch16-224-in21k", "Apache-2.0"),
    "transformers:facebook/dino-vitb16": ("facebook/dino-vitb16", "Apache-2.0"),
    "transformers:microsoft/beit-large-patch16-224-pt22k": ("microsoft/beit-large-patch16-224-pt22k", "Apache-2.0"),
    "transformers:microsoft/beit-large-patch16-224-pt22k-ft22k": (
        "microsoft/beit-large-patch16-224-pt22k-ft22k",
        "Apache-2.0",
    ),
    "transformers:bert-base-uncased": ("bert-base-uncased", "Apache-2.0"),
    "transformers:gpt2": ("gpt2", "MIT"),
    "transformers:uclanlp/visualbert-vqa-coco-pre": ("uclanlp/visualbert-vqa-coco-pre", "Apache-2.0"),
    "transformers:sentence-transformers/bert-base-nli-cls-token": (
        "sentence-transformers/bert-base-nli-cls-token",
        "Apache-2.0",
    ),
    "transformers:sentence-transformers/bert-large-nli-cls-token": (
        "sentence-transformers/bert-large-nli-cls-token",
        "Apache-2.0",
    ),
}
_TORCH_HUB = {
    "torchvision:resnet50:IMAGENET1K_V1": (
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        "BSD-3-Clause (code); the weights follow ImageNet's terms",
    ),
}


def hub_repository(name: str) -> str | None:
    """The hub's repository of weights that a specification names without a file; None when it is not in our list."""
    return _HUB[name][0] if name in _HUB else None


def torch_hub_url(name: str) -> str | None:
    """Where torchvision's weights, named without a file, are published; None when they are not in our list."""
    return _TORCH_HUB[name][0] if name in _TORCH_HUB else None


def convert(path: Path, inside: str = "", out: Path | None = None) -> str:
    """The command that takes the tensors out of a pickle, for its owner to run."""
    options = f" --inside {shlex.quote(inside)}" if inside else ""
    out = out or path.with_suffix(".safetensors")
    return f"mmbench convert {shlex.quote(str(path))} {shlex.quote(str(out))}{options} --trust"


def how_to_get(path: Path) -> str:
    """What to do for a published file that is not at ``path``; empty for a file that is not known."""
    known = PUBLISHED.get(path.name)
    if known is None:
        return ""
    if not known.converted:
        return f"fetch {known.url}"
    source = path.with_name(known.fetched)
    fetch = "" if source.is_file() else f"fetch {known.url} to {source}, then "
    return f"it is converted from a pickle: {fetch}if you trust that file, run: {convert(source, known.inside, path)}"


def source_of(name: str, file: str, default: str) -> tuple[str, str]:
    """Address and licence of the file that a specification names, or of its ``name``; or ``default`` and nothing."""
    if file:
        known = PUBLISHED.get(Path(file).name)
        return (known.url, known.licence) if known else (default, "")
    if name in _HUB:
        repository, licence = _HUB[name]
        return f"https://huggingface.co/{repository}", licence
    return _TORCH_HUB.get(name, (default, ""))
