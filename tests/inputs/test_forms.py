"""Forms: concepts and forms out of an image's two labels, and datasets that have none."""

import dataclasses

import numpy as np
import pytest

from mmbench.bench.lineup_source import LineupSource
from mmbench.datasets.entry import Dataset
from mmbench.errors import BadDataset, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs import forms
from mmbench.probes.selectivity import SELECTIVITY
from mmbench.protocol import Cell

from ..tiny_lineup import dataset, split, tiny_lineup

CLASSES = ("red", "form: photo", "green", "form: word", "blue")  # in any order


def shown(change=None):
    """Sixty images a split in three colours and two forms."""

    def load():
        splits = {}
        for name, seed in (("train", 1), ("test", 2)):
            part = split(name, 60, seed)
            labels = np.zeros((60, 5), dtype=bool)
            labels[np.arange(60), np.array([0, 2, 4])[part.labels]] = True
            labels[np.arange(60), np.array([1, 3])[np.arange(60) // 3 % 2]] = True
            splits[name] = dataclasses.replace(part, labels=change(labels) if change else labels)
        return Dataset("shown", CLASSES, splits, "multi")

    return dataclasses.replace(dataset(multi=True), load=load, classes=5)


def source(tmp_path, entry):
    return LineupSource(tiny_lineup(datasets={"concept_forms": entry}), Store(tmp_path), progress=False)


def test_concepts_and_forms_are_told_by_name(tmp_path):
    found = forms.gather(source(tmp_path, shown()), Cell(SELECTIVITY, "clip", "concept_forms"))
    assert (found.concepts, found.forms) == (("red", "green", "blue"), ("photo", "word"))
    x, concept, form = found.test
    assert (x.argmax(axis=1) == concept).all()
    assert form.tolist()[:7] == [0, 0, 0, 1, 1, 1, 0]
    assert found.truth.tolist() == [0, 1, 2]


def test_other_datasets_and_encoders_are_refused(tmp_path):
    lineup = source(tmp_path, shown())
    with pytest.raises(BadDataset, match="names of forms begin with 'form: ', found 3 concepts and 0 forms"):
        forms.gather(lineup, Cell(SELECTIVITY, "clip", "cifar10"))
    with pytest.raises(Unmeasured, match="expected the encoders in the order image"):
        forms.gather(lineup, Cell(SELECTIVITY, "clip_t", "concept_forms"))


def test_an_image_of_two_concepts_is_named(tmp_path):
    def both(labels):
        labels[7, [0, 2]] = True
        return labels

    with pytest.raises(BadDataset, match="concept_forms: 'train7' has 2 labels of a concept; it must have one"):
        forms.gather(source(tmp_path, shown(both)), Cell(SELECTIVITY, "clip", "concept_forms"))
