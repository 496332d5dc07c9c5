"""What a person writes finds its dataset, or says what was meant."""

import pytest

from mmbench.datasets.entry import DATASETS
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec, UnknownName


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_registered_name_resolves(name):
    assert resolve(name) is DATASETS.get(name)


@pytest.mark.parametrize(
    "spec", ["openmoji:concepts", "openmoji:posters_title", "digits:mnist5k", "titles:title_cards"]
)
def test_a_source_may_stand_before_the_name(spec):
    assert resolve(spec).name == spec.split(":")[1]


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("concept", UnknownName, r"no dataset named 'concept'. Did you mean 'concepts'"),
        ("openmoji:flag", UnknownName, r"no openmoji dataset named 'flag'. Did you mean 'flags'"),
        ("digits:flags", UnknownName, r"no digits dataset named 'flags'"),
        ("imagefoldr:/x", UnknownName, r"no kind of dataset spec named 'imagefoldr'. Did you mean 'imagefolder'"),
        ("openmoji:", BadSpec, r"'openmoji:' ends after 'openmoji'; write a registered name"),
        ("imagefolder:", BadSpec, r"ends after 'imagefolder'"),
        ("imagefolder:/nowhere", BadDataset, r"/nowhere is not a folder"),
        (
            "torchvision:CIFAR10",
            BadSpec,
            r"must say where the files are and nothing else: torchvision:CIFAR10\?root=DIR",
        ),
        ("torchvision:CIFAR10?root=", BadSpec, r"must say where the files are"),
        ("torchvision:CIFAR10?root=/x&download=1", BadSpec, r"nothing else"),
        ("torchvision:CIFAR?root=/x", UnknownName, r"no torchvision dataset named 'CIFAR'"),
        ("", UnknownName, r"no dataset named ''"),
    ],
)
def test_a_spec_that_cannot_be_read_says_what_to_write(spec, error, message):
    with pytest.raises(error, match=message):
        resolve(spec)


def test_a_torchvision_spec_takes_its_root(tmp_path):
    assert resolve(f"torchvision:SVHN?root={tmp_path}").classes == 10
