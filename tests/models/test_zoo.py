"""The zoo in the registry: what is registered, what an identity rests on, and the raw reading."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mmbench.models.entry import MODELS
from mmbench.zoo import weight_files

IMAGES = ("zoo:bit_m", "zoo:rn50", "zoo:clip", "zoo:random")


def picture(seed=0, size=(80, 64)):
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_only_what_has_weights_is_registered():
    registered = {name for name in MODELS.names() if name.startswith("zoo:")}
    assert registered == {"zoo:random", *(f"zoo:{name}" for name in weight_files.shipped())}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_tower_gives_the_declared_width(name):
    import torch

    entry = MODELS.get(name)
    encoder = entry.load()
    assert not encoder.module.training
    with torch.inference_mode():
        features = encoder.forward(torch.stack([encoder.prepare(picture(seed)) for seed in range(3)]))
    assert features.shape == (3, entry.dim)
    assert bool(torch.isfinite(features).all())
    if name != "zoo:clip":  # a projection may be negative, a mean of ReLU outputs may not
        assert float(features.min()) >= 0
    assert float(features.std(dim=0).max()) > 0


def test_the_text_tower_takes_any_text():
    import torch

    entry = MODELS.get("zoo:clip_t")
    encoder = entry.load()
    with torch.inference_mode():
        features = encoder.forward(["a drawing of a cat", "", "Œuvre 猫 🐈", "word " * 200])
    assert features.shape == (4, entry.dim)
    assert bool(torch.isfinite(features).all())


def test_the_raw_reading_differs_in_its_preprocessing_only():
    entry = MODELS.get("zoo:rn50")
    raw = entry.raw()
    assert raw.name == "zoo:rn50_raw"
    assert raw.raw is None
    one, other = entry.identity(), raw.identity()
    assert one.weights == other.weights
    assert one.preprocess != other.preprocess
    pixels = raw.load().prepare(picture())
    assert 0 <= float(pixels.min()) < float(pixels.max()) <= 1


def test_identities_differ():
    identities = [str(entry.identity().as_dict()) for entry in MODELS if entry.name.startswith("zoo:")]
    assert len(set(identities)) == len(identities)


def test_identity_needs_no_torch():
    code = (
        "import sys; from mmbench.models import zoo; from mmbench.models.entry import MODELS;"
        "[e.identity() for e in MODELS if e.name.startswith('zoo:')]; print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.strip() == "False", said.stderr


def test_the_untrained_network_is_where_training_starts():
    from mmbench.zoo.frozen import backbone

    one, other = weight_files.image_tower("random").state_dict(), backbone.build(seed=0).state_dict()
    assert all(bool((one[key] == other[key]).all()) for key in one)


def test_a_weights_file_plays_the_model_of_its_name(tmp_path):
    """The shipped file elsewhere gives the same features under another place; its identity is its content."""
    import shutil

    import torch

    from mmbench.models.specs import resolve

    copied = tmp_path / "bit_m.safetensors"
    shutil.copy(weight_files.path_of("bit_m"), copied)
    entry, shipped = resolve(f"zoo:bit_m@{copied}"), MODELS.get("zoo:bit_m")
    assert entry.identity() == shipped.identity()
    batch = torch.stack([entry.load().prepare(picture())])
    with torch.inference_mode():
        assert torch.equal(entry.load().forward(batch), shipped.load().forward(batch))
    assert entry.raw().name == f"zoo:bit_m@{copied}_raw"


def test_a_weights_file_does_not_play_the_shipped_model_beside_it(tmp_path):
    """Two roles of one recipe, one of them from a file: each is encoded by its own weights."""
    import shutil

    from mmbench.bench.bench import Bench

    copied = tmp_path / "bit_m.safetensors"
    shutil.copy(weight_files.path_of("bit_m_seed1"), copied)
    bench = Bench.open("embedded", models=[f"simclr=zoo:bit_m@{copied}"], store=tmp_path / "store", progress=False)
    shipped, other, seed1 = (bench.features(role, "cifar10", "test") for role in ("bit_m", "simclr", "bit_m_seed1"))
    assert np.array_equal(other, seed1)
    assert not np.allclose(other, shipped, atol=0.1)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("zoo:bit_m@{}/nowhere.safetensors", "MissingAsset", "the file is not there"),
        ("zoo:bit_m@{}/other.safetensors", "BadSpec", "kept in a file bit_m.safetensors"),
        ("zoo:bit_m@{}/bit_m.safetensors", "CorruptAsset", "cannot be read"),
        ("zoo:bit_m@{}/bit_m.safetensors?size=32", "BadSpec", "option"),
    ],
)
def test_a_weights_file_that_cannot_be_taken_is_named(tmp_path, spec, error, message):
    from mmbench import errors
    from mmbench.models.specs import resolve

    for name in ("other", "bit_m"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0not json")
    with pytest.raises(getattr(errors, error), match=message):
        resolve(spec.format(tmp_path))
