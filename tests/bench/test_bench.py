"""A cell is measured once, from features encoded once, and says what is missing when it cannot be measured."""

import dataclasses
import json

import numpy as np
import pytest

from mmbench import files
from mmbench.bench.bench import Bench
from mmbench.errors import BadFeatures, BadScores, BadSpec, CorruptAsset, NotEnoughShots, UnknownLayer, Unmeasured
from mmbench.features.store import Store, StoreWarning
from mmbench.metrics import METRICS, Metric
from mmbench.models import checkpoints
from mmbench.probes.logistic import LOGISTIC
from mmbench.probes.mlp import MLP_HEAD
from mmbench.probes.neighbours import NEIGHBOURS
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.probes.zero_shot import ZERO_SHOT
from mmbench.program.digest import source_of
from mmbench.protocol import PRINTED, Cell, Roles

from ..tiny_lineup import colours, dataset, split, tiny_lineup, words


@pytest.fixture
def bench(tmp_path):
    def make(models=(), datasets=(), store=tmp_path / "store", **options):
        return Bench(tiny_lineup(models, datasets), Store(store), progress=False, **options)

    return make


def test_a_cell_is_encoded_once_and_read_back_by_a_second_run(bench):
    entry, calls = colours()
    first = bench({"clip": entry})
    cells = [Cell(protocol, "clip", "cifar10") for protocol in (*FEW_SHOT.over(shots=(1, 5)), LOGISTIC)]
    scores = [first.scores(cell) for cell in cells]
    assert all(s.mean > 90 for s in scores)
    assert first.store.encoded_twice() == []
    assert sum(calls) == 60 + 53

    again, more = colours()
    second = bench({"clip": again})
    for cell, before in zip(cells, scores, strict=True):
        assert np.array_equal(second.scores(cell).outcomes, before.outcomes)
    assert more == []
    assert not any(cost.fresh for cost in second.costs)


def test_scores_of_draws_hold_the_share_of_the_training_pool_and_others_none(bench, tmp_path):
    """Sixty rows of three classes, twenty each; the store keeps the share."""
    shares = {FEW_SHOT.at(shots=5): 0.25, FEW_SHOT.at(shots=20): None, LOGISTIC: None, NEIGHBOURS.at(shots=10): 0.5}
    for _ in ("measured", "read back"):
        once = bench()
        for protocol, share in shares.items():
            found = once.scores(Cell(protocol, "clip", "cifar10"))
            assert (found.pool, found.sample.pool) == (share, share)


def test_a_model_is_asked_once_who_it_is(bench):
    """Its answer is read from files, and wanted with every cell; once more when its weights were loaded."""
    entry, asked = colours()[0], []
    once = bench({"clip": dataclasses.replace(entry, identity=lambda: asked.append("clip") or entry.identity())})
    for protocol in (*FEW_SHOT.over(shots=(1, 5)), LOGISTIC):
        once.scores(Cell(protocol, "clip", "cifar10"))
    assert asked == ["clip", "clip"]
    asked.clear()
    again = bench({"clip": dataclasses.replace(entry, identity=lambda: asked.append("clip") or entry.identity())})
    again.scores(Cell(LOGISTIC, "clip", "cifar10"))
    assert asked == ["clip"]


def test_features_are_never_stored_under_the_digest_of_other_weights(bench, tmp_path, monkeypatch):
    """A digest that an earlier process noted, of a file that a disk changed since."""
    path, note = tmp_path / "weights", tmp_path / "note.json"
    path.write_bytes(b"one")
    monkeypatch.setattr(files, "_JUST_NOW", -1)
    monkeypatch.setattr(checkpoints, "_note_path", lambda key: note)
    note.write_text(json.dumps({**files.stamp(path)._asdict(), "sha256": "0" * 64}))
    entry = colours()[0]
    by_file = lambda: dataclasses.replace(entry.identity(), weights=checkpoints.file_digest(path))  # noqa: E731
    cell = Cell(LOGISTIC, "clip", "cifar10")
    with pytest.raises(CorruptAsset, match=r"weights of colours are not those whose digest was noted \(000000000000; "):
        bench({"clip": dataclasses.replace(entry, identity=by_file)}).scores(cell)
    assert not (tmp_path / "store" / "scores").exists()
    found = bench({"clip": dataclasses.replace(entry, identity=by_file)}).scores(cell)
    assert found.provenance["models"] == {"colours": checkpoints.file_digest(path)}


def test_planned_cells_are_solved_together_and_equal_those_solved_alone(bench, tmp_path):
    cells = [Cell(protocol, "clip", "cifar10") for protocol in FEW_SHOT.over(shots=(1, 5, 10))]
    together, alone = bench(), bench(store=tmp_path / "other")
    together.plan(cells)
    together.scores(cells[0])
    assert not together.fresh(cells[2])
    assert alone.fresh(cells[2])
    for cell in cells:
        assert np.array_equal(together.scores(cell).outcomes, alone.scores(cell).outcomes)


def test_a_pair_of_towers_puts_text_before_image(bench):
    pair = bench().features(Roles("clip", "clip_t"), "cifar10", "test")
    assert pair.shape == (53, 6)
    assert set(np.unique(pair[:, :3])) == {0.0, 1.0}
    assert np.array_equal(pair, bench().features(Roles("clip_t", "clip"), "cifar10", "test"))


def test_zero_shot_scores_prompts_of_the_text_tower(bench):
    assert bench().scores(Cell(ZERO_SHOT, Roles("clip", "clip_t"), "cifar10")).mean == 100.0


def test_several_labels_are_judged_by_f1_and_by_protocols_that_can(bench):
    several = bench(datasets={"plotster": dataset("several", multi=True)})
    assert several.scores(Cell(NEIGHBOURS.at(shots=5), "clip", "plotster")).metric == "f1_samples"
    with pytest.raises(Unmeasured, match=r"few_shot_1\[clip, plotster\] judges one label an item"):
        several.scores(Cell(FEW_SHOT.at(shots=1), "clip", "plotster"))


def test_the_code_reading_drops_the_incomplete_batch_and_feeds_rn50_raw_input(bench):
    raw, _ = colours("raw")
    entry, _ = colours("rn50", raw=lambda: raw)
    several = bench({"rn50": entry}, {"plotster": dataset("several", multi=True)})
    head = dataclasses.replace(MLP_HEAD, trials=2, settings=dataclasses.replace(MLP_HEAD.settings, max_epochs=2))
    paper, code = (several.scores(Cell(p, "rn50", "plotster")) for p in (head, head.code))
    assert paper.outcomes.shape == (2, 53)
    assert code.outcomes.shape == (2, 50)
    assert paper.provenance["models"] == {"rn50": "rn50-w"}
    assert code.provenance["models"] == {"raw": "raw-w"}


@pytest.mark.parametrize(("examples", "paper", "code"), [(120, 120, 100), (100, 100, 100), (49, 49, 49)])
def test_the_code_reading_counts_full_batches_if_there_is_one(examples, paper, code):
    settings = MLP_HEAD.settings
    assert [s.counted(examples) for s in (settings, settings.as_code())] == [paper, code]


def test_one_training_serves_both_readings_where_only_the_metric_differs(bench):
    several = bench(datasets={"plotster": dataset("several", multi=True)})
    head = dataclasses.replace(MLP_HEAD, trials=2, settings=dataclasses.replace(MLP_HEAD.settings, max_epochs=2))
    cells = [Cell(protocol, "clip", "plotster") for protocol in (head, head.code)]
    several.plan(cells)
    several.scores(cells[0])
    assert not several.fresh(cells[1])
    assert np.array_equal(several.scores(cells[0]).outcomes[:, :50], several.scores(cells[1]).outcomes)


def test_what_is_missing_is_named_with_the_way_to_get_it(bench):
    with pytest.raises(Unmeasured, match=r"'virtex' is not bound.*--mmbench-model virtex=SPEC"):
        bench().scores(Cell(FEW_SHOT, "virtex", "cifar10"))
    with pytest.raises(Unmeasured, match=r"no probe makes 'printed' yet"):
        bench().scores(Cell(PRINTED, "parameters", "of no role"))
    with pytest.raises(Unmeasured, match=r"in the order image, text; got clip_t \(text\), clip \(image\)"):
        bench().scores(Cell(ZERO_SHOT, Roles("clip_t", "clip"), "cifar10"))
    strange = bench({"bert": dataclasses.replace(words(), name="bert", space="")})
    with pytest.raises(Unmeasured, match="colours and bert do not share a space, so their cosines mean nothing"):
        strange.scores(Cell(ZERO_SHOT, Roles("clip", "bert"), "cifar10"))


def test_a_probe_refuses_another_number_of_models(bench):
    with pytest.raises(BadSpec, match=r"takes an image encoder and a text encoder, in this order; got 1: clip\."):
        bench().scores(Cell(ZERO_SHOT, "clip", "cifar10"))


def test_fewer_rows_than_shots_names_the_class(bench):
    few = bench(datasets={"cifar10": dataset("few", n=12)})
    with pytest.raises(NotEnoughShots, match=r"red"):
        few.scores(Cell(FEW_SHOT.at(shots=10), "clip", "cifar10"))


def test_a_planned_cell_with_too_many_shots_does_not_take_its_neighbours_down(bench):
    few = bench(datasets={"cifar10": dataset("few", n=12)})
    cells = [Cell(protocol, "clip", "cifar10") for protocol in FEW_SHOT.over(shots=(1, 10))]
    few.plan(cells)
    assert few.scores(cells[0]).trials == 10
    with pytest.raises(NotEnoughShots, match=r"red"):
        few.scores(cells[1])


def test_a_model_that_returns_nan_is_named_and_leaves_no_score(bench):
    broken, _ = colours("broken", spoil=lambda out: out * float("nan"))
    spoilt = bench({"clip": broken})
    with pytest.raises(BadFeatures, match=r"broken on cifar10/t"):
        spoilt.scores(Cell(FEW_SHOT, "clip", "cifar10"))
    assert spoilt.fresh(Cell(FEW_SHOT, "clip", "cifar10"))


def test_weights_that_cannot_be_identified_are_measured_but_never_stored(bench):
    unknown, calls = colours("unknown", weights=None)
    free = bench({"clip": unknown})
    with pytest.warns(UserWarning, match=r"cannot be identified"):
        assert free.scores(Cell(FEW_SHOT, "clip", "cifar10")).mean > 90
    free.scores(Cell(LOGISTIC, "clip", "cifar10"))
    assert sum(calls) == 60 + 53, "one run must not encode twice, even without a store"
    assert bench({"clip": unknown}).fresh(Cell(FEW_SHOT, "clip", "cifar10"))


def test_scores_tell_the_stages_they_come_from(bench, tmp_path):
    """Two runs that differ in one thing part at its stage and at the ones after it, not before."""
    plain, other = colours()[0], colours("inverted", spoil=lambda out: 1 - out)[0]
    noisy = dataclasses.replace(dataset(), load=lambda: _with_test(dataset().load(), split("test", 53, 9)))
    cell = Cell(FEW_SHOT, "clip", "cifar10")

    def stages(**bound):
        store = tmp_path / str(len(list(tmp_path.iterdir())))
        return bench(store=store, **bound).scores(cell).provenance

    first = stages(models={"clip": plain})
    assert first["preprocessed"].keys() == {"colours"}
    again = stages(models={"clip": colours()[0]})
    assert {key: again[key] for key in ("items", "features", "predictions", "preprocessed")} == {
        key: first[key] for key in ("items", "features", "predictions", "preprocessed")
    }
    encoder = stages(models={"clip": other})
    assert encoder["items"] == first["items"]
    assert encoder["preprocessed"]["inverted"] == first["preprocessed"]["colours"]
    assert encoder["features"] != first["features"]
    items = stages(models={"clip": plain}, datasets={"cifar10": noisy})
    assert items["items"]["train"] == first["items"]["train"]
    assert items["items"]["test"] != first["items"]["test"]
    assert items["features"] != first["features"]


def _with_test(dataset, part):
    return dataclasses.replace(dataset, splits=dataset.splits | {"test": part})


def test_heads_that_train_are_solved_with_the_next_planned_ones_beside_them(bench, tmp_path):
    other = colours("other", weights="w2")[0]
    asked, beside = (Cell(MLP_HEAD, role, "cifar10") for role in ("clip", "other"))
    pairs = bench({"other": other})
    pairs.plan([asked, beside])
    pairs.scores(asked)
    assert not pairs.fresh(beside)
    alone = bench({"other": other}, store=tmp_path / "alone", side_by_side=False)
    alone.plan([asked, beside])
    for cell in (asked, beside):
        np.testing.assert_array_equal(pairs.scores(cell).outcomes, alone.scores(cell).outcomes)
        assert alone.fresh(beside) == (cell == asked)


def test_a_broken_cell_beside_another_fails_when_it_is_asked_for(bench):
    broken = colours("broken", weights="w3", spoil=lambda out: out * float("nan"))[0]
    few = bench({"broken": broken})
    asked, beside = (Cell(MLP_HEAD, role, "cifar10") for role in ("clip", "broken"))
    few.plan([asked, beside])
    assert few.scores(asked).outcomes.size
    with pytest.raises(BadFeatures, match="NaN"):
        few.scores(beside)


def test_a_planned_cell_of_an_unknown_layer_does_not_take_its_neighbours_down(bench):
    good, unknown = Cell(FEW_SHOT, "clip", "cifar10"), Cell(FEW_SHOT.at_layer("attic"), "clip", "cifar10")
    planned = bench()
    planned.plan([good, unknown])
    assert planned.scores(good).mean > 90
    with pytest.raises(UnknownLayer, match=r"no layer of colours on cifar10/train named 'attic'\. Known: output\."):
        planned.scores(unknown)


def test_a_planned_cell_of_an_unbound_role_does_not_take_its_neighbours_down(bench):
    good, unbound = Cell(MLP_HEAD, "clip", "cifar10"), Cell(MLP_HEAD, "bit_m", "cifar10")
    planned = bench()
    planned.plan([good, unbound])
    assert planned.scores(good).outcomes.size
    with pytest.raises(Unmeasured, match="model role 'bit_m' is not bound"):
        planned.scores(unbound)


def test_a_metric_outside_its_bounds_is_named_and_spoils_no_cell_beside_it(bench, monkeypatch):
    seven = Metric("sevens", lambda predictions, labels: np.full(predictions.shape, 7, np.float32), "%", 100.0)
    monkeypatch.setitem(METRICS._entries, "sevens", seven)
    good = Cell(MLP_HEAD, "clip", "cifar10")
    wrong = Cell(dataclasses.replace(MLP_HEAD, name="wrong", metric="sevens"), "clip", "cifar10")
    planned = bench()
    planned.plan([good, wrong])
    assert planned.scores(good).outcomes.size
    with pytest.raises(BadScores, match="metric sevens: expected outcomes from 0 to 1, found 7 to 7"):
        planned.scores(wrong)
    assert planned.fresh(wrong)


def test_a_metric_gives_one_outcome_for_each_trial_and_example(bench, monkeypatch):
    flat = Metric("flat", lambda predictions, labels: (predictions == labels).mean(axis=1), "%", 100.0)
    monkeypatch.setitem(METRICS._entries, "flat", flat)
    cell = Cell(dataclasses.replace(FEW_SHOT, name="flat", metric="flat"), "clip", "cifar10")
    with pytest.raises(
        BadScores, match=r"metric flat: expected one outcome for each trial and example, \[10, 53\], got shape \[10\]"
    ):
        bench().scores(cell)


def test_a_metric_without_a_source_file_is_measured_and_not_stored(bench, monkeypatch):
    """As one that was typed into a notebook: nothing could tell a changed one from the stored scores."""
    typed: dict = {"__name__": "__main__"}
    exec("def typed(predictions, labels):\n    return (predictions == labels[None]).astype('float32')", typed)
    monkeypatch.setitem(
        METRICS._entries, "accuracy", dataclasses.replace(METRICS.get("accuracy"), outcome=typed["typed"])
    )
    monkeypatch.setattr(
        "mmbench.program.digest.source_of", lambda module, own=source_of: None if module == "__main__" else own(module)
    )
    once = bench()
    with pytest.warns(StoreWarning, match="'prototypes' by 'accuracy' are not stored: .*write it in a file"):
        assert once.scores(Cell(FEW_SHOT, "clip", "cifar10")).mean > 90
    assert list(once.store.root.glob("scores/**/*.safetensors")) == []
