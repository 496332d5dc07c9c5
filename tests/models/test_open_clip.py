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
from mmbench.models.reading import hub_offline
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


class TestHub:
    """``hf-hub:REPOSITORY`` is read from the local hub cache alone."""

    COMMIT = "c0ffee" * 6 + "c0ff"
    CONFIG = {  # noqa: RUF012
        "model_cfg": {"embed_dim": 12, "quick_gelu": True, "vision_cfg": VIT, "text_cfg": TEXT},
        "preprocess_cfg": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4], "interpolation": "bilinear"},
    }

    @pytest.fixture
    def hub(self, weights, monkeypatch):
        """An empty hub cache; whoever asks for a connection fails the test."""
        import huggingface_hub.constants

        def refused(*given, **how):
            pytest.fail("a connection was asked for")

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(weights / "hub"))
        monkeypatch.setattr("socket.socket.connect", refused)
        monkeypatch.setattr("socket.getaddrinfo", refused)
        return weights / "hub"

    def snapshot(self, hub, config=CONFIG, name="open_clip_model.safetensors"):
        """The layout of the cache: a reference by name, and a folder of each revision."""
        home = hub / "models--org--tiny"
        at = home / "snapshots" / self.COMMIT
        at.mkdir(parents=True)
        (home / "refs").mkdir()
        (home / "refs" / "main").write_text(self.COMMIT)
        model, _ = reference("tiny-vit-quickgelu")
        (save_file if name.endswith("safetensors") else torch.save)(model.state_dict(), at / name)
        if config is not None:
            (at / "open_clip_config.json").write_text(json.dumps(config))
        return model

    @pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
    def test_both_towers_equal_open_clips(self, hub, pictures, name):
        model = self.snapshot(hub, name=name)
        with settings.without_root_log(), hub_offline():
            _, _, transform = open_clip.create_model_and_transforms("hf-hub:org/tiny", load_weights=False)
        entry = resolve("open_clip:hf-hub:org/tiny")
        image, text = entry.load(), resolve("open_clip:hf-hub:org/tiny#text").load()
        words = ["a photo of a cat", "two dogs"]
        with torch.inference_mode():
            batch = torch.stack([image.prepare(picture) for picture in pictures])
            assert torch.equal(batch, torch.stack([transform(picture) for picture in pictures]))
            torch.testing.assert_close(image.forward(batch), model.encode_image(batch), rtol=1e-4, atol=1e-5)
            wanted = model.encode_text(open_clip.get_tokenizer("tiny-vit-quickgelu")(words))
            torch.testing.assert_close(text.forward(words), wanted, rtol=1e-4, atol=1e-5)
        at = hub / "models--org--tiny" / "snapshots" / self.COMMIT
        assert entry.identity().weights == checkpoints.file_digest(at / name)
        assert checkpoints.file_digest(at / "open_clip_config.json")[:16] in entry.identity().architecture

    def test_what_is_not_in_the_cache_is_refused_with_the_command_that_fetches_it(self, hub):
        entry = resolve("open_clip:hf-hub:org/tiny")
        assert entry.identity().weights is None
        with pytest.raises(MissingAsset, match=r"open_clip_config.json is not in the .* with: hf download org/tiny$"):
            entry.load()
        self.snapshot(hub, config=None)
        with pytest.raises(MissingAsset, match=r"open_clip_config.json is not in the .* with: hf download org/tiny$"):
            entry.load()

    def test_a_config_without_weights_is_refused(self, hub):
        self.snapshot(hub)
        (weights,) = hub.rglob("open_clip_model.safetensors")
        weights.unlink()
        entry = resolve("open_clip:hf-hub:org/tiny")
        assert entry.identity().weights is None
        with pytest.raises(MissingAsset, match=r"open_clip_model.safetensors is not in the .*: hf download org/tiny$"):
            entry.load()

    def test_a_moved_revision_is_another_model(self, hub):
        self.snapshot(hub)
        before = resolve("open_clip:hf-hub:org/tiny").identity()
        home = hub / "models--org--tiny"
        (home / "snapshots" / "f00d").mkdir()
        state = {key: value + 1 for key, value in reference("tiny-vit-quickgelu")[0].state_dict().items()}
        save_file(state, home / "snapshots" / "f00d" / "open_clip_model.safetensors")
        (home / "snapshots" / "f00d" / "open_clip_config.json").write_text(json.dumps(self.CONFIG))
        (home / "refs" / "main").write_text("f00d")
        after = resolve("open_clip:hf-hub:org/tiny").identity()
        assert after.weights is not None
        assert after.weights != before.weights

    def test_a_config_that_asks_for_foreign_code_is_refused(self, hub):
        text = TEXT | {"tokenizer_kwargs": {"trust_remote_code": True}}
        self.snapshot(hub, {"model_cfg": self.CONFIG["model_cfg"] | {"text_cfg": text}})
        with pytest.raises(BadSpec, match="asks for trust_remote_code, and foreign code is never run"):
            resolve("open_clip:hf-hub:org/tiny").load()
