"""open_clip towers give open_clip's own embeddings on the same weights, with the activation of the training."""

from __future__ import annotations

import hashlib
import json
import warnings

import pytest
import torch
from safetensors.torch import save_file

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset, UnknownName
from mmbench.models import checkpoints
from mmbench.models import open_clip as ours
from mmbench.models import open_clip_settings as settings
from mmbench.models.specs import parse, resolve

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import open_clip

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
VIT = {"image_size": 32, "layers": 2, "width": 16, "patch_size": 8, "head_width": 8}
RESNET = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}


@pytest.fixture(scope="module", autouse=True)
def architectures(tmp_path_factory):
    """Tiny towers of open_clip's own kinds, registered as its users register theirs."""
    folder = tmp_path_factory.mktemp("architectures")
    for name, config in {
        "tiny-vit": {"embed_dim": 12, "vision_cfg": VIT, "text_cfg": TEXT},
        "tiny-vit-quickgelu": {"embed_dim": 12, "quick_gelu": True, "vision_cfg": VIT, "text_cfg": TEXT},
        "tiny-resnet": {"embed_dim": 12, "vision_cfg": RESNET, "text_cfg": TEXT},
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)


def reference(name, **options):
    torch.manual_seed(0)
    with settings.without_root_log():
        model, _, transform = open_clip.create_model_and_transforms(name, **options)
    return model.eval(), transform


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-vit-quickgelu", "tiny-resnet"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_both_towers_equal_open_clips(weights, pictures, name, suffix):
    model, transform = reference(name)
    if suffix == ".pt":  # as open_clip's training writes it
        torch.save(
            {"epoch": 1, "state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, weights / "c.pt"
        )
    else:
        save_file(model.state_dict(), weights / "c.safetensors")
    image, text = (resolve(f"open_clip:{name}@c{suffix}?dim=12{tower}").load() for tower in ("", "#text"))
    words = ["a photo of a cat", "two dogs"]
    with torch.inference_mode():
        batch = torch.stack([image.prepare(picture) for picture in pictures])
        assert torch.equal(batch, torch.stack([transform(picture) for picture in pictures]))
        torch.testing.assert_close(image.forward(batch), model.encode_image(batch), rtol=1e-4, atol=1e-5)
        wanted = model.encode_text(open_clip.get_tokenizer(name)(words))
        torch.testing.assert_close(text.forward(words), wanted, rtol=1e-4, atol=1e-5)
    assert (image.modality, text.modality) == ("image", "text")
    assert not hasattr(text.module.visual, "conv1")


def test_unit_rows_have_length_one(weights):
    encoder = resolve("open_clip:tiny-vit?random=0&unit=1#text").load()
    with torch.inference_mode():
        torch.testing.assert_close(encoder.forward(["a", "b"]).norm(dim=1), torch.ones(2))


class TestActivation:
    @pytest.mark.parametrize(("spec", "wanted"), [
        ("open_clip:RN50:openai", True),
        ("open_clip:ViT-B-32:openai", True),
        ("open_clip:ViT-B-32:laion2b_s34b_b79k", False),
    ])  # fmt: skip
    def test_open_clip_tells_it_by_tag(self, spec, wanted):
        assert ours._tag_activation(parse(spec)) is wanted

    def test_the_tag_decides_even_where_the_architecture_says_otherwise(self, weights, monkeypatch, pictures):
        monkeypatch.setattr(settings, "tag_config", lambda spec: {"quick_gelu": True})
        model, _ = reference("tiny-vit", force_quick_gelu=True)
        save_file(model.state_dict(), weights / "c.safetensors")
        encoder = resolve("open_clip:tiny-vit:openai@c.safetensors").load()
        assert ours.quick_gelu(encoder.module) is True
        batch = torch.stack([encoder.prepare(picture) for picture in pictures])
        with torch.inference_mode():
            right, wrong = encoder.forward(batch), resolve("open_clip:tiny-vit@c.safetensors").load().forward(batch)
            torch.testing.assert_close(right, model.encode_image(batch), rtol=1e-4, atol=1e-5)
        assert (right - wrong).abs().max() > 1e-4  # the silent error that the tag prevents

    def test_quick_gelu_under_a_tag_trained_without_is_refused(self, weights, monkeypatch):
        monkeypatch.setattr(settings, "tag_config", lambda spec: {"quick_gelu": False})
        with pytest.raises(
            BadSpec, match=r"x was trained with plain GELU, but tiny-vit-quickgelu is built with quick-GELU"
        ):
            resolve("open_clip:tiny-vit-quickgelu:x?random=0").load()

    def test_openais_archive_under_plain_gelu_is_refused(self, weights, monkeypatch, pictures):
        model, _ = reference("tiny-vit-quickgelu")
        digest = self.archive(model.state_dict(), weights / "openai.pt")
        with pytest.raises(
            BadSpec, match=r"is a TorchScript archive, which carries code, and not one of the published"
        ):
            resolve("open_clip:tiny-vit-quickgelu@openai.pt").load()
        monkeypatch.setitem(ours.OPENAI_ARCHIVES, digest, "tiny-vit")
        with pytest.raises(
            BadSpec, match=r"was trained by OpenAI with quick-GELU; write open_clip:tiny-vit:openai@FILE"
        ):
            resolve("open_clip:tiny-vit@openai.pt").load()
        encoder = resolve("open_clip:tiny-vit-quickgelu@openai.pt").load()
        batch = torch.stack([encoder.prepare(picture) for picture in pictures])
        with torch.inference_mode():
            torch.testing.assert_close(encoder.forward(batch), model.encode_image(batch), rtol=1e-3, atol=1e-3)

    @pytest.mark.parametrize(("name", "option", "wanted"), [
        ("tiny-vit", "activation=quick_gelu", True), ("tiny-vit", "activation=gelu", False), ("tiny-vit", "", False),
        ("tiny-vit-quickgelu", "activation=quick_gelu", True), ("tiny-vit-quickgelu", "", True),
    ])  # fmt: skip
    def test_a_file_without_a_tag_may_state_it(self, weights, pictures, name, option, wanted):
        model, _ = reference("tiny-vit", force_quick_gelu=wanted)
        save_file(model.state_dict(), weights / "c.safetensors")
        encoder = resolve(f"open_clip:{name}@c.safetensors" + (f"?{option}" if option else "")).load()
        assert ours.quick_gelu(encoder.module) is wanted
        batch = torch.stack([encoder.prepare(picture) for picture in pictures])
        with torch.inference_mode():
            torch.testing.assert_close(encoder.forward(batch), model.encode_image(batch), rtol=1e-4, atol=1e-5)

    def test_contradictions_are_refused(self, weights, monkeypatch):
        save_file(reference("tiny-vit")[0].state_dict(), weights / "c.safetensors")
        with pytest.raises(
            BadSpec, match=r"what \?activation=gelu names was trained with plain GELU, but tiny-vit-quick"
        ):
            resolve("open_clip:tiny-vit-quickgelu@c.safetensors?activation=gelu").load()
        with pytest.raises(BadSpec, match=r"openai was trained with quick-GELU, not what activation= says"):
            resolve("open_clip:RN50:openai@c.safetensors?activation=gelu").load()
        monkeypatch.setattr(settings, "tag_config", lambda spec: {"quick_gelu": False})
        with pytest.raises(BadSpec, match=r"x was trained with plain GELU, not what activation= says"):
            resolve("open_clip:tiny-vit:x@c.safetensors?activation=quick_gelu").load()

    def test_openais_archive_contradicts_a_stated_gelu(self, weights, monkeypatch):
        digest = self.archive(reference("tiny-vit-quickgelu")[0].state_dict(), weights / "openai.pt")
        monkeypatch.setitem(ours.OPENAI_ARCHIVES, digest, "tiny-vit")
        with pytest.raises(BadSpec, match=r"was trained by OpenAI with quick-GELU"):
            resolve("open_clip:tiny-vit@openai.pt?activation=gelu").load()

    @pytest.mark.parametrize("stored", [torch.float16, torch.float32])
    def test_half_precision_without_a_word_of_its_training_is_refused(self, weights, stored):
        """OpenAI's weights, saved anew under another digest, would give silently wrong features in a plain GELU."""
        state = {k: v.half().to(stored) for k, v in reference("tiny-vit")[0].state_dict().items()}
        save_file(state, weights / "c.safetensors")
        with pytest.raises(
            BadSpec, match=r"holds half-precision weights, as OpenAI's are, .* else add \?activation=gelu"
        ):
            resolve("open_clip:tiny-vit@c.safetensors").load()
        for said in ("?activation=gelu", "?activation=quick_gelu"):
            resolve(f"open_clip:tiny-vit@c.safetensors{said}").load()
        resolve("open_clip:tiny-vit-quickgelu@c.safetensors").load()

    def archive(self, state, path):
        """A TorchScript archive laid out as OpenAI's: half precision, and three numbers beside the weights."""

        class Node(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x

        root = Node()
        numbers = {key: torch.tensor(3) for key in ("input_resolution", "context_length", "vocab_size")}
        for key, value in (state | numbers).items():
            *parents, leaf = key.split(".")
            node = root
            for parent in parents:
                if parent not in dict(node.named_children()):
                    node.add_module(parent, Node())
                node = node.get_submodule(parent)
            node.register_buffer(leaf, value.half() if value.is_floating_point() else value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript as a whole is deprecated
            torch.jit.save(torch.jit.script(root), str(path))
        return hashlib.sha256(path.read_bytes()).hexdigest()


class TestRefusals:
    def test_another_architecture(self, weights):
        save_file(reference("tiny-vit")[0].state_dict(), weights / "c.safetensors")
        with pytest.raises(
            BadSpec, match=r"c.safetensors does not hold the weights of open_clip tiny-resnet: it lacks visual"
        ):
            resolve("open_clip:tiny-resnet@c.safetensors").load()

    def test_missing_and_extra_key(self, weights):
        state = reference("tiny-vit")[0].state_dict()
        torch.save({k: v for k, v in state.items() if k != "visual.proj"}, weights / "less.pt")
        torch.save(state | {"more": torch.zeros(1)}, weights / "more.pt")
        with pytest.raises(CorruptAsset, match=r"lacks weights that open_clip tiny-vit needs: visual.proj$"):
            resolve("open_clip:tiny-vit@less.pt").load()
        with pytest.raises(CorruptAsset, match=r"has weights that open_clip tiny-vit does not use: more$"):
            resolve("open_clip:tiny-vit@more.pt").load()

    def test_unknown_names(self, weights):
        with pytest.raises(UnknownName, match=r"no open_clip architecture named 'RN51'. Did you mean 'RN50'"):
            resolve("open_clip:RN51:openai").load()
        with pytest.raises(UnknownName, match=r"no weights of open_clip RN50 named 'opena'. Did you mean 'openai'"):
            resolve("open_clip:RN50:opena").load()

    def test_published_weights_are_never_downloaded(self, weights, monkeypatch):
        import huggingface_hub.constants

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(weights / "hub"))
        entry = resolve("open_clip:RN50:openai")
        assert entry.identity().weights is None
        with pytest.raises(
            MissingAsset, match=r"fetch them with: hf download timm/resnet50_clip.openai open_clip_model.safe"
        ):
            entry.load()


def test_published_weights_are_found_in_the_hub_cache(weights, monkeypatch, pictures):
    monkeypatch.setattr(
        settings, "tag_config", lambda spec: {"hf_hub": "org/tiny/", "quick_gelu": False, "mean": (0.5,) * 3}
    )
    monkeypatch.setattr(
        checkpoints, "hub_file", lambda repo, names: weights / "c.safetensors" if repo == "org/tiny" else None
    )
    model, _ = reference("tiny-vit")
    save_file(model.state_dict(), weights / "c.safetensors")
    entry = resolve("open_clip:tiny-vit:some_tag")
    encoder = entry.load()
    assert encoder.prepare.preprocess.mean == (0.5, 0.5, 0.5)  # the tag's own
    assert entry.identity().weights == checkpoints.file_digest(weights / "c.safetensors")
