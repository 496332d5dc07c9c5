"""Specifications are taken apart and their options checked, the same way for models and datasets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.errors import BadSpec
from mmbench.spec import FLAG, Parts, choice, matching, read_options, split, whole

WORD = st.from_regex(r"[A-Za-z0-9_./-]{1,9}", fullmatch=True)
VALUES = {"size": whole(4), "fit": choice("crop", "squash"), "lower": FLAG, "sha": matching("[0-9a-f]+", "hex")}


@pytest.mark.parametrize(("text", "marks", "parts"), [
    ("timm:resnet18", "@#", Parts("timm", "resnet18")),
    ("open_clip:RN50:openai@a/b.pt?size=64#text", "@#",
     Parts("open_clip", "RN50:openai", "a/b.pt", "size=64", "text", "#@")),
    ("hf_dataset:org/name@abc?split=x#y", "", Parts("hf_dataset", "org/name@abc", query="split=x#y")),
    ("zoo:clip@", "@#", Parts("zoo", "clip", marked="@")),
    ("minilm", "@#", Parts("", "minilm")),
    ("", "@#", Parts("", "")),
    ("python:module:name", "#", Parts("python", "module:name")),
])  # fmt: skip
def test_parts(text, marks, parts):
    assert split(text, marks) == parts


@given(WORD, WORD, st.just("") | WORD, st.just("") | WORD, st.just("") | WORD)
def test_what_is_put_together_is_taken_apart(scheme, name, file, query, fragment):
    text = f"{scheme}:{name}" + (file and f"@{file}") + (query and f"?{query}") + (fragment and f"#{fragment}")
    parts = split(text)
    assert (parts.scheme, parts.name, parts.file, parts.query, parts.fragment) == (scheme, name, file, query, fragment)


def test_options_keep_the_order_written():
    given_options = read_options("model 'x'", "size=64&other=any+text&fit=crop&lower=1&sha=a0", VALUES)
    assert list(given_options.items()) == [
        ("size", "64"), ("other", "any+text"), ("fit", "crop"), ("lower", "1"), ("sha", "a0"),
    ]  # fmt: skip
    assert read_options("model 'x'", "", VALUES) == {}


@pytest.mark.parametrize(("query", "message"), [
    ("size", "model 'x': 'size' is not OPTION=VALUE, given once"),
    ("size=", "model 'x': 'size=' is not OPTION=VALUE, given once"),
    ("=3", "model 'x': '=3' is not OPTION=VALUE, given once"),
    ("size=1&size=2", "model 'x': 'size=2' is not OPTION=VALUE, given once"),
    ("size=1&", "model 'x': '' is not OPTION=VALUE, given once"),
    ("size=-1", "model 'x': size is a whole number, not '-1'"),
    ("size=²", "model 'x': size is a whole number, not '²'"),
    ("size=12345", "model 'x': size is a whole number, not '12345'"),
    ("fit=squish", "model 'x': fit is one of crop, squash, not 'squish'"),
    ("lower=yes", "model 'x': lower is 0 or 1, not 'yes'"),
    ("sha=A", "model 'x': sha is hex, not 'A'"),
])  # fmt: skip
def test_a_bad_option_is_named(query, message):
    with pytest.raises(BadSpec) as caught:
        read_options("model 'x'", query, VALUES)
    assert str(caught.value) == message


def test_an_unknown_option_suggests_the_nearest_and_a_missing_one_the_form():
    with pytest.raises(BadSpec) as caught:
        read_options("dataset spec 'coco:x?rot=3'", "rot=3", {}, known=("root", "captions"))
    assert str(caught.value) == "dataset spec 'coco:x?rot=3': no option named 'rot'. Did you mean 'root'?"
    with pytest.raises(BadSpec) as caught:
        read_options("dataset spec 'coco:x'", "", {}, known=("root",), needs=("root",), form="coco:NAME?root=DIR")
    assert str(caught.value) == "dataset spec 'coco:x' lacks root=...; write coco:NAME?root=DIR"
