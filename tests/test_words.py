"""Lists in messages: short ones in full, long ones counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.words import listed


@pytest.mark.parametrize(
    ("names", "most", "said"),
    [
        ([], 3, "none"),
        (["a"], 3, "a"),
        (["a", "b", "c"], 3, "a, b, c"),
        ("abcdefg", 3, "a, b, c and 4 more"),
        ([1, 2], 1, "1 and 1 more"),
    ],
)
def test_a_list_in_a_message(names, most, said):
    assert listed(names, most) == said


@given(st.lists(st.text("ab", min_size=1), min_size=1), st.integers(1, 5))
def test_every_name_is_shown_or_counted(names, most):
    shown, _, rest = listed(iter(names), most).partition(" and ")
    assert len(shown.split(", ")) + int(rest.split()[0] if rest else 0) == len(names)
