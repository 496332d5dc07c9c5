"""timm models through a specification give timm's own features before the classifier, on the same weights."""

from __future__ import annotations

import pytest
import timm
import torch
from random_weights import random_state
from safetensors.torch import save_file
from timm.data import create_transform, resolve_model_data_config

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset, UnknownName
from mmbench.models import checkpoints
from mmbench.models.specs import resolve


@pytest.fixture
def model():
    torch.manual_seed(0)
    return timm.create_model("test_resnet", pretrained=False).eval()


def encode(entry, pictures):
    encoder = entry.load()
    with torch.inference_mode():
        return encoder, encoder.forward(torch.stack([encoder.prepare(image) for image in pictures]))


@pytest.mark.parametrize("file", ["test.safetensors", "test.pth", "wrapped.pth.tar"])
def test_features_equal_timms(weights, model, pictures, file):
    state = model.state_dict()
    if file == "test.safetensors":
        save_file(state, weights / file)
    else:
        torch.save(
            state if file == "test.pth" else {"state_dict": {f"module.{k}": v for k, v in state.items()}},
            weights / file,
        )
    entry = resolve(f"timm:test_resnet@{file}?dim=96")
    encoder, found = encode(entry, pictures)
    transform = create_transform(**resolve_model_data_config(model), is_training=False)
    with torch.inference_mode():
        batch = torch.stack([transform(image) for image in pictures])
        wanted = model.forward_head(model.forward_features(batch), pre_logits=True)
    assert encoder.dim == entry.dim == 96
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_the_width_behind_a_head_convolution_is_the_encoders(weights):
    encoder = resolve("timm:mobilenetv3_small_050?random=0&size=32").load()
    assert encoder.forward(torch.zeros(1, 3, 32, 32)).shape == (1, encoder.dim) == (1, 1024)


def test_untrained_weights_follow_the_seed_and_leave_the_generator_alone(weights, pictures):
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (encode(resolve(f"timm:test_resnet?random={seed}"), pictures)[1] for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), wanted)
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_raw_pixels_change_features(weights, pictures):
    entry = resolve("timm:test_resnet?random=0")
    encoder, raw = entry.load(), entry.raw().load()
    assert raw.prepare(pictures[0]).min() >= 0 > encoder.prepare(pictures[0]).min()


SMALL_VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2}
OTHERS = {
    "vit_base_patch16_224.augreg_in21k": SMALL_VIT,
    "vit_base_patch16_224.dino": SMALL_VIT,
    "beit_base_patch16_224.in22k_ft_in22k": SMALL_VIT,
    "nf_resnet50.ra2_in1k": {},
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_backbones_of_the_papers(weights, pictures, monkeypatch, name):
    """ViT, DINO, BEiT and NF-ResNet under their published names, the transformers made small."""
    build = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, **options: build(name, **options | OTHERS[name]))
    classes = {} if "dino" in name else {"num_classes": 10}
    state = random_state(lambda: timm.create_model(name, pretrained=False, **classes))
    if "beit" in name:  # older files carry the index that the network makes of its window
        state["blocks.0.attn.relative_position_index"] = torch.zeros(17, 17, dtype=torch.long)
    torch.save({"state_dict": state}, weights / "m.pth")
    encoder, found = encode(resolve(f"timm:{name}@m.pth?size=32"), pictures)
    module = timm.create_model(name, pretrained=False, **classes).eval()
    module.load_state_dict({key: value for key, value in state.items() if "position_index" not in key})
    transform = create_transform(**resolve_model_data_config(module) | {"input_size": (3, 32, 32), "crop_pct": 1.0})
    with torch.inference_mode():
        batch = torch.stack([transform(image) for image in pictures])
        wanted = module.forward_head(module.forward_features(batch), pre_logits=True)
    assert found.shape == (3, encoder.dim)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))


class TestIdentity:
    def test_follows_the_files_content_and_not_its_place(self, weights, model):
        torch.save(model.state_dict(), weights / "a.pth")
        (weights / "b.pth").write_bytes((weights / "a.pth").read_bytes())
        one, two = (resolve(f"timm:test_resnet@{name}.pth").identity() for name in "ab")
        assert one == two
        assert one.weights == checkpoints.file_digest(weights / "a.pth")
        (weights / "b.pth").write_bytes(b"other")
        assert resolve("timm:test_resnet@b.pth").identity().weights != one.weights

    @pytest.mark.parametrize(
        "other", ["timm:test_resnet@a.pth?size=64", "timm:test_resnet@a.pth?pixels=raw", "timm:test_vit@a.pth"]
    )
    def test_follows_all_that_changes_features(self, weights, other):
        (weights / "a.pth").write_bytes(b"weights")
        assert resolve("timm:test_resnet@a.pth").identity() != resolve(other).identity()

    def test_is_unknown_while_the_file_is_missing(self, weights):
        assert resolve("timm:test_resnet@a.pth").identity().weights is None


class TestPublishedWeights:
    """Weights by tag come from the local hub cache, here one made by the test in the hub's layout."""

    @pytest.fixture
    def hub(self, weights, model, monkeypatch):
        import huggingface_hub.constants
        import huggingface_hub.file_download

        snapshot = weights / "hub" / "models--timm--test_resnet.r160_in1k" / "snapshots" / "abc"
        snapshot.mkdir(parents=True)
        refs = snapshot.parent.parent / "refs"
        refs.mkdir()
        (refs / "main").write_text("abc")
        save_file(model.state_dict(), snapshot / "model.safetensors")
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(weights / "hub"))
        return snapshot

    @pytest.mark.parametrize("name", ["test_resnet.r160_in1k", "test_resnet"])
    def test_are_read_from_the_hub_cache(self, hub, model, pictures, name):
        entry = resolve(f"timm:{name}")
        encoder, found = encode(entry, pictures)
        with torch.inference_mode():
            batch = torch.stack([encoder.prepare(image) for image in pictures])
            wanted = model.forward_head(model.forward_features(batch), pre_logits=True)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        assert entry.identity().weights == checkpoints.file_digest(hub / "model.safetensors")
        assert checkpoints.remembered_place(f"timm {name} {(('timm', timm.__version__),)}") == hub / "model.safetensors"

    def test_a_revision_that_moved_is_other_weights(self, hub, pictures):
        """A note of where the weights were does not win over where they are."""
        entry, key = (
            resolve("timm:test_resnet.r160_in1k"),
            f"timm test_resnet.r160_in1k {(('timm', timm.__version__),)}",
        )
        encode(entry, pictures)
        before = entry.identity().weights
        moved = hub.parent / "def"
        moved.mkdir()
        torch.manual_seed(1)
        save_file(timm.create_model("test_resnet").state_dict(), moved / "model.safetensors")
        (hub.parent.parent / "refs" / "main").write_text("def")
        assert checkpoints.remembered_place(key) == moved / "model.safetensors"
        assert resolve("timm:test_resnet.r160_in1k").identity().weights == checkpoints.file_digest(
            moved / "model.safetensors"
        )
        assert checkpoints.file_digest(moved / "model.safetensors") != before

    def test_are_never_downloaded(self, weights, monkeypatch):
        import huggingface_hub.constants

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(weights / "hub"))
        entry = resolve("timm:test_resnet.r160_in1k")
        assert entry.identity().weights is None
        with pytest.raises(MissingAsset) as caught:
            entry.load()
        assert str(caught.value) == (
            "model 'timm:test_resnet.r160_in1k': the weights are not in the local hub cache; fetch them with: "
            "hf download timm/test_resnet.r160_in1k model.safetensors; or name a file: "
            "timm:test_resnet.r160_in1k@FILE, or take untrained weights: ?random=SEED"
        )


class TestRefusals:
    def test_missing_file(self, weights):
        with pytest.raises(
            MissingAsset, match=r"model 'timm:test_resnet@no.pth' needs .*no.pth; the file is not there"
        ):
            resolve("timm:test_resnet@no.pth").load()

    def test_another_architecture(self, weights, model):
        torch.save(model.state_dict(), weights / "a.pth")
        with pytest.raises(BadSpec, match=r"a.pth does not hold the weights of timm test_vit: it lacks "):
            resolve("timm:test_vit@a.pth").load()
        with pytest.raises(BadSpec, match=r"a.pth .*of (another architecture than )?timm resnet18"):
            resolve("timm:resnet18@a.pth").load()

    def test_missing_and_extra_key(self, weights, model):
        state = model.state_dict()
        first = next(iter(state))
        torch.save({key: value for key, value in state.items() if key != first}, weights / "less.pth")
        torch.save(state | {"more": torch.zeros(1)}, weights / "more.pth")
        with pytest.raises(CorruptAsset, match=f"less.pth lacks weights that timm test_resnet needs: {first}$"):
            resolve("timm:test_resnet@less.pth").load()
        with pytest.raises(CorruptAsset, match=r"more.pth has weights that timm test_resnet does not use: more$"):
            resolve("timm:test_resnet@more.pth").load()

    def test_group_norm_in_place_of_batch_norm(self, weights):
        torch.save(timm.create_model("resnet50_gn", num_classes=2).state_dict(), weights / "gn.pth")
        with pytest.raises(CorruptAsset, match=r"lacks weights that timm resnet50 needs: bn1.running_mean, bn1.runn"):
            resolve("timm:resnet50@gn.pth").load()

    def test_unknown_architecture_and_tag(self, weights):
        with pytest.raises(UnknownName, match=r"no timm model named 'tset_resnet'. Did you mean 'test_resnet'"):
            resolve("timm:tset_resnet?random=0").load()
        with pytest.raises(BadSpec, match=r"see timm.list_pretrained\('test_resnet\*'\)"):
            resolve("timm:test_resnet.nope?random=0").load()

    def test_a_wrongly_declared_width(self, weights):
        from mmbench.errors import BadFeatures

        with pytest.raises(BadFeatures, match=r"declares dim=95 but its encoder gives 96 columns"):
            resolve("timm:test_resnet?random=0&dim=95").load()
