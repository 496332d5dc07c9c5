"""Generators: prefixes of any length, together or one by one; both backends; refusals; folders of transformers."""

from __future__ import annotations

import re

import pytest
import torch
import transformers

from mmbench.errors import BadFeatures, BadItem, BadSpec, CorruptAsset, MissingAsset, UnknownName
from mmbench.models import generators
from mmbench.models.specs import resolve, resolve_generator

WORDS, DIM, ROOM = 11, 8, 24


def network(seed=0, kind=transformers.GPT2LMHeadModel):
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=WORDS, n_positions=ROOM, n_embd=DIM, n_layer=2, n_head=2, initializer_range=0.6, bos_token_id=1,
        eos_token_id=0,
    )  # fmt: skip
    return kind(config).eval()


def encode(text):
    return [int(word) for word in text.split()]


def decode(tokens):
    return "".join(f" {token}" for token in tokens)


def generator(seed=0):
    return generators.from_transformers(network(seed), encode=encode, decode=decode, ends=(0,), room=ROOM, start=(1,))


def own_loop(seed=0):
    module = network(seed)
    return generators.from_logits(
        module,
        DIM,
        encode=encode,
        decode=decode,
        vectors=module.get_input_embeddings(),
        logits=lambda vectors: module(inputs_embeds=vectors, use_cache=False).logits,
        ends=(0,),
        room=ROOM,
        start=(1,),
    )


def prefixes(seed=0, lengths=(3, 1, 7, 2, 5)):
    draws = torch.Generator().manual_seed(seed)
    return [torch.randn(length, DIM, generator=draws) for length in lengths]


@pytest.mark.parametrize("make", [generator, own_loop])
@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_together_or_one_by_one_the_text_is_the_same(make, beams, seed):
    found, rows = make(seed), prefixes(seed)
    together = found.write(rows, max_tokens=8, beams=beams)
    assert together == [found.write([row], max_tokens=8, beams=beams)[0] for row in rows]
    assert together == found.write(rows, max_tokens=8, beams=beams, batch=2)
    assert len(set(together)) > 1
    assert all("0" not in text.split() for text in together)


@pytest.mark.parametrize("beams", [1, 2, 4])
def test_both_backends_write_the_same(beams):
    for seed in range(4):
        rows = prefixes(seed)
        assert generator(seed).write(rows, max_tokens=9, beams=beams) == own_loop(seed).write(
            rows, max_tokens=9, beams=beams
        )


@pytest.mark.parametrize("beams", [1, 4])
def test_an_embedded_prompt_goes_on_as_transformers_goes_on_after_its_tokens(beams):
    found, text = generator(), "3 4 5"
    several = {"num_beams": beams, "early_stopping": "never"} if beams > 1 else {}
    line = (
        network()
        .generate(
            torch.tensor([[1, 3, 4, 5]]), max_new_tokens=8, do_sample=False, eos_token_id=0, pad_token_id=0, **several
        )[0, 4:]
        .tolist()
    )
    wanted = decode(line[: line.index(0)] if 0 in line else line).strip()
    assert found.write(found.embed([text], start=True), max_tokens=8, beams=beams) == [wanted]


def test_what_a_checkpoint_states_for_chatting_does_not_count():
    module = network()
    module.generation_config.update(do_sample=True, temperature=5.0, repetition_penalty=3.0, max_new_tokens=1)
    found = generators.from_transformers(module, encode=encode, decode=decode, ends=(0,), room=ROOM)
    assert found.write(prefixes(), max_tokens=8) == generator().write(prefixes(), max_tokens=8)


def test_embeddings_are_the_token_vectors_and_a_tensor_is_several_prefixes():
    found = generator()
    table = found.module.get_input_embeddings().weight
    one, none, marked = (*found.embed(["3 4", ""]), *found.embed(["3 4"], start=True))
    assert torch.equal(one, table[[3, 4]])
    assert none.shape == (0, DIM)
    assert torch.equal(marked, table[[1, 3, 4]])
    rows = torch.stack([one, table[[5, 6]]])
    assert found.write(rows, max_tokens=4) == found.write(list(rows), max_tokens=4)
    assert found.write([], max_tokens=4) == []


@pytest.mark.parametrize("make", [generator, own_loop])
def test_logits_see_only_what_is_before_and_give_gradients_to_a_prefix(make):
    found = make()
    rows = torch.stack(prefixes(lengths=(5, 5))).requires_grad_()
    scores = found.logits(rows)
    assert scores.shape == (2, 5, WORDS)
    changed = rows.detach().clone()
    changed[:, 3:] = 9.0
    torch.testing.assert_close(found.logits(changed)[:, :3], scores[:, :3])
    scores[:, 2].sum().backward()
    assert (rows.grad[:, :3].abs().sum(dim=(0, 2)) > 0).all()
    assert (rows.grad[:, 3:] == 0).all()
    assert all(weight.grad is None for weight in found.module.parameters())


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"max_tokens": 0}, BadSpec, "max_tokens is a whole number from 1, not 0"),
    ({"beams": 0}, BadSpec, "beams is a whole number from 1, not 0"),
    ({"batch": -1}, BadSpec, "batch is a whole number from 1, not -1"),
    ({"length_penalty": -0.5}, BadSpec, "length_penalty is a number from 0, not -0.5"),
    ({"length_penalty": float("nan")}, BadSpec, "length_penalty is a number from 0, not nan"),
    ({"prefixes": [torch.ones(2, 9)]}, BadFeatures,
     "prefix 0 has the shape [2, 9]; expected [length, 8] with length from 1"),
    ({"prefixes": [torch.ones(2, 8), torch.ones(0, 8)]}, BadFeatures,
     "prefix 1 has the shape [0, 8]; expected [length, 8] with length from 1"),
    ({"prefixes": torch.ones(3, 8)}, BadFeatures,
     "prefix 0 has the shape [8]; expected [length, 8] with length from 1"),
    ({"prefixes": [torch.full((2, 8), float("nan"))]}, BadFeatures, "prefix 0 has values that are not finite"),
    ({"prefixes": [torch.ones(20, 8)], "max_tokens": 5}, BadItem,
     "prefix 0 has 20 vectors, and max_tokens=5 more exceed the 24 that the language model takes; shorten either"),
])  # fmt: skip
def test_bad_input_is_refused(options, error, message):
    settings = {"prefixes": prefixes(), "max_tokens": 4} | options
    with pytest.raises(error) as caught:
        generator().write(settings.pop("prefixes"), **settings)
    assert str(caught.value) == message


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(BadItem, match=r"^the text '3 3 3 .*' has 25 tokens; the language model takes 24$"):
        generator().embed(["3 " * 25])


VOCABULARY = {word: i for i, word in enumerate(["<end>", "<s>", *"abcdefghi"])}


@pytest.fixture
def folder(weights):
    """A GPT-2 with its tokenizer in ``weights/writer``, in the layout of the hub."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    transformers.logging.set_verbosity_error()
    network().save_pretrained(weights / "writer")
    words = Tokenizer(models.WordLevel(VOCABULARY, unk_token="<end>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", bos_token="<s>")
    fast.save_pretrained(weights / "writer")
    return weights / "writer"


class TestFolder:
    def test_it_writes_as_its_network_does(self, folder):
        entry = resolve("transformers:writer?dim=8")
        found = entry.generator.load()
        assert (found.dim, found.ends, found.start, found.room) == (DIM, (0,), (1,), ROOM)
        line = network().generate(
            torch.tensor([[1, 2, 3]]), max_new_tokens=6, do_sample=False, pad_token_id=0
        )[0, 3:].tolist()  # fmt: skip
        names = {i: word for word, i in VOCABULARY.items()}
        wanted = " ".join(names[token] for token in line if token > 1)
        assert found.write(found.embed(["a b"], start=True), max_tokens=6) == [wanted]

    def test_its_identity_follows_the_weights_and_not_the_name(self, folder):
        one = resolve_generator("transformers:writer").identity()
        assert one == resolve_generator(f"transformers:{folder}").identity()
        assert one != resolve("transformers:writer").identity()
        network(1).save_pretrained(folder)
        assert one.weights != resolve_generator("transformers:writer").identity().weights

    def test_a_missing_head_is_named(self, folder):
        module = network()
        module.config.tie_word_embeddings = False
        module.lm_head.weight = torch.nn.Parameter(module.lm_head.weight.clone())
        state = {key: value.clone() for key, value in module.state_dict().items() if key != "lm_head.weight"}
        module.save_pretrained(folder, state_dict=state)
        with pytest.raises(CorruptAsset, match=r"lacks weights that its config.json asks for: lm_head.weight$"):
            resolve_generator("transformers:writer").load()

    def test_a_network_that_reads_in_both_directions_is_refused(self, folder):
        config = transformers.BertConfig(
            vocab_size=WORDS, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
            max_position_embeddings=12, initializer_range=0.5, eos_token_id=0,
        )  # fmt: skip
        transformers.BertForMaskedLM(config).save_pretrained(folder)
        with pytest.raises(BadSpec) as caught:
            resolve_generator("transformers:writer").load()
        assert str(caught.value) == (
            f"model 'transformers:writer': {folder} reads in both directions; a generator is a causal language model, "
            "as GPT-2 is"
        )

    def test_another_width_than_declared_and_a_missing_folder(self, folder):
        with pytest.raises(BadFeatures, match=r"model 'transformers:writer\?dim=9' declares dim=9"):
            resolve_generator("transformers:writer?dim=9").load()
        with pytest.raises(MissingAsset, match=r"model 'transformers:nothing': neither .* holds it"):
            resolve_generator("transformers:nothing").load()


def test_a_model_that_writes_no_text_names_those_that_do():
    with pytest.raises(BadSpec, match=re.escape("model 'minilm' writes no text; these do: ") + ".*smollm2"):
        resolve_generator("minilm")
    with pytest.raises(UnknownName):
        resolve_generator("smollm3")
