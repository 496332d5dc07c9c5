"""Markup is stripped to what a reader reads, by known answers; the sample is the file that the recipes name."""

from __future__ import annotations

import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.errors import CorruptAsset
from mmbench.zoo.frozen import wikipedia

WHOLE = wikipedia.paragraphs  # before the tests of the zoo replace it
TAIL = "and nine more words that make this line long enough"

DUMP = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/">
<page><title>One</title><ns>0</ns><revision><text>first &amp;amp; last</text></revision></page>
<page><title>Old</title><ns>0</ns><redirect title="One" /><revision><text>#REDIRECT [[One]]</text></revision></page>
<page><title>Talk:One</title><ns>1</ns><revision><text>chat</text></revision></page>
<page><title>Void</title><ns>0</ns><revision><text/></revision></page>
<page><title>Two</title><ns>0</ns><revision><text>second</text></revision></page>
</mediawiki>"""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("A '''bold''' and ''slanted'' word", "A bold and slanted word"),
        ("a [[cat]], a [[Canis|dog]] and [[bird]]s", "a cat, a dog and birds"),
        ("[[File:Cat.jpg|thumb|a [[cat]] and [http://x.org a dog]]]a start", "a start"),
        ("an end[[Category:Cats]] [[fr:Chat]]", "an end"),
        ("of [[Alien (film)|Alien: the film]] said", "of Alien: the film said"),
        ("see [http://x.org/a?b=c the site] or [https://y.org] now", "see the site or now"),
        ('a claim<ref name="a/b">{{cite|x}} see</ref> made<ref name=c/> twice', "a claim made twice"),
        ("water is H<sub>2</sub>O<!-- not\nHO --> here", "water is H2O here"),
        ("about {{convert|5|{{abbr|km|x}}}} far", "about far"),
        ("the name (; {{lang|el|x}}) is old&nbsp;&amp; Greek", "the name is old & Greek"),
        ("energy <math>E=mc^2</math> is", "energy is"),
        ("left {{never closed", None),
        ("right }} of nothing", "right of nothing"),
    ],
)
def test_known_answers(source, said):
    found = wikipedia.plain(f"{source} {TAIL}")
    assert found == ([] if said is None else [f"{said} {TAIL}"])


@pytest.mark.parametrize(
    "line",
    [
        *("* {}", "# {}", ": {}", "; {}", "== {} ==", " {}"),
        *("{{|\n|-\n| {}\n|}}", "{{{{quote|{}}}}}", "<gallery>\n{}\n</gallery>"),
    ],
)
def test_what_is_no_running_text_is_dropped(line):
    kept = f"A paragraph {TAIL}"
    assert wikipedia.plain(f"{kept}\n{line.format(TAIL)}\n\n{kept}") == [kept, kept]


def test_short_lines_are_dropped():
    assert wikipedia.plain("one two three four five six seven eight nine") == []
    assert wikipedia.plain("one two three four five six seven eight nine ten") != []


def test_a_table_in_a_template_and_a_template_in_a_table():
    source = "before\n{{box|\n{| class=x\n| {{cell|1}}\n|}\n}}\nafter"
    assert wikipedia.without_templates(source).split() == ["before", "after"]
    assert wikipedia.without_templates("a |} b {{c|\n|}} d").split() == ["a", "|}", "b", "d"]


def test_only_articles_are_read():
    assert list(wikipedia.articles(io.BytesIO(DUMP.encode()))) == ["first &amp; last", "second"]


@given(st.text(alphabet="[]{}|='<>ref/!- a\n", max_size=300))
@settings(deadline=None)
def test_any_markup_is_taken(source):
    lines = wikipedia.plain(source)
    assert all(line == " ".join(line.split()) and len(line.split()) >= wikipedia.SHORTEST for line in lines)


def test_what_is_never_closed_costs_little_time():
    started = time.process_time()
    for piece in ("{{", "[[", "<ref>", "<!--", "{|\n", "[http://x "):
        wikipedia.plain(piece * 2_000)
    assert time.process_time() - started < 5


def test_another_file_is_refused(monkeypatch):
    monkeypatch.setattr("mmbench.assets.read_member", lambda asset, member: b"BZh9 not it")
    with pytest.raises(CorruptAsset, match=r"'gensim': .*shortened.bz2 is not the file of sha256 a53f4648"):
        WHOLE()


def test_the_sample_is_text():
    found = WHOLE()
    assert len(found) == 4924
    assert found[0].startswith("Anarchism is a political philosophy that advocates self-governed societies based on")
    assert not any(sign in line for line in found for sign in ("{{", "}}", "[[", "]]", "<ref", "http://"))
