"""The zoo's picture has a mark for each image model, and the committed one is of the committed record."""

from __future__ import annotations

import json
from pathlib import Path

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


def test_a_name_gives_way_to_a_higher_neighbours():
    found = {"low": (50.0, 40.0), "high": (52.0, 41.0), "far": (90.0, 40.5)}
    assert zoo_figure._offsets(found) == {"low": (4, -8), "high": (4, 3), "far": (4, 3)}


def test_the_committed_picture_is_of_the_committed_record():
    told = json.loads((REPORTS / "zoo.json").read_text(encoding="utf-8"))
    picture = (REPORTS / zoo_figure.NAME).read_text(encoding="utf-8")
    found = zoo_figure.points(told)
    assert picture.endswith(zoo_figure.mark(found) + "\n")
    assert all(f">{name}</text>" in picture for name in found if "_seed" not in name)
