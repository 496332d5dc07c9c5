"""Recall at k in both directions: a slow loop as oracle, texts that several images have, and refusals."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mmbench.bench.bench import Bench
from mmbench.errors import BadDataset, BadSpec, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs.paired import Paired
from mmbench.lineups import load_lineup
from mmbench.metrics import METRICS
from mmbench.probes.recall import IMAGE_TO_TEXT, TEXT_TO_IMAGE, RecallSettings, recall
from mmbench.protocol import Cell, Roles


def pairs(seed=0, images=40, texts=12, find="texts"):
    """Images around their texts; every text has an image."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((texts, 6)).astype(np.float32)
    of = rng.permutation(np.r_[np.arange(texts), rng.integers(0, texts, images - texts)])
    return Paired((vectors[of] + rng.standard_normal((images, 6))).astype(np.float32), vectors, of, find)


def share(inputs, top):
    found = recall(inputs, [RecallSettings(inputs.find, top)], trials=1, seed=0)[0]
    return METRICS.get("among_answers").outcome(found, inputs.truth)[0]


def slow(inputs, top):
    """For each query: is one of its own among the nearest?"""

    def unit(rows):
        rows = rows.astype(float)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    images, texts, hits = unit(inputs.images), unit(inputs.texts), []
    if inputs.find == "texts":
        for image, own in zip(images, inputs.text_of, strict=True):
            hits.append(own in np.argsort(-(texts @ image))[:top])
    else:
        for number, text in enumerate(texts):
            hits.append(any(inputs.text_of[i] == number for i in np.argsort(-(images @ text))[:top]))
    return np.array(hits)


@pytest.mark.parametrize("find", ["texts", "images"])
@pytest.mark.parametrize("top", [1, 5, 10])
@hypothesis_settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_agrees_with_the_slow_loop(find, top, seed):
    inputs = pairs(seed, find=find)
    np.testing.assert_array_equal(share(inputs, top), slow(inputs, top))


@pytest.mark.parametrize("find", ["texts", "images"])
def test_more_answers_find_more(find):
    inputs = pairs(find=find)
    found = [share(inputs, top).mean() for top in (1, 3, 5)]
    assert found[0] < found[1] < found[2] <= 1


def test_each_image_of_a_text_is_right_and_a_text_is_one_example():
    images = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.6, 0.8]], dtype=np.float32)
    texts = np.array([[1, 0.05], [0, 1]], dtype=np.float32)
    forth = Paired(images, texts, np.array([0, 0, 1, 0]))
    assert share(forth, 1).tolist() == [1, 1, 1, 0]
    back = Paired(images, texts, np.array([0, 0, 1, 0]), "images")
    assert share(back, 1).tolist() == [1, 1]
    assert share(Paired(images, texts, np.array([1, 1, 0, 0]), "images"), 1).tolist() == [0, 0]


@pytest.mark.parametrize(("find", "top", "count"), [("texts", 12, 12), ("images", 40, 40), ("texts", 13, 12)])
def test_no_more_candidates_than_answers_is_refused(find, top, count):
    message = (
        f"recall at {top} needs more than {top} {find} to find, got {count}, so that every answer would be right; ask "
        "for fewer"
    )
    with pytest.raises(BadDataset, match=f"^{re.escape(message)}$"):
        share(pairs(find=find), top)


def test_one_text_is_no_search():
    one = Paired(np.eye(2, dtype=np.float32), np.ones((1, 2), np.float32), np.zeros(2, np.int64))
    with pytest.raises(BadDataset, match="a search needs two different texts or more, got 1"):
        share(one, 1)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(load_lineup("embedded"), Store(tmp_path_factory.mktemp("store")), progress=False)


CLIP = Roles("clip", "clip_t")


@pytest.mark.filterwarnings("default::mmbench.datasets.notes.DatasetWarning")  # clip_t cuts four titles
def test_real_images_and_their_texts_are_found_both_ways(bench):
    """Film titles drawn on cards, which the zoo's CLIP cannot read: the shapes and the order, not the score."""
    test = bench.source.dataset("book_covers").split("test")
    texts = sorted(set(test.texts))
    for protocols, examples in ((IMAGE_TO_TEXT, len(test)), (TEXT_TO_IMAGE, len(texts))):
        scores = [bench.scores(Cell(protocol, CLIP, "book_covers")) for protocol in protocols]
        assert {score.outcomes.shape for score in scores} == {(1, examples)}
        assert scores[0].mean <= scores[1].mean <= scores[2].mean < 100
    inputs = bench.inputs(Cell(TEXT_TO_IMAGE[0], CLIP, "book_covers"))
    assert [texts[number] for number in inputs.text_of] == list(test.texts)
    encoded = bench.source.texts(bench.source.model("clip_t"), texts, "the titles")
    np.testing.assert_allclose(inputs.texts, encoded, atol=1e-5)


def test_what_has_no_texts_no_space_or_another_direction_is_refused(bench):
    with pytest.raises(
        Unmeasured, match="an image and its text are needed for each item; bind a dataset that has both"
    ):
        bench.inputs(Cell(IMAGE_TO_TEXT[0], CLIP, "cifar10"))
    with pytest.raises(Unmeasured, match="do not share a space, so their cosines mean nothing"):
        bench.inputs(Cell(IMAGE_TO_TEXT[0], Roles("rn50", "clip_t"), "book_covers"))
    with pytest.raises(BadSpec, match="find='sounds', expected 'texts' or 'images'"):
        bench.inputs(Cell(IMAGE_TO_TEXT[0].at(find="sounds"), CLIP, "book_covers"))
