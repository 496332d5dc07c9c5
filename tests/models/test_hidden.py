"""Hidden layers: each is what the network computes there, pooled as stated, and the output is not touched by hooks."""

from __future__ import annotations

import threading

import pytest
import timm
import torch
import torchvision

from mmbench.errors import BadFeatures, UnknownName
from mmbench.models import encoders
from mmbench.models.entry import MODELS, Encoder, Preprocess
from mmbench.models.hidden import HiddenLayers, Layer, pooled_as, pooled_positions
from mmbench.models.specs import resolve
from mmbench.models.timm import layers_of
from mmbench.zoo import weight_files
from mmbench.zoo.frozen import backbone, vit

PLAIN = Preprocess(64, 64, (0.0,) * 3, (1.0,) * 3)


def images(size=64, count=3, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def close(found, wanted, **tolerance):
    torch.testing.assert_close(found, wanted, **(tolerance or {"rtol": 1e-4, "atol": 1e-5}))


@pytest.mark.parametrize("name", ["random", "rn50", "clip"])
def test_stages_of_the_zoos_backbone_are_those_before_folding(name):
    encoder, plain = MODELS.get(f"zoo:{name}").load(), weight_files.image_tower(name)
    widths = dict(zip(("output", "stem", "stage1", "stage2", "stage3"), (256, *backbone.WIDTHS), strict=True))
    assert dict(encoder.layers) == widths
    with torch.inference_mode():
        found, hidden = encoder.forward_layers(images(), list(encoder.layers)), images()
        for place, part in enumerate(plain):
            hidden = part(hidden)
            if 2 <= place <= 5:
                close(found["stem" if place == 2 else f"stage{place - 2}"], hidden.mean(dim=(2, 3)))
        close(found["output"], hidden)
        assert torch.equal(found["stage3"], found["output"]) == (name != "clip")  # a projection follows in CLIP


def test_blocks_of_the_zoos_vit():
    encoder, plain = MODELS.get("zoo:vit").load(), weight_files.image_tower("vit")
    assert dict(encoder.layers) == {"output": 256} | {f"block{number}": 128 for number in range(1, 7)}
    with torch.inference_mode():
        found = encoder.forward_layers(images(), list(encoder.layers))
        hidden = plain.embed(vit.patches(images())) + plain.place.weight
        for number, block in enumerate(plain.blocks, start=1):
            hidden = block(hidden)
            close(found[f"block{number}"], hidden.mean(dim=1))
        close(found["output"], plain(images()))


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_convnext", "swin_tiny_patch4_window7_224"])
def test_stages_equal_timms_own(name):
    torch.manual_seed(0)
    size = 224 if "224" in name else 64
    encoder = resolve(f"timm:{name}?random=0&size={size}").load()
    names = [layer for layer in encoder.layers if layer != "output"]
    with torch.inference_mode():
        found = encoder.forward_layers(images(size), ["output", *names])
        wanted = encoder.module.forward_intermediates(images(size), intermediates_only=True, output_fmt="NCHW")
        assert len(names) == len(wanted)
        for layer, tensor in zip(names, wanted, strict=True):
            close(found[layer], tensor.mean(dim=(2, 3)))
        assert torch.equal(found["output"], encoder.forward(images(size)))


@pytest.mark.parametrize(("name", "token"), [("test_vit", True), ("test_vit2", False), ("test_vit3", False)])
def test_blocks_equal_timms_own_pooled_as_the_model_pools(name, token):
    encoder = resolve(f"timm:{name}?random=0").load()
    names, module = [layer for layer in encoder.layers if layer != "output"], encoder.module
    assert names == [f"blocks.{number}" for number in range(len(module.blocks))]
    batch = images(160)
    with torch.inference_mode():
        found = encoder.forward_layers(batch, names)
        wanted = module.forward_intermediates(
            batch, intermediates_only=True, output_fmt="NLC", return_prefix_tokens=True
        )
        for layer, (patches, prefix) in zip(names, wanted, strict=True):
            close(found[layer], prefix[:, 0] if token else patches.mean(dim=1))


def timm_encoder(name):
    torch.manual_seed(0)
    module = timm.create_model(name, pretrained=False, num_classes=0)
    size = module.pretrained_cfg["input_size"][-1]
    return encoders.image_encoder(module, Preprocess(size, size, (0.0,) * 3, (1.0,) * 3), 4, layers=layers_of(module))


def test_blocks_before_the_class_token_is_added_are_averaged():
    encoder = timm_encoder("xcit_nano_12_p16_224")  # pools by class token, and adds it after the last of its blocks
    with torch.inference_mode():
        found = encoder.forward_layers(images(224, 1), ["blocks.3"])["blocks.3"]
        wanted = encoder.module.forward_intermediates(images(224, 1), [3], intermediates_only=True)
    close(found, wanted[0].mean(dim=(2, 3)))


def test_layers_that_give_no_tensor_are_left_out():
    assert dict(timm_encoder("pit_ti_224").layers) == {"output": 4}  # its stages give tuples


def test_layers_that_do_not_run_or_have_another_width_than_stated_are_left_out():
    module, idle = torch.nn.Linear(4, 5), torch.nn.Linear(4, 5)
    layers = {"right": Layer(module, width=5), "wrong": Layer(module, width=6), "idle": Layer(idle)}
    assert HiddenLayers(layers, lambda: module(torch.zeros(1, 4))).widths == {"right": 5}


@pytest.mark.parametrize("name", ["resnet18", "vit_b_32", "swin_t"])
def test_layers_equal_torchvisions_own_extractor(name):
    encoder = resolve(f"torchvision:{name}?random=0").load()
    names = list(encoder.layers)[-3:]
    extractor = torchvision.models.feature_extraction.create_feature_extractor(encoder.module, names)
    with torch.inference_mode():
        found, wanted = encoder.forward_layers(images(224, 2), names), extractor(images(224, 2))
    for layer in names:
        tensor = wanted[layer]
        how = {"vit_b_32": lambda x: x[:, 0], "swin_t": lambda x: x.mean(dim=(1, 2))}
        close(found[layer], how.get(name, lambda x: x.mean(dim=(2, 3)))(tensor))


class TestPooling:
    def test_of_positions(self):
        grid = torch.arange(24.0).reshape(1, 2, 3, 4)
        assert pooled_positions(grid).tolist() == [[5.5, 17.5]]
        assert pooled_as(channels_last=True)(grid).tolist() == [[10, 11, 12, 13]]

    def test_of_tokens(self):
        tokens = torch.arange(12.0).reshape(1, 4, 3)
        assert pooled_positions(tokens).tolist() == [[4.5, 5.5, 6.5]]
        assert pooled_as(prefix_tokens=1)(tokens).tolist() == [[6, 7, 8]]
        assert pooled_as(class_token=True, prefix_tokens=1)(tokens).tolist() == [[0, 1, 2]]
        assert pooled_as(class_token=True, prefix_tokens=1, patches=4)(tokens).tolist() == [[4.5, 5.5, 6.5]]

    def test_of_a_vector_is_the_vector(self):
        assert pooled_positions(torch.ones(2, 3)).tolist() == [[1, 1, 1]] * 2

    @pytest.mark.parametrize(
        ("given", "named"), [(torch.ones(2, 1, 1, 1, 3), r"a tensor of shape \[2, 1, 1, 1, 3\]"), ((1, 2), "a tuple")]
    )
    def test_of_anything_else_is_refused(self, given, named):
        with pytest.raises(
            BadFeatures, match=rf"^a hidden layer gave {named}; expected a tensor \[batch, dim, h, w\],"
        ):
            pooled_positions(given)


def small():
    """A network of three linear layers, and its hidden layers."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Linear(5, 6), torch.nn.Linear(6, 7)).eval()
    hidden = HiddenLayers({"a": Layer(module[0]), "b": Layer(module[1])}, lambda: module(torch.zeros(1, 4)))
    return Encoder("image", 7, module, module, hidden=hidden)


def test_layers_are_listed_in_the_order_of_the_network():
    assert list(small().layers.items()) == [("output", 7), ("a", 5), ("b", 6)]


def test_an_unknown_layer_lists_them_all():
    message = "no layer of my model named 'c'. Known: output, a, b."
    with pytest.raises(UnknownName) as caught:
        small().check_layers(["a", "c"], "my model")
    assert str(caught.value) == message
    with pytest.raises(UnknownName, match="no layer of this encoder named 'aa'"):
        small().forward_layers(torch.zeros(1, 4), ["aa"])


def test_an_encoder_without_hidden_layers_has_its_output():
    module = torch.nn.Linear(4, 7)
    encoder = Encoder("image", 7, module, module)
    assert dict(encoder.layers) == {"output": 7}
    assert torch.equal(encoder.forward_layers(torch.ones(2, 4), ["output"])["output"], module(torch.ones(2, 4)))


def test_a_forward_that_was_replaced_is_the_one_that_runs():
    encoder, calls = small(), []
    encoder.forward = lambda batch: (calls.append(len(batch)), encoder.module(batch))[1]
    found = encoder.forward_layers(torch.ones(3, 4), ["b", "output", "a"])
    assert list(found) == ["b", "output", "a"]
    assert calls == [3]


def test_hooks_do_nothing_outside_a_recording():
    encoder = small()
    with encoder.hidden.recording(["a"]) as found:
        encoder.forward(torch.ones(2, 4))
    kept = found["a"]
    encoder.forward(torch.zeros(1, 4))
    assert found["a"] is kept
    assert list(found) == ["a"]


def test_two_threads_record_their_own_batches():
    encoder, both, found = small(), threading.Barrier(2, timeout=30), {}
    inner = encoder.forward

    def forward(batch):
        both.wait()
        out = inner(batch)
        both.wait()  # both passes are over before either recording ends
        return out

    encoder.forward = forward

    def work(number):
        found[number] = encoder.forward_layers(torch.full((number, 4), float(number)), ["a", "b"])

    workers = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for number in (1, 2):
        hidden = encoder.module[0](torch.full((number, 4), float(number)))
        close(found[number]["a"], hidden)
        close(found[number]["b"], encoder.module[1](hidden))
