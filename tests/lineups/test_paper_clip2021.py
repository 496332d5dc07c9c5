"""The lineup of clip2021 over tiny copies of its datasets in their real layout: shards beside classnames.txt."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import paper_data

from mmbench.bench.bench import Bench
from mmbench.claims import CLAIMS
from mmbench.conditions import cells_of
from mmbench.datasets.template_sets import template_set
from mmbench.errors import BadDataset
from mmbench.features.store import Store
from mmbench.lineups import load_lineup
from mmbench.probes.logistic import LOGISTIC_PER_CLASS
from mmbench.probes.zero_shot import ZERO_SHOT, ZERO_SHOT_PER_CLASS
from mmbench.probes.zero_shot_top import ZERO_SHOT_TOP5
from mmbench.protocol import Cell, Roles

LINEUP = load_lineup("paper_clip2021")
PACKED = [role for role, bound in LINEUP.datasets.items() if "$MMBENCH_DATA/wds_" in bound.spec]
PAIR = Roles("clip_vitl14_336", "clip_vitl14_336_t")


def folder_and_classes(role: str) -> tuple[str, int]:
    found = re.fullmatch(
        r"webdataset:\$MMBENCH_DATA/([^?]+)\?classes=(\d+)&templates=clip:\w+", LINEUP.dataset(role).spec
    )
    assert found, role
    return found[1], int(found[2])


def copy_of(root: Path, classes: int, each: int = 1) -> None:
    """``each`` grey pictures a class and split, darker by class."""
    for split in ("train", "test"):
        rows = [(number, label) for label in range(classes) for number in range(each)]
        members = {}
        for row, (number, label) in enumerate(rows):
            shade = 255 * label // classes
            picture = np.full((8, 8, 3), shade, np.uint8)
            picture[0, 0] = number, row % 256, split == "test"  # no two items are the same
            members |= {f"s{row:07d}.png": paper_data.png(picture), f"s{row:07d}.cls": str(label).encode()}
        paper_data.shard(root / split / "0.tar", members)
    (root / "classnames.txt").write_text("".join(f"thing {label}\n" for label in range(classes)))
    (root / "zeroshot_classification_templates.txt").write_text("its own {c}\n")


@pytest.mark.parametrize("role", PACKED)
def test_every_packed_dataset_is_read_with_the_templates_of_clips_authors(role, tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    name, classes = folder_and_classes(role)
    copy_of(tmp_path / name, classes)
    entry = load_lineup("paper_clip2021").dataset(role).entry
    dataset = entry.load()
    assert len(dataset.classes) == classes == len(dataset.split("train")) == len(dataset.split("test"))
    assert entry.templates == template_set("imagenet" if role == "imagenet_full" else role)


def test_a_copy_with_a_class_too_few_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_DATA", str(tmp_path))
    name, classes = folder_and_classes("eurosat")
    copy_of(tmp_path / name, classes - 1)
    with pytest.raises(BadDataset, match=r"has 9 classes, expected 10; is it complete\?"):
        load_lineup("paper_clip2021").dataset("eurosat").entry.load()


def test_names_templates_answers_and_probes_are_measured_on_a_copy(tmp_path, monkeypatch):
    """With the zoo's CLIP in place of the public one, which is not here."""
    monkeypatch.setenv("MMBENCH_DATA", str(tmp_path))
    copy_of(tmp_path / folder_and_classes("eurosat")[0], 10, each=3)
    lineup = load_lineup("paper_clip2021")
    for role, spec in (*zip(PAIR, ("zoo:clip", "zoo:clip_t"), strict=True), ("rn50", "zoo:rn50")):
        lineup = lineup.bind_model(f"{role}={spec}")
    bench = Bench(lineup, Store(tmp_path / "store"), progress=False)
    inputs = bench.inputs(Cell(ZERO_SHOT, PAIR, "eurosat"))
    assert inputs.prompts.shape[:2] == (10, 3)
    plain, by_class, five = (
        bench.scores(Cell(protocol, PAIR, "eurosat")) for protocol in (ZERO_SHOT, ZERO_SHOT_PER_CLASS, ZERO_SHOT_TOP5)
    )
    assert plain.mean == pytest.approx(by_class.mean)  # classes are of one size
    assert plain.mean <= five.mean <= 100
    assert bench.scores(Cell(LOGISTIC_PER_CLASS, "rn50", "eurosat")).mean > 30  # shades of grey are easy to tell


def test_every_role_of_a_measurable_claim_is_bound_but_for_the_shifts():
    cells = [
        cell
        for claim in CLAIMS
        if claim.study == "clip2021" and claim.measurable
        for cell in cells_of(claim.condition("measured"))
    ]
    assert {role for cell in cells for role in cell.models} <= {*LINEUP.models}
    assert {cell.dataset for cell in cells} - {*LINEUP.datasets} == {
        "imagenet_v2", "imagenet_sketch", "imagenet_r", "imagenet_a", "objectnet", "youtube_bb", "imagenet_vid"
    }  # fmt: skip
