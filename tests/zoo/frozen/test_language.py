"""bert and gpt2: what is hidden, who sees what, what a feature is the mean of, and that both learn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench import zoo
from mmbench.errors import CorruptAsset
from mmbench.models.specs import resolve
from mmbench.zoo import weight_files
from mmbench.zoo.frozen import language, text, word_prediction
from mmbench.zoo.frozen.loop import Trainer

WORDS = text.Tokenizer.of(["a drawing of a cat", "a drawing of a dog"])
LINES = ["a drawing of a cat", "dog", "", "a drawing of a dog " * 9]
NAMES = ("bert", "gpt2")


def tower(causal, seed=0):
    return language.build(len(WORDS), causal=causal, seed=seed).eval()


def tokens(*lines):
    import torch

    return torch.from_numpy(WORDS.encode(lines))


def trainer(name, corpus, **changes):
    options = {"batch": 12, "warmup": 5, **changes}
    return Trainer(dataclasses.replace(zoo.RECIPES.get(name), **options), corpus)


# -- what is hidden


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.floats(0.05, 0.9), st.integers(0, 99))
def test_the_share_of_words_is_hidden_and_never_a_mark(lengths, share, seed):
    given = np.full((len(lengths), text.CONTEXT), text.PAD, dtype=np.int64)
    for row, length in enumerate(lengths):
        given[row, : length + 2] = [text.START, *range(text.WORDS, text.WORDS + length), text.END]
    seen, chosen = word_prediction.hidden(given, 400, share, np.random.default_rng(seed))
    expected = [max(round(share * length), 1) if length else 0 for length in lengths]
    assert chosen.sum(axis=1).tolist() == expected
    assert (given[chosen] >= text.BYTES).all()
    assert np.array_equal(seen[~chosen], given[~chosen])
    assert (seen[chosen] >= text.BYTES).all()


def test_of_the_hidden_words_eight_in_ten_are_masked_one_is_another_and_one_stays():
    given = np.full((4000, text.CONTEXT), text.WORDS, dtype=np.int64)
    seen, chosen = word_prediction.hidden(given, 5000, 0.15, np.random.default_rng(0))
    assert chosen.mean() == pytest.approx(5 / 32)
    found = seen[chosen]
    assert (found == 5000).mean() == pytest.approx(0.8, abs=0.01)
    assert (found == text.WORDS).mean() == pytest.approx(0.1, abs=0.01)
    others = found[(found != 5000) & (found != text.WORDS)]
    assert others.min() >= text.BYTES
    assert others.max() < 5000
    assert len(set(others)) > 1000
    assert chosen.any(axis=0).all(), "every place is hidden at some time"


# -- who sees what


@pytest.mark.parametrize("causal", [False, True])
def test_only_the_causal_tower_ignores_what_follows(causal):
    import torch

    with torch.inference_mode():
        states = tower(causal).states(tokens("a drawing of a cat", "a drawing of a dog"))
    place = 5  # of the last word, behind the start
    same = [torch.allclose(a, b, atol=1e-6) for a, b in zip(*states, strict=True)]
    assert same[:place] == [causal] * place
    assert not any(same[place:])


@pytest.mark.parametrize("causal", [False, True])
def test_what_came_before_matters(causal):
    import torch

    with torch.inference_mode():
        states = tower(causal).states(tokens("cat drawing of a dog", "dog drawing of a dog"))
    assert not torch.allclose(states[0, 5], states[1, 5], atol=1e-4)


@pytest.mark.parametrize("causal", [False, True])
def test_company_and_padding_do_not_change_a_feature(causal):
    import torch

    network = tower(causal)
    with torch.inference_mode():
        together, alone = network(tokens(*LINES)), torch.cat([network(tokens(line)) for line in LINES])
    assert bool(torch.isfinite(together).all())
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("causal", "kept"), [(False, slice(0, 7)), (True, slice(0, 6))])
def test_a_feature_is_the_mean_over_tokens(causal, kept):
    import torch

    network, line = tower(causal), tokens("a drawing of a cat")
    with torch.inference_mode():
        assert network.states(line).shape == (1, 7, 256)
        expected = network.states(line)[0, kept].mean(dim=0)
        torch.testing.assert_close(network(line)[0], expected, atol=1e-6, rtol=1e-5)


def test_towers_are_of_the_size_of_that_of_clip():
    known = {name: len(p) for name, p in text.build(len(WORDS)).named_parameters()}
    for causal in (False, True):
        ours = {name: len(p) for name, p in tower(causal).named_parameters()}
        assert ours.pop("project.bias") == 256
        assert ours.pop("token.weight") == known["token.weight"] + (not causal)
        assert ours == {name: size for name, size in known.items() if name != "token.weight"}


# -- what is read


def test_windows_hold_the_paragraphs_word_by_word():
    words = text.Tokenizer(("sea", "wide", "ships"))
    made = word_prediction.windows(words, ["sea wide " * 40, "ships sea archipelago " * 5, "sea"])
    used = [list(line[line != text.PAD]) for line in made]
    assert all(line[0] == text.START and line[-1] == text.END for line in used)
    sea, wide, ships = range(text.WORDS, text.WORDS + 3)
    spelt = [text.BYTES + byte for byte in b"archipelago"]
    verse = [ships, sea, *spelt]  # 13 tokens: two and then two words more fit
    body = [line[1:-1] for line in used]
    assert body == [
        *([sea, wide] * 15, [sea, wide] * 15, [sea, wide] * 10),
        *([*verse, *verse, ships, sea], [*spelt, *verse, ships, sea], spelt),
    ]


def test_a_word_longer_than_a_window_is_cut():
    made = word_prediction.windows(text.Tokenizer(("sea",)), ["sea " * 10 + "x" * 80 + " sea" * 10])
    assert (made != text.PAD).sum(axis=1).tolist() == [12, 32, 12]


def test_the_vocabulary_is_every_word_of_captions_and_the_common_ones_of_wikipedia():
    common, rare = "sea " * word_prediction.COMMON, "ship " * (word_prediction.COMMON - 1)
    assert word_prediction.vocabulary(["rare cat"], [common + rare + "cat " * 9]).words == ("cat", "rare", "sea")


@pytest.mark.parametrize(("share", "counts"), [(0.5, (6, 6)), (0.25, (9, 3)), (0.0, (12, 0)), (1.0, (0, 12))])
@pytest.mark.parametrize("name", NAMES)
def test_captions_and_windows_share_a_step(name, share, counts, tiny_corpus, tiny_wikipedia):
    options = {**zoo.RECIPES.get(name).options, "wikipedia": share}
    run = trainer(name, tiny_corpus, options=options)
    reading, batch = run.objective.reading, run.batch(0)
    captions, windows = reading.batch(batch, share, batch.rng())
    assert (len(captions), len(windows)) == counts
    assert len(reading.windows) == len(tiny_wikipedia)
    assert np.isfinite(run.advance())


@pytest.mark.parametrize("name", NAMES)
def test_no_drawing_is_rendered_and_no_image_tower_trained(name, tiny_corpus):
    import torch

    run = trainer(name, tiny_corpus)
    before = {key: tensor.clone() for key, tensor in run.tower.state_dict().items()}
    batch = dataclasses.replace(run.batch(0), view=lambda: pytest.fail("a view was made"))
    run.objective.loss(run.tower, batch).backward()
    assert all(p.grad is not None for part in run.objective.parts.values() for p in part.parameters())
    run.advance()
    assert all(torch.equal(before[key], tensor) for key, tensor in run.tower.state_dict().items())


# -- that they learn


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_falls_below_that_of_guessing(name, tiny_corpus):
    run = trainer(name, tiny_corpus, steps=60)
    losses = [run.advance() for _ in range(60)]
    assert losses[0] == pytest.approx(np.log(len(run.objective.reading.tokenizer)), rel=0.1)
    assert np.mean(losses[-10:]) < 0.6 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_word_is_told_from_its_context(name, tiny_corpus):
    """After a few steps on three paragraphs, "the ships on it are" is followed by "small", and a gap there is it."""
    import torch

    options = {**zoo.RECIPES.get(name).options, "wikipedia": 1.0}
    run = trainer(name, tiny_corpus, steps=120, options=options)
    for _ in range(120):
        run.advance()
    network, head, words = run.network["text"].eval(), run.network["head"], run.objective.reading.tokenizer
    line, small = torch.from_numpy(run.objective.reading.windows[:1].copy()), int(words.encode(["small"])[0, 1])
    place = int((line[0] == small).nonzero())
    if name == "bert":
        line[0, place] = len(words)
    with torch.inference_mode():
        state = network.states(line)[0, place - (name == "gpt2")]
        scores = head(state) @ network.token.weight[: len(words)].T + head.bias
    assert int(scores.argmax()) == small


# -- as models


@pytest.mark.parametrize(
    ("name", "architecture", "layer"),
    [
        ("bert", language.MASKED, "mean over tokens"),
        ("gpt2", language.CAUSAL, "mean over tokens but the end mark"),
    ],
)
def test_a_trained_tower_is_a_text_model(name, architecture, layer, tiny_corpus, tmp_path):
    import torch

    run = trainer(name, tiny_corpus)
    run.advance()
    (path,) = weight_files.save(run, tmp_path, seconds=0.0, packed=False)
    assert path.name == f"{name}.safetensors"
    entry = resolve(f"zoo:{name}@{path}")
    assert entry.modality == "text"
    assert entry.identity().architecture.startswith(f"{architecture} (")
    assert entry.identity().layer == layer
    assert "no drawing" in entry.training
    lines = ["a drawing of thing 3", "", "Œuvre 猫 🐈", "word " * 200]
    with torch.inference_mode():
        features = entry.load().forward(lines)
        expected = run.network["text"].eval()(torch.from_numpy(run.objective.reading.tokenizer.encode(lines)))
    torch.testing.assert_close(features, expected)
    assert features.shape == (4, entry.dim)


def test_an_unknown_text_network_is_refused(tiny_corpus, tmp_path, monkeypatch):
    run = trainer("bert", tiny_corpus)
    run.advance()
    weight_files.save(run, tmp_path, seconds=0.0)
    monkeypatch.delitem(weight_files.TEXT_NETWORKS, language.MASKED)
    with pytest.raises(CorruptAsset, match=r"'bert' are of a network 'mmbench-masked.*zoo builds mmbench-text"):
        weight_files.text_tower("bert", tmp_path)
