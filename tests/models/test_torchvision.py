"""torchvision classifiers through a specification give the features before the last linear layer."""

from __future__ import annotations

import paper_files
import pytest
import torch
import torchvision

from mmbench.errors import BadSpec, CorruptAsset, MissingAsset, UnknownName
from mmbench.models import checkpoints
from mmbench.models.specs import resolve


@pytest.fixture
def model():
    torch.manual_seed(0)
    return torchvision.models.resnet18(weights=None).eval()


def encode(spec, pictures):
    encoder = resolve(spec).load()
    with torch.inference_mode():
        return encoder, encoder.forward(torch.stack([encoder.prepare(image) for image in pictures]))


LAYOUTS = {
    "bare": lambda state: state,
    "no classifier (VirTex)": lambda state: {k: v for k, v in state.items() if not k.startswith("fc.")},
    "without counters (resnet50-19c8e357)": lambda state: {k: v for k, v in state.items() if "batches" not in k},
    "texture-vs-shape": paper_files.texture_vs_shape,
    "half precision": lambda state: {k: v.half() if v.is_floating_point() else v for k, v in state.items()},
}


@pytest.mark.parametrize("new_format", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_features_equal_torchvisions(weights, model, pictures, layout, new_format):
    if layout == "half precision":  # the reference has the rounded weights too
        model.load_state_dict(LAYOUTS[layout](model.state_dict()))
    torch.save(LAYOUTS[layout](model.state_dict()), weights / "r.pth", _use_new_zipfile_serialization=new_format)
    encoder, found = encode("torchvision:resnet18@r.pth?dim=512", pictures)
    transform = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    model.fc = torch.nn.Identity()
    with torch.inference_mode():
        wanted = model(torch.stack([transform(image) for image in pictures]))
    assert encoder.dim == 512
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("layout", "options"), [
    (paper_files.robustness, "inside=model&prefix=module.model."),
    (paper_files.icmlm, "inside=cnn"),
    (lambda s: {"model": {f"visual.cnn.{k}": v for k, v in s.items()} | {"textual.output.bias": torch.ones(1)},
                "iteration": 5}, "prefix=visual.cnn."),
], ids=["robustness", "icmlm", "the whole of VirTex"])  # fmt: skip
def test_nested_layouts_are_named_by_options(weights, model, pictures, layout, options):
    torch.save(layout(model.state_dict()), weights / "nested.pth")
    torch.save(model.state_dict(), weights / "bare.pth")
    _, found = encode(f"torchvision:resnet18@nested.pth?size=64&{options}", pictures)
    _, wanted = encode("torchvision:resnet18@bare.pth?size=64", pictures)
    assert torch.equal(found, wanted)


class TestNormaliser:
    """Files of the robustness library state the mean and std of their training, which must be ours."""

    SPEC = "torchvision:resnet18@r.pth?size=64&prefix=module.model."

    def write(self, weights, model, name, values):
        checkpoint = paper_files.robustness(model.state_dict())
        checkpoint["model"][f"module.normalizer.{name}"] = torch.tensor(values)
        torch.save(checkpoint, weights / "r.pth")

    @pytest.mark.parametrize(("name", "values"), [
        ("new_mean", [0.4914, 0.4822, 0.4465]), ("new_std", [0.5, 0.5, 0.5]), ("new_mean", [0.0]),
    ])  # fmt: skip
    def test_another_one_is_refused(self, weights, model, name, values):
        self.write(weights, model, name, values)
        with pytest.raises(
            BadSpec, match=rf"normalised with module\.normalizer\.{name} = .*and this model is fed with"
        ):
            resolve(self.SPEC).load()

    def test_its_own_is_read_and_raw_pixels_are_an_option(self, weights, model):
        torch.save(paper_files.robustness(model.state_dict()), weights / "r.pth")
        assert resolve(self.SPEC).load().prepare.preprocess.mean == (0.485, 0.456, 0.406)
        assert resolve(f"{self.SPEC}&pixels=raw").load().prepare.preprocess.mean == (0.0, 0.0, 0.0)


def test_tensors_without_a_place_are_left_out_on_request_only(weights, model):
    torch.save(model.state_dict() | {"more": torch.zeros(1)}, weights / "more.pth")
    resolve("torchvision:resnet18@more.pth?spare=1").load()
    with pytest.raises(CorruptAsset, match=r"does not use: more$"):
        resolve("torchvision:resnet18@more.pth").load()


@pytest.mark.parametrize(("name", "head", "dim"), [
    ("mobilenet_v3_small", "classifier.3", 1024), ("alexnet", "classifier.6", 4096), ("swin_t", "head", 768),
])  # fmt: skip
def test_the_last_linear_layer_is_found_in_other_families(name, head, dim):
    from mmbench.models.torchvision import build, cut_head

    with torch.device("meta"):
        module = build(name, "a model")
    assert cut_head(module, "a model") == (head, dim)
    assert isinstance(module.get_submodule(head), torch.nn.Identity)


def test_a_model_without_a_classifier_is_refused():
    from mmbench.models.torchvision import cut_head

    with pytest.raises(
        BadSpec, match=r"m has no linear classifier at its end that could be removed; wrap it with from_module"
    ):
        cut_head(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1)), "m")


def test_named_weights_come_from_torch_hubs_folder(weights, model, pictures, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(weights / "hub"))
    entry = resolve("torchvision:resnet18:IMAGENET1K_V1?size=64")
    with pytest.raises(MissingAsset, match=r"the weights are not at .*resnet18-f37072fd.pth; put https://"):
        entry.load()
    assert entry.identity().weights is None
    path = weights / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    path.parent.mkdir(parents=True)
    torch.save(model.state_dict(), path)
    _, found = encode("torchvision:resnet18:IMAGENET1K_V1?size=64", pictures)
    torch.save(model.state_dict(), weights / "r.pth")
    assert torch.equal(found, encode("torchvision:resnet18@r.pth?size=64", pictures)[1])
    assert entry.identity().weights == checkpoints.file_digest(path)


class TestRefusals:
    def test_another_architecture(self, weights, model):
        torch.save(model.state_dict(), weights / "r18.pth")
        with pytest.raises(
            BadSpec,
            match=r"r18.pth (does not hold the weights of|is of another architecture than) torchvision resnet50",
        ):
            resolve("torchvision:resnet50@r18.pth").load()

    def test_missing_and_extra_key(self, weights, model):
        state = model.state_dict()
        torch.save({k: v for k, v in state.items() if k != "conv1.weight"}, weights / "less.pth")
        torch.save(state | {"more": torch.zeros(1)}, weights / "more.pth")
        with pytest.raises(CorruptAsset, match=r"lacks weights that torchvision resnet18 needs: conv1.weight$"):
            resolve("torchvision:resnet18@less.pth").load()
        with pytest.raises(CorruptAsset, match=r"has weights that torchvision resnet18 does not use: more$"):
            resolve("torchvision:resnet18@more.pth").load()

    def test_group_norm_in_place_of_batch_norm(self, weights):
        """The same convolutions under another normalisation: its running mean and variance are not there."""
        group = torchvision.models.resnet18(weights=None, norm_layer=lambda width: torch.nn.GroupNorm(4, width))
        torch.save(group.state_dict(), weights / "gn.pth")
        with pytest.raises(CorruptAsset, match=r"lacks weights that torchvision resnet18 needs: bn1.running_mean, bn1"):
            resolve("torchvision:resnet18@gn.pth").load()

    def test_unknown_names(self, weights):
        with pytest.raises(UnknownName, match=r"no torchvision model named 'resnet19'. Did you mean 'resnet1"):
            resolve("torchvision:resnet19?random=0").load()
        with pytest.raises(BadSpec, match=r"no weights of torchvision resnet18 named 'IMAGENET1K_V9'. Did you mean"):
            resolve("torchvision:resnet18:IMAGENET1K_V9?random=0").load()
