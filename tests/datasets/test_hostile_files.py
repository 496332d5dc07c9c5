"""Whatever lies at a path, a dataset is read or refused in one line; nothing waits, and no traceback comes out."""

import os

import pytest

from mmbench.datasets.one_run import once_a_run
from mmbench.datasets.specs import resolve
from mmbench.errors import MMBenchError

ROOTS = {
    "a file": lambda folder: (folder / "x").write_text("x"),
    "a pipe": lambda folder: os.mkfifo(folder / "x"),
    "a device": lambda folder: (folder / "x").symlink_to("/dev/zero"),
    "a link to itself": lambda folder: (folder / "x").symlink_to(folder / "x"),
    "nothing": lambda folder: None,
    "an empty folder": lambda folder: (folder / "x").mkdir(),
    "a long name": lambda folder: None,
}
SPECS = [
    "imagefolder:{}",
    "webdataset:{}",
    "hf_dataset:{}",
    "table:{}/t.csv?text=t&label=l",
    "analogies:semantic?names={}",
    "table:/t.csv?text=t&label=l&templates={}",
    "restricted:flags?classes=@{}",
    "coco:val2017?root={}",
    "imagenet:val?root={}",
    "imagenet:v2?root={}",
    "imagenet:objectnet?root={}",
    "torchvision:CIFAR10?root={}",
    "torchvision:CUB200?root={}",
    "torchvision:MNIST?root={}",
    "torchvision:SVHN?root={}",
    "corpus:{}",
    "analogies:semantic?file={}",
    "word_pairs:mine?file={}",
    "python:{}:name",
]


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("spec", SPECS)
def test_what_is_no_dataset_is_refused(tmp_path, spec, root, own_notes):
    ROOTS[root](tmp_path)
    path = f"{tmp_path}/{'x' * 5000 if root == 'a long name' else 'x'}"
    if spec == "corpus:{}" and root == "a file":
        path = "/"  # one word is a corpus
    with pytest.raises(MMBenchError) as refused:
        once_a_run(resolve(spec.format(path))).entry.load()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "spec", ["analogies:semantic?file={}", "word_pairs:mine?file={}", "corpus:{}", "table:{}?text=t&label=l"]
)
def test_a_file_that_is_not_utf8_is_refused(tmp_path, spec, own_notes):
    (tmp_path / "x.csv").write_bytes(b"\xff\n")
    with pytest.raises(MMBenchError, match=r"is not UTF-8 text .*convert it"):
        once_a_run(resolve(spec.format(tmp_path / "x.csv"))).entry.load()


def test_a_function_of_the_user_that_raises_is_one_line():
    with pytest.raises(MMBenchError, match=r"'python:os\.path:join': its code ended in TypeError: join\(\) missing 1"):
        resolve("python:os.path:join")
