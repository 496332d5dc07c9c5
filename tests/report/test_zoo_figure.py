"""The zoo's picture has a mark for each image model, and the committed one is of the committed record."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np

from mmbench.report import zoo_figure

REPORTS = Path(__file__).parents[2] / "reports"
TOLD = {
    "models": {
        "random": {"figures": {"one_shot": 1.0, "categories": 18.0}},
        "clip": {"figures": {"one_shot": 60.0, "categories": 39.5}},
        "bit_m": {"figures": {"one_shot": 75.0, "categories": 41.0}},
        "bit_m_seed1": {"figures": {"one_shot": 65.0, "categories": 40.0}},
        "clip_t": {"figures": {"categories": 40.0}},
        "dino": {"figures": {"one_shot": 20.0, "categories": 34.0}},
    }
}


def test_each_image_model_is_drawn_in_the_colour_of_its_training(tmp_path):
    svg = zoo_figure.write(TOLD, tmp_path).read_text(encoding="utf-8")
    names = ("random", "clip", "bit_m", "clip_t", "bit_m_seed1")
    assert [f">{name}</text>" in svg for name in names] == [True, True, True, False, False]
    labels = ("untrained", "trained with language", "trained on labels", "trained on images alone", "text encoder")
    assert [f">{label}</text>" in svg for label in labels] == [True, True, True, True, False]


def test_names_cover_neither_marks_nor_each_other():
    """Three marks in a row, closer than their names are wide, and one far off, whose name stands where all would."""
    from matplotlib.figure import Figure

    named = {"first": (50.0, 40.0), "second": (50.6, 40.0), "third": (51.2, 40.0), "far": (90.0, 45.0)}
    canvas = Figure((7.5, 4.8))
    ax = canvas.subplots()
    ax.scatter(*np.transpose(list(named.values())))
    written = zoo_figure.write_names(ax, named, list(named.values()))
    assert [text.get_text() for text in written] == list(named)
    boxes = [text.get_window_extent() for text in written]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    marks = ax.transData.transform(list(named.values()))
    assert not any(box.contains(*mark) for box in boxes for mark in marks)
    assert written[-1].get_ha() == "left"
    assert written[-1].get_va() == "bottom"
    assert len(ax.texts) == len(named)  # what was tried elsewhere is gone


def test_the_committed_picture_is_of_the_committed_record():
    record = json.loads((REPORTS / "zoo.json").read_text(encoding="utf-8"))
    picture = (REPORTS / zoo_figure.NAME).read_text(encoding="utf-8")
    found = zoo_figure.points(record)
    assert picture.endswith(zoo_figure.mark(found) + "\n")
    assert all(f">{name}</text>" in picture for name in found if "_seed" not in name)
