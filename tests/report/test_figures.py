"""Figures: a panel a dataset, stand-ins named, means only where they mean something, nothing drawn twice."""

import re

import pytest

from mmbench.protocol import Roles
from mmbench.records.schema import Binding, LineupPart
from mmbench.report.exhibits import stated_kinds
from mmbench.report.figures import figures_of, file_name, natural, panels
from mmbench.report.names import Names
from mmbench.report.pages import write_pages

from ..made_records import cell, lineup_with

NOBODY = Names({})


def test_a_figure_a_family_with_a_panel_a_dataset_and_their_mean(make_record):
    record = make_record()
    (figure,) = figures_of(record)
    assert figure.name == "prototypes"
    assert figure.svg.startswith("<svg")
    assert re.search(r"</svg>\n<!-- drawn from [0-9a-f]{16} -->$", figure.svg)
    for words in ("cub", "mnist", "mean of 2 datasets", "untrained", "one constant answer"):
        assert words in figure.svg
    assert figures_of(record)[0].svg == figure.svg  # the same record, the same drawing


def test_means_of_several_tasks_are_one_figure_more(make_record):
    def task(protocol, probe):
        return [cell("clip", dataset, mean, protocol, probe) for dataset, mean in (("cub", 60.0), ("mnist", 90.0))]

    parts = [*task("few_shot_5", "prototypes"), *task("few_shot_10", "prototypes"), *task("clustering", "spectral")]
    figures = {figure.name: figure for figure in figures_of(make_record(cells=tuple(parts)))}
    assert list(figures) == ["prototypes", "spectral", "tasks"]
    drawn = figures["tasks"].svg
    for words in ("few shots", "clustering", "from light to dark: few_shot_5, few_shot_10; * played by a stand-in<"):
        assert words in drawn
    assert "one constant answer" not in drawn  # it differs from dataset to dataset
    assert "few shots: clip* highest; clustering: clip* highest (* played by a stand-in)" in figures["tasks"].alt
    assert "tasks" not in {figure.name for figure in figures_of(make_record(cells=tuple(parts[:4])))}


def test_a_figure_of_the_same_numbers_is_not_drawn_twice(make_record, tmp_path, monkeypatch):
    write_pages(make_record(), tmp_path)
    monkeypatch.setattr("mmbench.report.figures._draw", lambda *_: "<svg>anew</svg>")
    slower = tuple(part.model_copy(update={"seconds": 99.0}) for part in make_record().cells)
    assert "anew" not in figures_of(make_record(cells=slower), tmp_path / "figures")[0].svg
    other = (cell("clip", "cub", 61.0), *make_record().cells[1:])
    assert "anew" in figures_of(make_record(cells=other), tmp_path / "figures")[0].svg


def test_the_mean_is_over_models_that_have_every_dataset():
    cells = [cell("clip", "cub", 60.0), cell("clip", "mnist", 90.0), cell("random", "cub", 20.0)]
    drawn = panels(cells, NOBODY)
    (bar,) = drawn["mean of 2 datasets"]
    assert (str(bar.models), bar.mean) == ("clip", 75.0)
    assert bar.high - bar.mean == pytest.approx((2**2 + 2**2) ** 0.5 / 2)  # by hand: independent datasets


def test_two_roles_that_one_dataset_plays_count_once_in_the_mean():
    played = {role: Binding(role=role, spec="flags", stand_in_for="birds") for role in ("cub", "imagenet")}
    cells = [cell("clip", dataset, mean) for dataset, mean in (("cub", 60.0), ("imagenet", 60.0), ("mnist", 90.0))]
    drawn = panels(cells, Names(played))
    (bar,) = drawn["mean of 2 datasets"]
    assert bar.mean == 75.0
    assert "imagenet (played by: flags)" in drawn


def test_no_mean_over_metrics_of_different_units():
    other = cell("clip", "plotster", 0.6).model_copy(update={"metric": "f1_samples", "unit": ""})
    assert set(panels([cell("clip", "cub", 60.0), other], NOBODY)) == {"cub", "plotster"}


def test_stand_ins_are_named_in_every_panel_and_by_a_star_at_every_bar(make_record):
    (figure,) = figures_of(make_record())
    assert "(played by: flags)" in figure.svg  # below cub
    assert "cub (played by: flags): clip* highest" in figure.alt
    for words in (">clip*<", ">random<", ">* played by a stand-in<"):
        assert words in figure.svg
    (bare,) = figures_of(make_record(lineup=LineupPart(name="paper", models=(Binding(role="clip", spec="x"),))))
    assert "played by" not in bare.svg + bare.alt


def test_panels_come_in_the_order_of_the_lineup(make_record):
    cells = [cell("clip", dataset, 50.0) for dataset in ("zebra", "mnist", "cub")]
    lineup = LineupPart(name="x", datasets=tuple(Binding(role=role, spec="x") for role in ("cub", "zebra")))
    for given in (cells, cells[::-1]):
        (figure,) = figures_of(make_record(cells=tuple(given), lineup=lineup))
        places = [figure.alt.index(f"{name}: clip highest") for name in ("cub", "zebra", "mnist")]
        assert places == sorted(places)


def test_names_sort_by_their_numbers():
    assert sorted(["few_shot_10", "few_shot_5", "linear"], key=natural) == ["linear", "few_shot_5", "few_shot_10"]


def test_an_axis_says_where_less_is_better(make_record):
    def drawn(metric):
        (figure,) = figures_of(make_record(cells=(cell("clip", "cub", 60.0).model_copy(update={"metric": metric}),)))
        return figure.svg

    assert ">%, lower is better<" in drawn("attack_success")
    assert "lower is better" not in drawn("accuracy")


def test_probes_that_share_a_figure_stand_in_it_and_the_baseline_has_a_line(make_record):
    parts = [
        cell(role, dataset, mean, probe, probe)
        for dataset, probe in (("analogies_semantic", "word_analogies"), ("wordsim353", "word_pairs"))
        for role, mean in (("clip", 20.0), ("free_words", 40.0))
    ]
    (figure,) = figures_of(make_record(cells=tuple(parts)))
    assert (figure.name, figure.probes) == ("words", ("word_analogies", "word_pairs"))
    assert figure.title.endswith("(as Devillers et al. 2021, Fig. 10)")
    assert "no encoder: the baseline" in figure.svg
    without = tuple(part for part in parts if part.models != ("free_words",))
    lines = [
        len(re.findall(r'<g id="line2d_', each.svg)) for each in (figure, figures_of(make_record(cells=without))[0])
    ]
    assert lines[0] > lines[1]


def test_a_figures_file_stays_in_its_folder(make_record):
    assert file_name(make_record(label="../x"), "../y") == "_x-_y.svg"


def test_a_bar_has_the_kind_of_its_role_or_the_one_that_the_record_states(make_record):
    record = make_record()
    bound = record.lineup.models[0].model_copy(update={"role": "mine", "kind": "language"})
    cells = tuple(cell(model, "cub", 60.0) for model in ("mine", "clip_t", "bit_m_seed1", "random", "unheard_of"))
    kinds = {"mine": "language", "clip_t": "text", "bit_m_seed1": "labels", "random": "untrained"}
    stated = stated_kinds(record.model_copy(update={"lineup": lineup_with(record, bound)}))
    drawn = panels(cells, NOBODY, stated)["cub"]
    assert {str(bar.models): bar.kind for bar in drawn} == {**kinds, "unheard_of": "unstated"}
    assert [bar.kind for bar in drawn] == ["labels", "language", "unstated", "text", "untrained"]
    assert {bar.kind for bar in panels(cells, NOBODY)["cub"] if str(bar.models) == "mine"} == {"unstated"}
    assert panels([cell(Roles("clip", "clip_t"), "cub", 60.0)], NOBODY)["cub"][0].kind == "joined"
