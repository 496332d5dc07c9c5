"""Our greedy and beam search: against transformers' own, against every possible text, and against a choice by hand."""

from __future__ import annotations

import itertools

import pytest
import torch
import transformers

from mmbench.models.search import search

WORDS, DIM = 7, 8


@pytest.fixture(params=range(4))
def gpt2(request):
    """A GPT-2 with random weights, large enough that its choices differ."""
    torch.manual_seed(request.param)
    config = transformers.GPT2Config(
        vocab_size=WORDS, n_positions=24, n_embd=DIM, n_layer=2, n_head=2, initializer_range=0.6, bos_token_id=None,
        eos_token_id=None,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config).eval().requires_grad_(False)


def logits(network):
    return lambda vectors: network(inputs_embeds=vectors, use_cache=False).logits


def prefixes(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, DIM, generator=generator) for length in (3, 1, 5, 2)]


def ours(network, rows, ends, tokens, beams, penalty=1.0):
    return search(logits(network), network.get_input_embeddings(), ends, rows, tokens, beams, penalty)


@pytest.mark.parametrize("ends", [(0,), (0, 3)])
@pytest.mark.parametrize(("beams", "penalty"), [(1, 1.0), (2, 1.0), (3, 0.5), (5, 1.0), (3, 0.0)])
def test_it_finds_what_transformers_finds(gpt2, ends, beams, penalty):
    """Each prefix alone, so that no padding of theirs is in the way."""
    several = {"num_beams": beams, "early_stopping": "never", "length_penalty": penalty} if beams > 1 else {}
    found = ours(gpt2, prefixes(), ends, 9, beams, penalty)
    for row, line in zip(prefixes(), found, strict=True):
        wanted = gpt2.generate(
            inputs_embeds=row[None],
            max_new_tokens=9,
            do_sample=False,
            eos_token_id=list(ends),
            pad_token_id=0,
            **several,
        )[0].tolist()
        assert line == wanted[: len(line)]
        assert set(wanted[len(line) :]) <= {0}  # what follows is padding


def log_probability(network, prefix, tokens):
    text = torch.cat([prefix, network.get_input_embeddings()(torch.tensor(tokens))])
    scores = logits(network)(text[None])[0, len(prefix) - 1 : -1].log_softmax(dim=1)
    return float(scores[torch.arange(len(tokens)), torch.tensor(tokens)].sum())


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_of_all_texts(gpt2, penalty):
    """Every text of at most three tokens is written down and scored by itself."""
    end, longest = 2, 3
    others = [token for token in range(WORDS) if token != end]
    texts = [(*line, end) for length in range(longest) for line in itertools.product(others, repeat=length)] + list(
        itertools.product(others, repeat=longest)
    )
    for prefix in prefixes(1)[:2]:
        best = max(texts, key=lambda text: log_probability(gpt2, prefix, text) / len(text) ** penalty)
        assert ours(gpt2, [prefix], (end,), longest, len(texts), penalty) == [list(best)]


def test_a_narrow_beam_can_miss_it(gpt2):
    """Else the test above would show nothing."""
    rows = [row for seed in range(5) for row in prefixes(seed)]
    assert ours(gpt2, rows, (2,), 3, 1) != ours(gpt2, rows, (2,), 3, 300)


def test_one_beam_takes_the_likeliest_token_each_time(gpt2):
    for row, line in zip(prefixes(), ours(gpt2, prefixes(), (0,), 6, 1), strict=True):
        for token in line:
            assert token == int(logits(gpt2)(row[None])[0, -1].argmax())
            row = torch.cat([row, gpt2.get_input_embeddings()(torch.tensor([token]))])
        assert line[-1] == 0 or len(line) == 6
        assert 0 not in line[:-1]
