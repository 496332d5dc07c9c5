"""The decoder of text vectors learns to write what a vector stands for, and goes on where it was stopped."""

import dataclasses

import numpy as np
import pytest

from mmbench.errors import BadDataset, BadSpec
from mmbench.training import caption_decoder as d
from mmbench.training.entry import Checkpoint

from ..tiny_lineup import CLASSES, writer
from .test_linear_map import Memory

SMALL = d.CaptionDecoderSettings(
    mapper="mlp", prefix=2, clip_prefix=2, layers=1, heads=2, epochs=25, batch_size=6, learning_rate=0.03, warm_up=2
)
TRANSFORMER = dataclasses.replace(SMALL, mapper="transformer", learning_rate=0.02, epochs=40)


def lesson(texts=CLASSES * 8):
    generator = writer().generator.load()
    vectors = np.stack([np.eye(3, dtype=np.float32)[CLASSES.index(text.split()[0])] for text in texts])
    return d.Lesson(vectors, [generator.encode(text) for text in texts], generator)


def said(weights, inputs, vectors):
    return inputs.writer.write(d.prefixes(weights, vectors, inputs.writer.dim), max_tokens=4)


@pytest.mark.parametrize("settings", [SMALL, TRANSFORMER], ids=["mlp", "transformer"])
def test_it_writes_what_a_vector_stands_for_and_the_language_model_stays(settings):
    inputs = lesson()
    before = [values.clone() for values in inputs.writer.module.parameters()]
    weights = d.fit(inputs, settings, 0, Checkpoint())
    assert said(weights, inputs, np.eye(3, dtype=np.float32)) == list(CLASSES)
    assert all((a == b).all() for a, b in zip(before, inputs.writer.module.parameters(), strict=True))
    untrained = d.fit(inputs, dataclasses.replace(settings, learning_rate=1e-9), 0, Checkpoint())
    assert said(untrained, inputs, np.eye(3, dtype=np.float32)) != list(CLASSES)


@pytest.mark.parametrize("settings", [SMALL, TRANSFORMER], ids=["mlp", "transformer"])
def test_a_fit_that_was_stopped_ends_with_the_same_weights(settings):
    short = dataclasses.replace(settings, epochs=3)
    whole = d.fit(lesson(), short, 7, Checkpoint())
    memory = Memory(most=2)
    with pytest.raises(KeyboardInterrupt):
        d.fit(lesson(), short, 7, Checkpoint(memory, every=0))
    memory.most = None
    again = d.fit(lesson(), short, 7, Checkpoint(memory, every=0))
    assert whole.keys() == again.keys()
    for name in whole:
        np.testing.assert_array_equal(whole[name], again[name])
    other = d.fit(lesson(), short, 8, Checkpoint())
    assert any(not np.array_equal(whole[name], other[name]) for name in whole)


def test_padding_is_no_part_of_the_loss():
    """The mean over the tokens of short and long texts together, worked out text by text."""
    import torch
    from torch.nn import functional as F

    inputs = lesson()
    generator = inputs.writer
    prefix = torch.randn(2, 2, generator.dim)
    tokens, lengths = torch.tensor([[5, 0, 0], [6, 7, 0]]), torch.tensor([2, 3])
    total = 0.0
    for row in range(2):
        line = tokens[row, : lengths[row]]
        scores = generator.logits(torch.cat([prefix[row], generator.vectors(line[:-1])])[None])[0, 1:]
        total += float(F.cross_entropy(scores, line, reduction="sum"))
    assert float(d._loss(generator, prefix, tokens, lengths)) == pytest.approx(total / 5, rel=1e-5)


def test_texts_that_do_not_fit_are_cut_counted_and_said():
    inputs = lesson(("red red red red red red red red red red red", "blue"))
    with pytest.warns(d.CutCaptions, match="1 of 2 captions are cut at 9 tokens"):
        weights = d.fit(inputs, dataclasses.replace(SMALL, epochs=1), 0, Checkpoint())
    assert int(weights["cut"]) == 1


def test_what_cannot_be_learnt_from_is_refused():
    inputs = lesson()
    with pytest.raises(BadDataset, match="caption 1 of the training split is empty"):
        d.fit(dataclasses.replace(inputs, lines=[[5], [], *inputs.lines[2:]]), SMALL, 0, Checkpoint())
    with pytest.raises(BadSpec, match="a prefix of 11 leaves 1 of the 12 tokens"):
        d.fit(inputs, dataclasses.replace(SMALL, prefix=11), 0, Checkpoint())
    with pytest.raises(BadSpec, match="width 8 cannot be divided among 3 heads"):
        d.fit(inputs, dataclasses.replace(TRANSFORMER, heads=3), 0, Checkpoint())
    weights = d.fit(inputs, dataclasses.replace(SMALL, epochs=1), 0, Checkpoint())
    with pytest.raises(BadDataset, match="the decoder reads vectors of 3 numbers, and these have 5"):
        d.prefixes(weights, np.zeros((2, 5), np.float32), inputs.writer.dim)


def test_the_readings_are_the_table_and_the_script():
    paper, code = d.PAPER, d.PAPER.as_code()
    assert (paper.layers, paper.prefix, paper.batch_size, paper.epochs) == (8, 40, 64, 20)  # Table A.1
    assert (code.prefix, code.batch_size, code.epochs) == (10, 40, 30)
    network = d.mapper(paper, 512, 768, 0)
    assert network.linear.weight.shape == (40 * 768, 512)
    assert len(network.blocks) == 8
