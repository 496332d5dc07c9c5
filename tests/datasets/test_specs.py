"""What a person writes finds its dataset, or says what was meant."""

import subprocess
import sys

import numpy as np
import paper_data
import pytest

from mmbench.datasets.declared import SPLITS
from mmbench.datasets.entry import DATASETS
from mmbench.datasets.source import SOURCES
from mmbench.datasets.specs import resolve
from mmbench.errors import BadDataset, BadSpec, MissingAsset, UnknownName


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
            r"'torchvision:CIFAR10' lacks root=\.\.\.; write torchvision:NAME\?root=DIR",
        ),
        ("torchvision:CIFAR10?root=", BadSpec, r"'root=' is not OPTION=VALUE, given once"),
        ("torchvision:CIFAR10?root=/x&root=/y", BadSpec, r"'root=/y' is not OPTION=VALUE, given once"),
        ("torchvision:CIFAR10?root=/x&download=1", BadSpec, r"no option named 'download'"),
        ("torchvision:CIFAR10?root=/x&train=all", BadSpec, r"train is a whole number, not 'all'"),
        ("torchvision:CIFAR10?root=/x&tran=5", BadSpec, r"no option named 'tran'. Did you mean 'train'"),
        ("torchvision:CIFAR?root=/x", UnknownName, r"no torchvision dataset named 'CIFAR'"),
        ("", UnknownName, r"no dataset named ''"),
    ],
)
def test_a_spec_that_cannot_be_read_says_what_to_write(spec, error, message):
    with pytest.raises(error, match=message):
        resolve(spec)


def test_a_torchvision_spec_takes_its_root(tmp_path):
    assert resolve(f"torchvision:SVHN?root={tmp_path}").classes == 10


@pytest.mark.parametrize("kind", SOURCES.names())
def test_every_kind_says_how_it_is_written(kind):
    with pytest.raises(BadSpec, match=rf"ends after '{kind}'; write .*{kind}:"):
        resolve(f"{kind}:")


EXAMPLES = {
    "torchvision": "torchvision:SVHN?root={}",
    "imagenet": "imagenet:a?root={}",
    "coco": "coco:val2017?root={}",
    "webdataset": "webdataset:{}",
    "table": "table:{}/films.csv?text=title&label=genre",
    "hf_dataset": "hf_dataset:{}",
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_spec_resolves_before_its_files_are_there(kind, tmp_path):
    """A lineup must be readable on a machine without the data; what is missing is said when it is asked for."""
    entry = resolve(EXAMPLES[kind].format(tmp_path / "later"))
    assert entry.assets
    for ask in (entry.load, entry.identity):
        with pytest.raises(MissingAsset, match="does not exist"):
            ask()


@pytest.mark.parametrize("kind", [*EXAMPLES, "imagefolder"])
def test_every_kind_takes_sizes(kind, folders):
    spec = EXAMPLES.get(kind, "imagefolder:{}").format(folders)
    sizes = "classes=7&train=1&valid=2&test=3"
    entry = resolve(spec + ("&" if "?" in spec else "?") + sizes)
    assert entry.classes == 7
    assert {split: entry.counts[split] for split in SPLITS} == {"train": 1, "valid": 2, "test": 3}


def test_sizes_of_an_image_folder_are_checked_when_it_is_loaded(folders):
    assert resolve(f"imagefolder:{folders}?classes=2&train=2").load()
    with pytest.raises(BadDataset, match=r"has 2 items in 'train', expected 9"):
        resolve(f"imagefolder:{folders}?train=9").load()
    with pytest.raises(BadDataset, match=r"has no split 'valid', expected 1 items in it"):
        resolve(f"imagefolder:{folders}?valid=1").load()


@pytest.fixture
def folders(tmp_path):
    for place in ("train/cat", "train/dog", "test/cat", "test/dog"):
        paper_data.save(np.zeros((4, 4, 3), np.uint8), tmp_path / place / "x.png")
    return tmp_path


def test_resolving_imports_nothing_heavy():
    specs = [example.format("/nowhere") for example in EXAMPLES.values()]
    code = (
        "import sys\nfrom mmbench.datasets.specs import resolve\n"
        f"for spec in {specs!r}: resolve(spec)\n"
        "heavy = {'torch', 'timm', 'datasets', 'pyarrow', 'PIL', 'torchvision', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
