"""Prompts: each class in each template; names and templates that cannot be used are refused."""

import re

import numpy as np
import pytest

from mmbench.datasets.entry import DATASETS, Dataset, Split
from mmbench.datasets.prompts import check_template, prompt_texts
from mmbench.errors import BadDataset, BadSpec


def dataset(*classes):
    return Dataset("pets", classes, {"test": Split(("a",), np.zeros(1, np.int64))})


def test_each_class_stands_in_each_template():
    found = prompt_texts(dataset("cat", " big dog "), ("a {}.", "{} {not a field}"))
    assert found == (("a cat.", "cat {not a field}"), ("a big dog.", "big dog {not a field}"))


@pytest.mark.parametrize("name", ["", " ", "\t\n", "\N{NO-BREAK SPACE}"])
def test_a_class_without_a_name_is_named_by_its_number(name):
    message = f"class 1 of pets has no name that a prompt could use, found {name!r}; name its 2 classes with names=FILE"
    with pytest.raises(BadDataset, match=f"^{re.escape(message)}$"):
        prompt_texts(dataset("cat", name), ("a {}.",))


@pytest.mark.parametrize(("template", "found"), [("a photo.", 0), ("{} and {}", 2), ("", 0), ("a {0}", 0)])
def test_a_template_has_one_place_for_the_name(template, found):
    message = f"pets: the prompt template {template!r} has {found} places for the class name, expected exactly one {{}}"
    with pytest.raises(BadSpec, match=f"^{re.escape(message)}$"):
        prompt_texts(dataset("cat", "dog"), ("a {}.", template))
    with pytest.raises(BadSpec, match=r"^file.txt: the prompt template"):
        check_template(template, "file.txt")


def test_no_template_is_refused():
    message = "pets has no prompt templates; give some with templates=FILE, one a line"
    with pytest.raises(BadSpec, match=f"^{message}$"):
        prompt_texts(dataset("cat", "dog"), ())


def test_datasets_whose_classes_are_no_things_have_no_prompts():
    """Forms of things, and whether words were exchanged."""
    assert {entry.name for entry in DATASETS if not entry.templates} == {"concept_forms", "exchanged_words"}


@pytest.mark.parametrize("name", [entry.name for entry in DATASETS if entry.templates])
def test_every_registered_dataset_has_prompts(name):
    entry = DATASETS.get(name)
    found = prompt_texts(entry.load(), entry.templates)
    assert (len(found), {len(row) for row in found}) == (entry.classes, {len(entry.templates)})
    texts = [text for row in found for text in row]
    assert len(set(texts)) == len(texts), "two classes have the same prompt"
    assert not any("_" in text or text != " ".join(text.split()) for text in texts)
