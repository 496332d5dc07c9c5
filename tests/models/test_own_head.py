"""A torchvision classifier keeps its last layer as the model's own head where the specification says so."""

import pytest
import torch

from mmbench.datasets.imagenet import class_names
from mmbench.errors import BadSpec
from mmbench.models.specs import resolve


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "net.pth"
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), path)
    return path


def test_the_head_is_the_last_layer_of_the_file_and_names_imagenets_classes(path):
    entry = resolve(f"torchvision:resnet18@{path}?head=imagenet")
    encoder, state = entry.load(), torch.load(path, weights_only=True)
    weight, bias = encoder.head
    assert torch.equal(weight, state["fc.weight"])
    assert torch.equal(bias, state["fc.bias"])
    assert entry.head() == tuple(class_names().values())
    plain = resolve(f"torchvision:resnet18@{path}")
    assert plain.head is None
    assert plain.load().head is None
    assert plain.identity() == entry.identity()  # features are the same


def test_weights_without_such_a_layer_are_refused():
    with pytest.raises(BadSpec, match="needs the layer 'fc' of 1,000 classes in the weights, found none"):
        resolve("torchvision:resnet18?random=0&head=imagenet").load()
    with pytest.raises(BadSpec, match="head"):
        resolve("torchvision:resnet18?random=0&head=flowers")
