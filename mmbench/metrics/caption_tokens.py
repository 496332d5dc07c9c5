"""Captions as pycocoevalcap's scores read them: lower-case words of the Penn Treebank's tokenizer, without punctuation.

The tokenizer is Stanford's, which pycocoevalcap starts in Java. Plain captions (letters, digits, spaces and few signs)
come out of it as they come out of a split at spaces; those are read here, so that only others need Java. A test holds
both ways against each other.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import BadItem, MissingExtra, Unmeasured

_WORD = r"(?:[a-z]+(?:-[a-z]+)*|\d{1,3})"
_PLAIN = re.compile(rf"{_WORD}(?:[ ,:;!?&]+{_WORD})*", re.ASCII)
# Words that the tokenizer divides, and those whose final full stop it takes for that of an abbreviation.
_DIVIDED = frozenset("cannot gonna gotta lemme gimme wanna whaddya dunno whatcha ya'll".split())
_SHORT = frozenset(
    "mr mrs ms dr st no vs etc inc co corp ltd jr sr prof gen col lt rev gov sen rep ave blvd rd dept univ est ft mt "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun vol pp ed op al bros".split()
)


def library(module: str) -> Any:
    """A module of pycocoevalcap. Raises Unmeasured, with the way to get it, where it is not installed."""
    if importlib.util.find_spec("pycocoevalcap") is None:
        raise Unmeasured(str(MissingExtra("pycocoevalcap", "captions", "scoring captions")))
    return importlib.import_module(f"pycocoevalcap.{module}")


def require_java(owner: str) -> None:
    """Raise Unmeasured where there is no Java to start."""
    if shutil.which("java") is None:
        raise Unmeasured(
            f"{owner} runs in Java, and there is no program 'java' on this machine; install a Java runtime"
        )


def plain_words(text: str) -> str | None:
    """The tokens of a plain caption, with spaces between them; None for one that only the tokenizer can read."""
    lowered = " ".join(text.lower().split())
    words = lowered.removesuffix(".").rstrip() if lowered.endswith(".") else lowered
    if not words:
        return "" if not lowered else None
    if not _PLAIN.fullmatch(words):
        return None
    found = re.sub(r"[,:;!?]", " ", words).replace("&", " & ").split()
    if _DIVIDED.intersection(found) or (lowered.endswith(".") and (found[-1] in _SHORT or len(found[-1]) == 1)):
        return None
    return " ".join(found)


def tokenized(texts: Sequence[str]) -> tuple[str, ...]:
    """The tokens of each text with spaces between them; empty for a text without a word.

    Raises Unmeasured where a text needs the tokenizer and pycocoevalcap or Java is missing.
    """
    return _tokenized(tuple(texts))


@functools.lru_cache(maxsize=64)
def _tokenized(texts: tuple[str, ...]) -> tuple[str, ...]:
    found = {text: plain_words(text) for text in dict.fromkeys(texts)}
    hard = [text for text, words in found.items() if words is None]
    if hard:
        found.update(zip(hard, by_java(hard), strict=True))
    return tuple(found[text] or "" for text in texts)


def by_java(texts: Sequence[str]) -> list[str]:
    """The tokens of each text by Stanford's tokenizer, called as pycocoevalcap calls it, but with nothing written.

    Raises Unmeasured without pycocoevalcap or Java, and where the program does not answer.
    """
    module = library("tokenizer.ptbtokenizer")
    require_java(f"the tokenizer that {texts[0][:40]!r} needs")
    lines = [" ".join(text.split()) for text in texts]
    jar = Path(module.__file__).parent / module.STANFORD_CORENLP_3_4_1_JAR
    command = ["java", "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    told = subprocess.run(command, input="\n".join([*lines, "end"]).encode(), capture_output=True, check=False)
    said = told.stdout.decode(errors="replace").split("\n")
    if told.returncode or len(said) <= len(lines) or said[len(lines)].strip() != "end":
        why = told.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise Unmeasured(
            f"the tokenizer, which runs in Java, gave no line for each of {len(lines)} captions: {why[-1]}"
        )
    marks = frozenset(module.PUNCTUATIONS)
    return [" ".join(word for word in line.split() if word not in marks) for line in said[: len(lines)]]


def references_of(labels: NDArray[Any]) -> list[list[str]]:
    """Tokens of the references of each image: ``labels`` are texts ``[n, most]``, empty behind the last of an image.

    Raises BadItem for an image without a reference.
    """
    flat = iter(tokenized([str(text) for text in labels.ravel()]))
    rows = [[next(flat) for _ in range(labels.shape[1])] for _ in range(len(labels))]
    found = [
        [words for words, text in zip(row, texts, strict=True) if str(text).strip()]
        for row, texts in zip(rows, labels, strict=True)
    ]
    for row, references in enumerate(found):
        if not any(references):
            raise BadItem(f"image {row} has no reference with a word; a caption is scored against one or more")
    return found


def candidates_of(predictions: NDArray[Any]) -> list[tuple[str, ...]]:
    """The tokens by each trial and image; ``predictions`` are texts, or have them as their field ``text``."""
    texts = np.asarray(predictions["text"] if predictions.dtype.names else predictions)
    flat = tokenized([str(text) for text in texts.ravel()])  # together, so that Java is started once
    return [flat[start : start + texts.shape[1]] for start in range(0, texts.size, texts.shape[1])]
