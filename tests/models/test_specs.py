"""Model specifications: read, written back, resolved without torch, refused with the way out."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.errors import BadFeatures, BadSpec, CorruptAsset, UnknownName
from mmbench.models import specs
from mmbench.models.entry import Encoder, Preprocess
from mmbench.models.specs import ModelSpec, parse, resolve

WORD = st.from_regex(r"[A-Za-z0-9_.-]{1,12}", fullmatch=True)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={"size": st.integers(1, 999).map(str), "fit": st.sampled_from(["crop", "squash"]), "prefix": WORD},
)


@given(
    st.sampled_from(["open_clip", "timm", "torchvision"]),
    WORD,
    st.just("") | WORD,
    st.just("") | st.from_regex(r"/?[A-Za-z0-9_./-]{1,20}", fullmatch=True),
    OPTIONS,
    st.sampled_from(["", "text", "image"]),
)
def test_written_and_read_again_is_the_same(source, name, tag, file, options, tower):
    spec = ModelSpec(source, name, tag, file, tuple(sorted(options.items())), tower)
    assert parse(str(spec)) == spec


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        spec = parse(text)
    except BadSpec as error:
        said = str(error)
        assert repr(text) in said
    else:
        assert parse(str(spec)) == spec


@pytest.mark.parametrize(("text", "wanted"), [
    ("open_clip:RN50:openai", ModelSpec("open_clip", "RN50", "openai")),
    ("open_clip:RN50@file:/ckpt.pt", ModelSpec("open_clip", "RN50", file="file:/ckpt.pt")),
    ("open_clip:RN50:openai@a/b.pt#text", ModelSpec("open_clip", "RN50", "openai", "a/b.pt", (), "text")),
    ("transformers:/models/bert?pool=cls", ModelSpec("transformers", "/models/bert", options=(("pool", "cls"),))),
    ("timm:resnet18.a1_in1k?size=64&fit=squash",
     ModelSpec("timm", "resnet18.a1_in1k", options=(("fit", "squash"), ("size", "64")))),
])  # fmt: skip
def test_parts(text, wanted):
    assert parse(text) == wanted


def test_the_place_of_the_file_is_no_part_of_the_architecture():
    one, two = (parse(f"timm:resnet18@{file}?size=64&dim=512") for file in ("a.pt", "/b/c.pt"))
    assert one.architecture() == two.architecture() == "timm:resnet18?size=64"


@pytest.mark.parametrize(("text", "words"), [
    ("timm:", "model 'timm:' is not SOURCE:NAME[:TAG][@FILE][?OPTION=VALUE][#TOWER]"),
    ("timm:resnet18@", "model 'timm:resnet18@' is not SOURCE:NAME[:TAG][@FILE][?OPTION=VALUE][#TOWER]"),
    ("timm:resnet18?size", "model 'timm:resnet18?size': 'size' is not OPTION=VALUE, given once"),
    ("timm:resnet18?size=1&size=2", "model 'timm:resnet18?size=1&size=2': 'size=2' is not OPTION=VALUE, given once"),
    ("timm:resnet18?size=big", "model 'timm:resnet18?size=big': size is a whole number, not 'big'"),
    ("timm:resnet18?fit=squish", "model 'timm:resnet18?fit=squish': fit is one of crop, squash, border, not 'squish'"),
    ("timm:resnet18@a.pt?random=1", "model 'timm:resnet18@a.pt?random=1': choose one of @FILE and ?random=SEED"),
    ("timm:resnet18@a.pt?sha256=12345", "model 'timm:resnet18@a.pt?sha256=12345': sha256 is 8 to 64 hexadecimal"),
    ("timm:resnet18@a.pt?sha256=ABCDEF12", "model 'timm:resnet18@a.pt?sha256=ABCDEF12': sha256 is 8 to 64 hexadecimal"),
    ("transformers:b?pool=cls&token=4", "model 'transformers:b?pool=cls&token=4': choose one of ?pool= and ?token="),
    ("transformers:b?token=-1", "model 'transformers:b?token=-1': token is a whole number, not '-1'"),
    ("open_clip:RN50@a.pt?activation=relu", "model 'open_clip:RN50@a.pt?activation=relu': activation is one of gelu"),
    ("timm:resnet18?activation=gelu", "model 'timm:resnet18?activation=gelu': no option named 'activation'"),
    ("timm:resnet18?szie=3", "model 'timm:resnet18?szie=3': no option named 'szie'. Did you mean 'size'?"),
    ("timm:resnet18#text", "model 'timm:resnet18#text': timm takes no #TOWER here, not #text"),
    ("timm:resnet18:a1_in1k",
     "model 'timm:resnet18:a1_in1k': timm writes tags with a dot: timm:resnet18.a1_in1k"),
    ("open_clip:RN50", "model 'open_clip:RN50' names no weights: add :TAG, @FILE or ?random=SEED"),
    ("open_clip:RN50:openai#txt", "model 'open_clip:RN50:openai#txt': open_clip takes #image or #text here, not #txt"),
    ("open_clip:RN50:openai?size=64#text", "model 'open_clip:RN50:openai?size=64#text': no option named 'size'."),
    ("transformers:bert@x.pt",
     "model 'transformers:bert@x.pt': name the folder, transformers:DIR; it holds config, weights and tokenizer"),
    ("transformers:bert?size=3", "model 'transformers:bert?size=3': no option named 'size'."),
])  # fmt: skip
def test_a_bad_specification_says_what_is_wrong(text, words):
    with pytest.raises(BadSpec) as caught:
        resolve(text)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(("text", "words"), [
    ("timn:resnet18", "no model source named 'timn'. Did you mean 'timm'"),
    ("efficientnet_lite", "no model named 'efficientnet_lite'. Did you mean 'efficientnet_lite0'"),
    ("zoo:clipp", "no model named 'zoo:clipp'."),
])  # fmt: skip
def test_an_unknown_name_suggests_the_nearest(text, words):
    with pytest.raises(UnknownName) as caught:
        resolve(text)
    assert str(caught.value).startswith(words)


def test_registered_names_resolve_to_their_entries():
    assert resolve("minilm").dim == 384
    assert resolve("efficientnet_lite0").dim == 1280


class TestStatedDigest:
    """``?sha256=`` is checked before anything of the file is read, here one that could not be read at all."""

    @pytest.mark.parametrize("spec", [
        "timm:test_resnet@w.pt", "torchvision:resnet18@w.pt", "open_clip:RN50:openai@w.pt", "open_clip:RN50@w.pt",
        "tfhub:deepmind/mmv/tsm-resnet50/1@w.pt",
    ])  # fmt: skip
    def test_another_file_is_refused_unread(self, weights, spec):
        from mmbench.models import checkpoints

        (weights / "w.pt").write_bytes(b"no weights")
        digest = checkpoints.file_digest(weights / "w.pt")
        with pytest.raises(CorruptAsset, match=f"states sha256=01234567, but .*w.pt has {digest}"):
            resolve(f"{spec}?sha256=01234567").load()
        with pytest.raises((CorruptAsset, BadSpec)) as caught:
            resolve(f"{spec}?sha256={digest}").load()
        assert "states" not in str(caught.value)

    def test_it_is_no_part_of_the_identity(self, weights):
        (weights / "w.pt").write_bytes(b"weights")
        one, two = (resolve(f"timm:test_resnet@w.pt{option}").identity() for option in ("", "?sha256=01234567"))
        assert one == two


def test_a_declared_width_is_checked():
    encoder = Encoder("image", 7, None, None)
    assert specs.checked(parse("timm:x?dim=7"), encoder) is encoder
    assert specs.checked(parse("timm:x"), encoder) is encoder
    with pytest.raises(BadFeatures, match=r"model 'timm:x\?dim=8' declares dim=8 but its encoder gives 7 columns"):
        specs.checked(parse("timm:x?dim=8"), encoder)


class TestAdjusted:
    own = Preprocess(224, 256, (0.5,) * 3, (0.5,) * 3, "bilinear")

    def test_nothing_asked_changes_nothing(self):
        assert specs.adjusted(self.own, parse("timm:x")) == self.own

    def test_size_alone_fits_the_short_side_to_it(self):
        changed = specs.adjusted(self.own, parse("timm:x?size=256&interpolation=bicubic"))
        assert changed == Preprocess(256, 256, (0.5,) * 3, (0.5,) * 3, "bicubic")

    def test_raw_pixels(self):
        changed = specs.adjusted(self.own, parse("timm:x?pixels=raw"))
        assert (changed.mean, changed.std) == ((0.0,) * 3, (1.0,) * 3)

    def test_a_crop_larger_than_the_image_is_refused(self):
        with pytest.raises(BadSpec, match=r"resize=100 is smaller than the crop of size=224"):
            specs.adjusted(self.own, parse("timm:x?resize=100"))


def test_raw_is_the_same_specification_with_raw_pixels():
    entry = resolve("timm:resnet18@x.pt?size=64")
    assert entry.raw is not None
    raw = entry.raw()
    assert raw.name == "timm:resnet18@x.pt?pixels=raw&size=64"
    assert raw.raw is None
    assert raw.identity() != entry.identity()


def test_resolving_and_identifying_import_no_torch(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"weights")
    code = (
        "import sys\n"
        "from mmbench.models.specs import resolve\n"
        "for spec in ('timm:resnet18@x.pt', 'torchvision:resnet18@x.pt', \n"
        "             'open_clip:RN50@x.pt', 'open_clip:RN50:openai',\n"
        "             'transformers:bert-base-uncased', 'efficientnet_lite0', 'minilm'):\n"
        "    entry = resolve(spec)\n"
        "    weights = entry.identity().weights\n"
        "    assert (weights is None) == ('x.pt' not in spec and ':' in spec), (spec, weights)\n"
        "heavy = {'torch', 'timm', 'open_clip', 'transformers', 'torchvision'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    env = {"PATH": "", "MMBENCH_WEIGHTS": str(tmp_path), "MMBENCH_CACHE": str(tmp_path / "c"), "HF_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
