"""The page of cards is that of its record, its figures those of the shipped weights, and only news is measured."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from mmbench.zoo import model_cards, weight_files

REPORTS = Path(__file__).parents[2] / "reports"
CARD = {
    "recipe": "rn50",
    "recipe_hash": "ab" * 32,
    "modality": "image",
    "steps": 1200,
    "images_seen": 307200,
    "seconds": 600.0,
    "final_loss": 0.5,
    "seed": 0,
    "torch": "2",
    "dtype": "10 bits",
    "size": 1_500_000,
    "packing": "0.02",
}


def test_the_page_is_rendered_from_its_record():
    record = json.loads((REPORTS / model_cards.RECORD).read_text(encoding="utf-8"))
    assert model_cards.render(record) == (REPORTS / model_cards.PAGE).read_text(encoding="utf-8")


def test_the_cards_are_those_of_the_shipped_weights():
    models = json.loads((REPORTS / model_cards.RECORD).read_text(encoding="utf-8"))["models"]
    assert {*models} == {*weight_files.shipped(), weight_files.RANDOM}
    for name in weight_files.shipped():
        assert models[name]["weights"] == weight_files.digest(name), f"{name}: run mmbench zoo cards"
        # Eight pairs of views tell a loss to about 0.1 points: tsm's 0.16 was 0.05 over 32 pairs.
        assert float(models[name]["card"]["packing"] or 0) < 0.1, f"{name} lost too much by packing"


def test_a_page_by_hand():
    record = {
        "schema": 1,
        "models": {
            "random": {"weights": "", "card": None, "figures": {"one_shot": 1.0}},
            "rn50": {"weights": "x", "card": CARD, "figures": {"one_shot": 44.04, "shape_over_fill": 60.0}},
            "bert": {
                "weights": "y",
                "card": CARD | {"recipe": "bert", "modality": "text"},
                "figures": {"categories": 70},
            },
        },
    }
    page = model_cards.render(record)
    assert "2 models, 3.0 MB. Their trainings took 0.3 hours together" in page
    assert "| `rn50` | stand-in for ResNet-50" in page
    assert "| `rn50` | – | 44.0 | – | – | – | – | – | 60.0 |" in page
    assert "| `bert` | 70.0 |" in page
    assert "wait for their training: ar_l2" in page


def test_only_what_is_new_is_measured(monkeypatch, tmp_path):
    measured = []
    monkeypatch.setattr(model_cards, "_image_figures", lambda name: measured.append(name) or {"one_shot": 0.5})
    monkeypatch.setattr(model_cards.sanity, "names_probe", lambda name: measured.append(name) or 0.25)
    model_cards.write(tmp_path)
    assert sorted(measured) == sorted([*weight_files.shipped(), weight_files.RANDOM])
    record = json.loads((tmp_path / model_cards.RECORD).read_text())
    record["models"]["rn50"]["weights"] = "of another training"
    (tmp_path / model_cards.RECORD).write_text(json.dumps(record))
    measured.clear()
    model_cards.write(tmp_path)
    assert measured == ["rn50"]


def test_a_new_hash_is_shown_and_nothing_is_measured_again(monkeypatch, tmp_path):
    monkeypatch.setattr(model_cards, "_image_figures", lambda name: {"one_shot": 0.5})
    monkeypatch.setattr(model_cards.sanity, "names_probe", lambda name: 0.25)
    model_cards.write(tmp_path)
    monkeypatch.setattr(model_cards, "_image_figures", lambda name: pytest.fail("measured again"))
    monkeypatch.setattr(
        model_cards, "card", lambda name: dataclasses.replace(weight_files.card(name), recipe_hash="0" * 64)
    )
    model_cards.write(tmp_path)
    record = json.loads((tmp_path / model_cards.RECORD).read_text())["models"]["rn50"]
    assert (record["card"]["recipe_hash"], record["figures"]) == ("0" * 64, {"one_shot": 50.0})


@pytest.mark.slow
def test_packing_costs_less_than_it_may_and_more_than_nothing_where_it_should(monkeypatch):
    """The measure itself: none between equal networks, much between a trained one and an untrained one."""
    from mmbench.zoo import sanity

    monkeypatch.setattr(sanity, "PAIRS", 4)
    trained, untrained = weight_files.image_tower("bit_m"), weight_files.image_tower(weight_files.RANDOM)
    assert sanity.lost_by_packing(trained, trained) == 0.0
    assert sanity.lost_by_packing(trained, untrained) > 50
