"""Training is repeatable, and a run that was killed ends where an uninterrupted one ends."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mmbench import zoo
from mmbench.errors import BadSpec, CorruptAsset, UnknownName
from mmbench.zoo import weight_files
from mmbench.zoo.frozen.loop import Trainer, pace

SHORT = {"steps": 6, "batch": 4, "warmup": 2}
NAMES = zoo.RECIPES.names()
CHILD = """
import dataclasses, sys, time
from mmbench import zoo
from mmbench.zoo.frozen.corpus import Corpus
from mmbench.zoo import training
import numpy as np
held = np.load(sys.argv[1])
corpus = Corpus(*(tuple(map(str, held[k])) for k in ("ids", "names")),
                tuple(tuple(map(str, row)) for row in held["keywords"]),
                *(tuple(map(str, held[k])) for k in ("categories", "subcategories")), held["pixels"])
recipe = dataclasses.replace(zoo.RECIPES.get("clip"), steps=6, batch=4, warmup=2)
write = training.write
def slow(path, content):
    write(path, content)
    time.sleep(60)
training.write = slow
zoo.train(recipe, sys.argv[2], every=3, threads=1, corpus=corpus, progress=False)
"""


def short(name):
    return dataclasses.replace(zoo.RECIPES.get(name), **SHORT)


def tensors(path):
    from safetensors.numpy import load_file

    return load_file(str(path))


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_give_the_same_weights(name, tiny_corpus, tmp_path):
    first = zoo.train(short(name), tmp_path / "a", threads=1, corpus=tiny_corpus, progress=False)
    second = zoo.train(short(name), tmp_path / "b", threads=1, corpus=tiny_corpus, progress=False)
    assert [path.name for path in first] == [path.name for path in second]
    assert all(same(tensors(one), tensors(other)) for one, other in zip(first, second, strict=True))


def test_another_seed_gives_other_weights(tiny_corpus, tmp_path):
    recipe = short("rn50")
    (first,) = zoo.train(recipe, tmp_path / "a", threads=1, corpus=tiny_corpus, progress=False)
    other = dataclasses.replace(recipe, seed=1)
    (second,) = zoo.train(other, tmp_path / "b", threads=1, corpus=tiny_corpus, progress=False)
    assert not same(tensors(first), tensors(second))


def test_a_killed_run_resumes_to_the_same_weights(tiny_corpus, tmp_path):
    whole = zoo.train(short("clip"), tmp_path / "whole", every=3, threads=1, corpus=tiny_corpus, progress=False)
    held, killed = tmp_path / "corpus.npz", tmp_path / "killed"
    np.savez(held, **{field.name: getattr(tiny_corpus, field.name) for field in dataclasses.fields(tiny_corpus)})
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(held), str(killed)], start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not (killed / "clip.checkpoint.pt").exists():
            assert child.poll() is None, "the run ended before its first checkpoint"
            assert time.monotonic() < deadline, "no checkpoint in two minutes"
            time.sleep(0.05)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert not (killed / "clip.safetensors").exists()
    resumed = zoo.train(short("clip"), killed, every=3, threads=1, corpus=tiny_corpus, progress=False)
    assert len(resumed) == 2
    assert all(same(tensors(one), tensors(other)) for one, other in zip(whole, resumed, strict=True))


def test_a_checkpoint_of_another_recipe_ships_nothing(tiny_corpus, tmp_path):
    """Else old weights would be shipped under the hash of the new recipe."""
    recipe = short("rn50")
    (first,) = zoo.train(recipe, tmp_path, every=3, threads=1, corpus=tiny_corpus, progress=False)
    other = dataclasses.replace(recipe, rate=recipe.rate / 2)
    with pytest.raises(BadSpec, match=r"checkpoint\.pt was not made by the recipe 'rn50' as it is now.*--fresh"):
        zoo.train(other, tmp_path, every=3, threads=1, corpus=tiny_corpus, progress=False)
    before = tensors(first)
    (again,) = zoo.train(other, tmp_path, resume=False, threads=1, corpus=tiny_corpus, progress=False)
    assert not same(before, tensors(again))
    (tmp_path / "rn50.checkpoint.pt").write_bytes(b"damaged")
    with pytest.raises(CorruptAsset, match=r"rn50\.checkpoint\.pt cannot be read"):
        zoo.train(other, tmp_path, threads=1, corpus=tiny_corpus, progress=False)


@pytest.mark.parametrize("name", NAMES)
def test_resuming_starts_where_the_checkpoint_stands(name, tiny_corpus, tmp_path):
    import torch

    recipe, checkpoint = short(name), tmp_path / "checkpoint.pt"
    whole, part, rest = (Trainer(recipe, tiny_corpus) for _ in range(3))
    losses = [whole.advance() for _ in range(6)]
    for _ in range(3):
        part.advance()
    torch.save(part.state(), checkpoint)
    rest.restore(torch.load(checkpoint, weights_only=True))
    assert [rest.advance() for _ in range(3)] == losses[3:]
    states = whole.network.state_dict(), rest.network.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_trained_is_shipped_and_loads(name, tiny_corpus, tmp_path):
    import torch

    for path in zoo.train(short(name), tmp_path, threads=1, corpus=tiny_corpus, progress=False):
        if weight_files.card(path.stem, tmp_path).modality == "text":
            continue
        tower = weight_files.image_tower(path.stem, tmp_path)
        with torch.inference_mode():
            features = tower(torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
        assert features.shape == (3, 256)
        assert bool(torch.isfinite(features).all())
        assert float(features.std(dim=0).max()) > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_sees_the_same_views(name, tiny_corpus):
    import torch

    matched = dataclasses.replace(short("bit_m"), seed=zoo.RECIPES.get(name).seed)
    one, other = Trainer(matched, tiny_corpus).batch(5), Trainer(short(name), tiny_corpus).batch(5)
    assert np.array_equal(one.rows, other.rows)
    assert torch.equal(one.view(), other.view())


def test_an_epoch_shows_no_drawing_twice(tiny_corpus):
    trainer = Trainer(short("rn50"), tiny_corpus)
    rows = np.concatenate([trainer.batch(step).rows for step in range(3)])
    assert sorted(rows) == list(range(12))


def test_the_rate_rises_then_falls():
    recipe = dataclasses.replace(zoo.RECIPES.get("bit_m"), steps=100, warmup=10)
    rates = [pace(step, recipe) for step in range(100)]
    assert max(rates) == pytest.approx(1.0)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.02


def test_an_unknown_recipe_is_refused(tmp_path):
    with pytest.raises(UnknownName, match="Did you mean 'clip'"):
        zoo.train("clipp", tmp_path)


def test_stages_are_kept_and_change_nothing(tiny_corpus, tmp_path):
    plain = zoo.train(short("clip"), tmp_path / "plain", threads=1, corpus=tiny_corpus, progress=False)
    kept = zoo.train(short("clip"), tmp_path / "kept", stages=[2], threads=1, corpus=tiny_corpus, progress=False)
    assert all(same(tensors(a), tensors(b)) for a, b in zip(plain, kept, strict=True))
    stage = tmp_path / "kept" / "step0002"
    assert weight_files.card("clip", stage).steps == 2
    assert not same(tensors(stage / "clip.safetensors"), tensors(tmp_path / "kept" / "clip.safetensors"))
