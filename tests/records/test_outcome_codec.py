"""Packed outcomes: every bit comes back, and a text that lies is refused."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmbench.errors import BadScores
from mmbench.records.outcome_codec import HEADER, pack, unpack

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)
ANY = hnp.arrays(np.float32, SHAPES, elements=st.floats(width=32))  # NaN, infinities and -0.0 too
BITS = hnp.arrays(np.float32, SHAPES, elements=st.sampled_from([0.0, 1.0]))
F1 = hnp.arrays(np.float32, SHAPES, elements=st.sampled_from([0.0, 0.5, 2 / 3, 0.8, 1.0, float(np.float32(1 / 3))]))


def rewritten(change):
    """Packed text of 4 trials on 9 examples whose plain bytes were changed."""
    plain = zlib.decompress(base64.b64decode(pack(np.eye(4, 9, dtype=np.float32))))
    return base64.b64encode(zlib.compress(change(plain))).decode()


@given(st.one_of(ANY, BITS, F1))
def test_every_bit_comes_back(outcomes):
    back = unpack(pack(outcomes))
    assert back.dtype == np.float32
    assert back.shape == outcomes.shape
    assert back.tobytes() == outcomes.tobytes()


@pytest.mark.parametrize("values", [1, 2, 3, 256, 257])
def test_every_way_of_packing(values):
    outcomes = (np.arange(values * 3, dtype=np.float32) % values).reshape(3, -1) / values
    assert np.array_equal(unpack(pack(outcomes)), outcomes)


def test_a_view_that_is_not_contiguous_is_packed_as_it_reads():
    outcomes = np.arange(12, dtype=np.float32).reshape(3, 4).T
    assert np.array_equal(unpack(pack(outcomes)), outcomes)


def test_outcomes_of_an_accuracy_take_about_a_bit_each():
    outcomes = (np.random.default_rng(0).random((10, 10_000)) < 0.5).astype(np.float32)
    assert len(pack(outcomes)) < 100_000 / 8 * 4 / 3 * 1.02


@given(F1, st.data())
def test_a_torn_text_is_refused(outcomes, data):
    text = pack(outcomes)
    with pytest.raises(BadScores):
        unpack(text[: data.draw(st.integers(0, len(text) - 1))])


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text):
    with pytest.raises(BadScores):
        unpack(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: HEADER.pack(2, 4, 9, 2) + raw[HEADER.size :], "packed as version 2"),
        (lambda raw: HEADER.pack(1, 4, 90, 2) + raw[HEADER.size :], "4 trials on 90 examples"),
        (lambda raw: HEADER.pack(1, 4, 2, 2) + raw[HEADER.size :], "4 trials on 2 examples"),
        (
            lambda raw: HEADER.pack(1, 4_000_000_000, 4_000_000_000, 2) + raw[HEADER.size :],
            "exceed the 1 GiB limit",
        ),
        (lambda raw: HEADER.pack(1, 4, 9, 1) + raw[HEADER.size : HEADER.size + 4] + raw[-5:], "name value 1 of 1"),
        (lambda raw: raw + b"\0", "wrong length: expected"),
        (lambda raw: raw[:-1], "wrong length: expected"),
        (lambda raw: raw[:3], "cannot be unpacked"),
        (lambda raw: raw + bytes(50_000_000), "wrong length: expected"),
    ],
)
def test_a_lying_header_is_refused(change, message):
    with pytest.raises(BadScores, match=message):
        unpack(rewritten(change))


def test_what_follows_the_packed_bytes_is_refused():
    packed = base64.b64decode(pack(np.eye(4, 9, dtype=np.float32)))
    with pytest.raises(BadScores, match="wrong length: expected"):
        unpack(base64.b64encode(packed + b"more").decode())
