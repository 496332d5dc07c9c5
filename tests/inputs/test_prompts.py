"""Zero-shot inputs: prompts of a dataset's own names and templates, in the key word for word; open_clip as oracle."""

import dataclasses
import json
import warnings

import numpy as np
import pytest

from mmbench.bench.bench import Bench
from mmbench.bench.lineup_source import LineupSource
from mmbench.errors import BadDataset, BadSpec, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs import prompts
from mmbench.lineups import load_lineup
from mmbench.probes.zero_shot import ZERO_SHOT, ZERO_SHOT_ONE_PROMPT
from mmbench.protocol import Cell, Roles

from ..tiny_lineup import CLASSES, dataset, tiny_lineup

CELL = Cell(ZERO_SHOT, Roles("clip", "clip_t"), "cifar10")


def source(tmp_path, **changes):
    entry = dataclasses.replace(dataset(), **changes)
    return LineupSource(tiny_lineup(datasets={"cifar10": entry}), Store(tmp_path / "store"), progress=False)


def renamed(*names):
    """The toy dataset with other class names, under the same identity."""
    return {"load": lambda: dataclasses.replace(dataset().load(), classes=names)}


def test_the_datasets_own_names_and_templates_are_encoded(tmp_path):
    found = source(tmp_path, templates=("a {} thing", "something {}"))
    inputs = prompts.gather(found, CELL)
    assert inputs.prompts.shape == (len(CLASSES), 2, 3)
    np.testing.assert_array_equal(inputs.prompts, np.eye(3)[:, None].repeat(2, axis=1))
    alone = prompts.gather(found, dataclasses.replace(CELL, protocol=ZERO_SHOT_ONE_PROMPT))
    assert alone.prompts.shape == (len(CLASSES), 1, 3)


def test_the_texts_of_the_prompts_are_in_the_key(tmp_path):
    plain = prompts.parts(source(tmp_path), CELL)
    assert prompts.parts(source(tmp_path), CELL) == plain
    assert prompts.parts(source(tmp_path, templates=("the {}",)), CELL) != plain
    assert prompts.parts(source(tmp_path, **renamed("red", "green", "azure")), CELL) != plain
    one = dataclasses.replace(CELL, protocol=ZERO_SHOT_ONE_PROMPT)
    two = source(tmp_path, templates=("a {}", "the {}"))
    assert prompts.parts(two, CELL) != prompts.parts(two, one)


def test_a_class_without_a_name_is_refused(tmp_path):
    with pytest.raises(BadDataset, match="class 1 of blocks has no name that a prompt could use, found ' '"):
        prompts.gather(source(tmp_path, **renamed("red", " ", "blue")), CELL)


def test_a_template_without_a_place_for_the_name_is_refused(tmp_path):
    with pytest.raises(BadSpec, match="has 0 places for the class name, expected exactly one"):
        prompts.gather(source(tmp_path, templates=("a photo",)), CELL)


@pytest.mark.parametrize(
    ("templates", "message"),
    [("a {}", r"templates must be several texts, as in templates=\('a \{\}',\); got one"), ((), "no prompt templates")],
)
def test_templates_that_are_none_or_one_text_are_refused(tmp_path, templates, message):
    with pytest.raises(BadSpec, match=message):
        prompts.gather(source(tmp_path), Cell(ZERO_SHOT.at(templates=templates), CELL.models, CELL.dataset))


def test_a_hidden_layer_is_refused(tmp_path):
    hidden = Cell(ZERO_SHOT.at_layer("stage1"), CELL.models, CELL.dataset)
    with pytest.raises(BadSpec, match="share a space at the output only, not layer 'stage1'"):
        prompts.gather(source(tmp_path), hidden)


def test_encoders_of_two_spaces_are_refused(tmp_path):
    strange = source(tmp_path)
    entry = dataclasses.replace(strange.model("clip_t"), space="another")
    strange.lineup.models["clip_t"].__dict__["entry"] = entry
    with pytest.raises(Unmeasured, match="colours and words do not share a space, so their cosines mean nothing"):
        prompts.gather(strange, CELL)


@pytest.fixture
def photos(tmp_path):
    """An image folder of three classes with noise for photographs, and two templates."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for part, count in (("train", 1), ("test", 20)):
        for name in ("tabby cat", "sports car", "oak"):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    (tmp_path / "templates.txt").write_text("a photo of a {}.\na drawing of the {}.\n")
    return tmp_path


def test_every_prediction_is_that_of_plain_open_clip(photos, monkeypatch):
    import torch
    from safetensors.torch import save_file

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import open_clip

    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    vision = {"image_size": 32, "layers": 2, "width": 16, "patch_size": 8, "head_width": 8}
    (photos / "zero-shot-vit.json").write_text(json.dumps({"embed_dim": 12, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(photos / "zero-shot-vit.json")
    torch.manual_seed(0)
    model, _, transform = open_clip.create_model_and_transforms("zero-shot-vit")
    model.eval()
    save_file(model.state_dict(), photos / "c.safetensors")

    monkeypatch.setenv("MMBENCH_WEIGHTS", str(photos))
    monkeypatch.setenv("MMBENCH_CACHE", str(photos / "cache"))
    lineup = load_lineup("embedded").bind_dataset(
        f"cifar10=imagefolder:{photos / 'photos'}?templates={photos / 'templates.txt'}"
    )
    for role, tower in (("clip", ""), ("clip_t", "#text")):
        lineup = lineup.bind_model(f"{role}=open_clip:zero-shot-vit@c.safetensors?dim=12{tower}")
    bench = Bench(lineup, Store(photos / "store"), progress=False)

    split = bench.source.dataset("cifar10").split("test")
    classes, templates = bench.source.dataset("cifar10").classes, (photos / "templates.txt").read_text().splitlines()
    tokenizer = open_clip.get_tokenizer("zero-shot-vit")
    with torch.inference_mode():
        images = torch.stack([transform(split.images.image(i)) for i in range(len(split))])
        embedded = torch.nn.functional.normalize(model.encode_image(images), dim=-1)
        for protocol, used in ((ZERO_SHOT, templates), (ZERO_SHOT_ONE_PROMPT, templates[:1])):
            weights = []
            for name in classes:  # as in open_clip's own build_zero_shot_classifier
                rows = model.encode_text(tokenizer([template.format(name) for template in used]))
                mean = torch.nn.functional.normalize(rows, dim=-1).mean(dim=0)
                weights.append(mean / mean.norm())
            wanted = (embedded @ torch.stack(weights).T).argmax(dim=1).numpy() == split.labels
            scores = bench.scores(Cell(protocol, Roles("clip", "clip_t"), "cifar10"))
            np.testing.assert_array_equal(scores.outcomes[0].astype(bool), wanted)
