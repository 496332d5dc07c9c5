"""Texts with a marked part: ordinary strings with offsets, which decide the digest."""

import copy
import hashlib
import pickle
import re

import numpy as np
import pytest

from mmbench.datasets.entry import Dataset, Split
from mmbench.datasets.marked import Marked, text_digest
from mmbench.datasets.prompts import marked_prompts
from mmbench.errors import BadDataset, BadItem


def test_it_is_the_text_and_knows_its_part():
    text = Marked("a photo of a great white shark.", 13, 30)
    assert text == "a photo of a great white shark."
    assert text.part == "great white shark"
    for made in (copy.copy(text), pickle.loads(pickle.dumps(text))):
        assert (made, made.start, made.end) == (text, 13, 30)


@pytest.mark.parametrize(("start", "end"), [(3, 3), (5, 4), (-1, 2), (0, 6), (1, 2)])
def test_a_part_that_is_empty_blank_or_outside_is_refused(start, end):
    message = (
        "the text 'a cat': expected the offsets of a marked part that is not empty, from 0 to 5, "
        f"found {start} to {end}"
    )
    with pytest.raises(BadItem, match=f"^{re.escape(message)}$"):
        Marked("a cat", start, end)


def test_the_digest_of_a_plain_text_is_as_ever_and_each_mark_has_its_own():
    plain = Split(("i",), np.zeros(1, np.int64), texts=("a cat",)).text_digest(0)
    assert plain == hashlib.sha256(b"a cat").hexdigest()
    assert len({plain, text_digest(Marked("a cat", 0, 1)), text_digest(Marked("a cat", 2, 5))}) == 3


def test_each_class_name_is_the_marked_part_of_its_prompt():
    pets = Dataset("pets", ("cat", " great white shark "), {})
    assert [(str(text), text.part) for text in marked_prompts(pets, "a photo of a {}.")] == [
        ("a photo of a cat.", "cat"),
        ("a photo of a great white shark.", "great white shark"),
    ]
    with pytest.raises(BadDataset, match=r"^class 0 of pets has no name that a prompt could use, found ''"):
        marked_prompts(Dataset("pets", ("", "cat"), {}), "a photo of a {}.")
