"""Paragraphs of a Wikipedia sample, for ``bert`` and ``gpt2``.

The sample is the dump of 106 English articles (December 2015) that gensim is tested with, taken out of gensim's wheel
as a file; gensim itself is neither installed nor imported. Kept is running text: no templates, tables, references,
headings, lists, pictures or categories. What a regular expression can't tell is dropped with its line, since a lost
line costs nothing here. Words of evaluation concepts do occur in these articles (a cat is a cat there too), so only
the captions, not the language models, keep the promise that no evaluation concept is seen.
"""

from __future__ import annotations

import bz2
import hashlib
import html
import io
import re
from collections.abc import Iterator
from typing import IO
from xml.etree import ElementTree

from mmbench.errors import CorruptAsset

MEMBER = "gensim/test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
# of that file; it stands here so that it is hashed with the recipe
SHA256 = "a53f4648dec40467ebdcbc7a1307eddb51fe6e28e9309f6ebde81ba0d04bea2d"
SHORTEST = 10  # words of a paragraph

_SILENT = "ref|math|gallery|source|syntaxhighlight|timeline|score|pre|imagemap|references|nowiki|chem|hiero"
_DROPPED = (
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(rf"<(?:{_SILENT})(?:\s[^<>]*)?/>", re.IGNORECASE),
    re.compile(rf"<({_SILENT})(?:\s[^<>]*)?>.*?</\1\s*>", re.DOTALL | re.IGNORECASE),
)
_NESTED = re.compile(
    r"(?P<template>\{\{)|(?P<end_template>\}\})|(?P<table>^[ :]*\{\|)|(?P<end_table>^\s*\|\}(?!\}))", re.M
)
_OUTSIDE = re.compile(r"\[(?:https?:|ftp:)?//[^\s\[\]]+([^\[\]]*)\]")
_LINK = re.compile(r"\[\[([^\[\]]*)\]\]")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|__[A-Z]+__|'{2,5}")
_HOLLOW = re.compile(r"\(\s*[,;:]*\s*\)")
_NOT_TEXT = tuple("*#:;|!=<{}[ \t")
_DEEPEST = 8  # links in links, as in the caption of a picture


def paragraphs() -> list[str]:
    """The paragraphs of the sample in its order; about 2 s. Raises MissingAsset or CorruptAsset."""
    from mmbench.assets import GENSIM, read_member

    packed = read_member(GENSIM, MEMBER)
    if hashlib.sha256(packed).hexdigest() != SHA256:
        raise CorruptAsset(f"asset {GENSIM.name!r}: {MEMBER} is not the file of sha256 {SHA256}; fetch the wheel again")
    return [line for source in articles(bz2.open(io.BytesIO(packed))) for line in plain(source)]


def articles(stream: IO[bytes]) -> Iterator[str]:
    """The wikitext of each article of a MediaWiki dump, one at a time; redirects and other pages are left out."""
    kept: dict[str, str | None] = {}
    for _, element in ElementTree.iterparse(stream):
        name = element.tag.rpartition("}")[2]
        if name in {"ns", "text", "redirect"}:
            kept[name] = element.text
        elif name == "page":
            if kept.get("ns") == "0" and "redirect" not in kept and kept.get("text"):
                yield str(kept["text"])
            kept = {}
            element.clear()


def plain(source: str) -> list[str]:
    """The paragraphs of an article without markup, each one line of at least 10 words."""
    for pattern in _DROPPED:
        source = pattern.sub("", source)
    source = _OUTSIDE.sub(r"\1", without_templates(source))
    for _ in range(_DEEPEST):
        source, found = _LINK.subn(_shown, source)
        if not found:
            break
    lines = [line for line in source.split("\n") if line and not line.startswith(_NOT_TEXT)]
    shown = [" ".join(_HOLLOW.sub("", html.unescape(_TAG.sub("", line))).split()) for line in lines]
    return [line for line in shown if len(line.split()) >= SHORTEST]


def without_templates(source: str) -> str:
    """The text outside of ``{{templates}}`` and ``{| tables |}``, which may hold each other.

    An end that nothing began is dropped alone; what is begun and never ended is dropped to the end of the text.
    """
    kept: list[str] = []
    inside: list[str] = []
    here = 0
    for mark in _NESTED.finditer(source):
        if not inside:
            kept.append(source[here : mark.start()])
        kind = str(mark.lastgroup)
        if not kind.startswith("end_"):
            inside.append(kind)
        elif (begun := kind.removeprefix("end_")) in inside:
            while inside.pop() != begun:
                pass
        here = mark.end()
    return "".join(kept) + ("" if inside else source[here:])


def _shown(link: re.Match[str]) -> str:
    """What a reader sees of an internal link: its label; nothing of a picture, a category or another language."""
    target, _, label = link[1].rpartition("|")
    space = (target or label).partition(":")
    if space[1] and space[0].strip().isalpha() and not space[2].startswith(" "):
        return ""
    return label
