"""The zoo's gpt2 writes: its head predicts as well as that of its training did, and goes with its own tower alone."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open

from mmbench.errors import BadItem, BadSpec, CorruptAsset, MissingAsset
from mmbench.models import zoo_writer
from mmbench.models.specs import resolve, resolve_generator
from mmbench.zoo import weight_files


@pytest.fixture(scope="module")
def writer():
    return resolve_generator("zoo:gpt2").load()


@pytest.fixture
def copied(tmp_path):
    """The weights in a folder of their own, the head not yet beside them."""
    shutil.copy(weight_files.path_of("gpt2"), tmp_path)
    (tmp_path / "heads").mkdir()
    return tmp_path


def test_logits_are_those_of_the_tower_on_the_tokens(writer):
    """Through the tower's own path from tokens, and the recipe's formula of a head."""
    tower, tokenizer = weight_files.text_tower("gpt2")
    tokens = torch.from_numpy(tokenizer.encode(["a drawing of a red flag", "the sea"]))
    head = writer.module["head"]
    with torch.inference_mode():
        states = tower.states(tokens)
        wanted = torch.nn.functional.linear(head(states), tower.token.weight, head.bias)
        found = writer.logits(writer.vectors(tokens[:, : states.shape[1]]))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_the_head_predicts_as_well_as_the_one_it_was_trained_with(writer):
    """On texts drawn anew; the weights file states the mean loss of the last steps of its training, in nats."""
    tower, tokenizer = weight_files.text_tower("gpt2")
    tokens = zoo_writer.texts_of(tokenizer, 300, np.random.default_rng(5))
    with torch.inference_mode():
        found = zoo_writer.loss(tower, writer.module["head"], *zoo_writer.predicted(tower, tokens))
    assert float(found) == pytest.approx(float(weight_files.metadata("gpt2")["final_loss"]), abs=0.15)


def test_it_writes_captions(writer):
    prompts = ["a drawing of", "a", "the", "anarchism is a"]
    rows = writer.embed(prompts, start=True)
    for beams in (1, 3):
        found = writer.write(rows, max_tokens=10, beams=beams)
        assert found == [writer.write([row], max_tokens=10, beams=beams)[0] for row in rows]
        assert len(set(found)) == len(found)
        assert all(text.isprintable() for text in found)


def test_texts_come_back_from_their_tokens(writer):
    tower_tokenizer = weight_files.text_tower("gpt2")[1]
    for text in ("a flag of a country", "zyx is unknown", "one, two.", "café"):
        assert zoo_writer.decode(tower_tokenizer, writer.encode(text)) == text
    with pytest.raises(BadItem, match=r"^the text 'flag flag .*' has 30 tokens or more; the zoo's models read 32$"):
        writer.encode("flag " * 40)


def test_its_identity_follows_the_head(copied):
    from mmbench.models.zoo import _writer_identity

    shutil.copy(zoo_writer.head_path("gpt2"), copied / "heads")
    assert _writer_identity("gpt2", copied) == resolve_generator("zoo:gpt2").identity()
    assert resolve_generator("zoo:gpt2").identity().weights != resolve("zoo:gpt2").identity().weights
    with (copied / "heads" / "gpt2.safetensors").open("ab") as file:
        file.write(b" ")
    assert _writer_identity("gpt2", copied) != resolve_generator("zoo:gpt2").identity()


def test_a_fit_is_the_same_again_and_learns(copied, monkeypatch):
    monkeypatch.setattr(zoo_writer, "TEXTS", 60)
    states = []
    for _ in range(2):
        path = zoo_writer.fit("gpt2", copied, steps=30)
        with safe_open(str(path), "pt") as file:
            states.append({key: file.get_tensor(key) for key in file.keys()} | {"about": file.metadata()})
    assert all(torch.equal(one, states[1][key]) for key, one in states[0].items() if key != "about")
    assert float(states[0]["about"]["loss"]) < np.log(2928) - 1
    assert zoo_writer.load("gpt2", copied).dim == 128


def test_without_a_head_or_with_another_it_says_how_to_fit_one(copied):
    with pytest.raises(MissingAsset) as caught:
        zoo_writer.load("gpt2", copied)
    path = copied / "heads" / "gpt2.safetensors"
    assert str(caught.value) == (
        f"model 'zoo:gpt2' writes no text without its prediction head, which is not at {path}; fit it with: "
        "python -m mmbench.models.zoo_writer gpt2"
    )
    with safe_open(str(zoo_writer.head_path("gpt2")), "pt") as file:
        state, about = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()
    from safetensors.torch import save_file

    save_file(state, path, metadata=about | {"tower": "0" * 64})
    with pytest.raises(CorruptAsset, match=r"was fitted to another tower than the weights of 'gpt2' hold; fit"):
        zoo_writer.load("gpt2", copied)
    save_file({"bias": state["bias"]}, path, metadata=about)
    with pytest.raises(BadSpec, match=r"does not hold the weights of the prediction head of 'zoo:gpt2': it lacks"):
        zoo_writer.load("gpt2", copied)


def test_a_model_that_reads_in_both_directions_writes_no_text():
    with pytest.raises(BadSpec, match=r"model 'zoo:bert' writes no text; these do: .*zoo:gpt2"):
        resolve_generator("zoo:bert")
    with pytest.raises(BadSpec) as caught:
        zoo_writer.fit("bert")
    assert str(caught.value) == (
        "model 'zoo:bert' predicts no next word, so it cannot write; of the zoo's models gpt2 does"
    )
