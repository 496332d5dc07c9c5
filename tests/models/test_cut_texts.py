"""Which texts an encoder does not read to their end: said exactly where what follows changes nothing."""

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.models.entry import MODELS
from mmbench.models.open_clip import _cuts as open_clip_cuts
from mmbench.models.zoo import longer_than_read
from mmbench.zoo.frozen import text

TOKENIZER = text.Tokenizer(["a", "film", "about", "people"])
WORD = st.sampled_from(["a", "film", "about", "people", "xyz", "é", "!", "A", "unknown"])


def read_by(tokenizer, of):
    """Tokens of a text without padding."""
    (line,) = tokenizer.encode([of])
    return line[line != text.PAD].tolist()


@given(st.lists(WORD, max_size=45))
@settings(max_examples=150, deadline=None)
def test_the_zoos_tokenizer(words):
    of = " ".join(words)
    (cut,) = longer_than_read(TOKENIZER, [of])
    read = read_by(TOKENIZER, of)
    spelt = sum(1 if w.lower() in TOKENIZER.words else len(w.lower().encode()) for w in words)
    assert cut == (len(read) < spelt + 2)  # the marks at both ends are read always
    if cut:
        assert read == read_by(TOKENIZER, of + " film xyz")


def test_an_encoder_of_the_zoo():
    encoder = MODELS.get("zoo:clip_t").load()
    short, full, long = "two words", "a " * text.CONTEXT, "some words " * text.CONTEXT
    assert encoder.cuts([short, full, long]) == [False, True, True]
    with torch.inference_mode():
        rows = encoder.forward([short, short + " more", long, long + " more"]).numpy()
    assert not np.allclose(rows[0], rows[1], atol=1e-4)
    np.testing.assert_allclose(rows[2], rows[3], atol=1e-5)


@given(st.integers(70, 80))
@settings(max_examples=11, deadline=None)
def test_the_tokenizer_of_clip(count):
    tokenize = open_clip.get_tokenizer("RN50")
    of = "! " * count
    (cut,) = open_clip_cuts(tokenize)([of])
    same = torch.equal(tokenize([of]), tokenize([of + "more"]))
    assert cut == (count + 2 > 77)
    assert same == (count + 2 >= 77)  # at 77 it is read whole, and has no room for more


def test_a_tokenizer_that_nobody_knows_says_nothing():
    class Other:
        context_length = 5

        def __call__(self, texts):
            return torch.zeros(len(texts), 5)

    assert open_clip_cuts(Other()) is None


@pytest.mark.parametrize("words", [9, 10, 11, 12])
def test_a_tokenizer_of_a_library_behind_open_clip(words):
    from open_clip.tokenizer import HFTokenizer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "[EOS]": 2, "cat": 3}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(single="$A [EOS]", special_tokens=[("[EOS]", 2)])
    tokenize = HFTokenizer.__new__(HFTokenizer)
    fast = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", eos_token="[EOS]", unk_token="[UNK]")
    tokenize.tokenizer, tokenize.context_length, tokenize.tokenizer_mode = fast, 12, ""
    tokenize.clean_fn, tokenize.strip_sep_token = str.strip, False
    of = "cat " * words
    assert open_clip_cuts(tokenize)([of]) == [words > 11]
    assert torch.equal(tokenize([of]), tokenize([of + "cat"])) == (words >= 11)  # at 11 it is full
