"""Lists in messages: short ones in full, long ones counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench import words
from mmbench.errors import BadSpec, UnknownName
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a caf\u00e9 of \u732b, \U0001f468\u200d\U0001f469", "a caf\u00e9 of \u732b, \U0001f468\u200d\U0001f469"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("one\ntwo\r\tthree", r"one\ntwo\r\tthree"),
        ("caf\udce9.png", r"caf\xe9.png"),
        ("\ud800", r"\ud800"),
        ("a\u202egpj", r"a\u202egpj"),
        ("\x9b31m", r"\x9b31m"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_with_an_escape(text, shown):
    assert words.printable(text) == shown
    assert words.printable_within({text: [text, 1, None, (text,)]}) == {shown: [shown, 1, None, (shown,)]}
    shown.encode()


def test_errors_are_one_line_whatever_a_name_holds():
    assert str(BadSpec("no class \x1b[2J\n")) == r"no class \x1b[2J\n"
    assert str(UnknownName("role", "a\nb", ["c"])) == r"no role named 'a\nb'. Known: c."
