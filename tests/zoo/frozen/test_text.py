"""The tokenizer takes any text; the tower reads up to the end mark and no further."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.zoo.frozen import text

TOKENIZER = text.Tokenizer.of(["a drawing of a cat", "a drawing of a dog"])


@given(st.text(max_size=80))
def test_any_text_has_tokens(words):
    tokens = TOKENIZER.encode([words])
    assert tokens.shape == (1, text.CONTEXT)
    assert tokens.min() >= 0
    assert tokens.max() < len(TOKENIZER)
    line = list(tokens[0])
    assert line[0] == text.START
    assert line.count(text.END) == 1
    assert set(line[line.index(text.END) + 1 :]) <= {text.PAD}


def test_known_words_are_one_token_and_others_are_spelt():
    tokens = TOKENIZER.encode(["A cat", "a cät"])
    assert (tokens[0] != text.PAD).sum() == 4
    assert (tokens[1] != text.PAD).sum() == 3 + len("cät".encode())


def test_words_can_be_spelt_on_purpose():
    rng = np.random.default_rng(0)
    spelt = TOKENIZER.encode(["cat"], spelt=1.0, rng=rng)
    assert list(spelt[0][1:4]) == [text.BYTES + byte for byte in b"cat"]


def test_a_tokenizer_survives_its_dump():
    assert text.Tokenizer.load(TOKENIZER.dump()) == TOKENIZER


@pytest.mark.parametrize("batch", [1, 3])
def test_company_does_not_change_a_feature(batch):
    import torch

    tower = text.build(len(TOKENIZER)).eval()
    words = ["cat", "a drawing of a dog and of much else besides", "a"]
    with torch.inference_mode():
        together = tower(torch.from_numpy(TOKENIZER.encode(words[:batch])))
        alone = tower(torch.from_numpy(TOKENIZER.encode(words[:1])))
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=1e-5)
