"""Pages: what they say, that they escape what they quote, and that the committed ones are those of the records."""

import re
from html import escape as html_escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.claims.ledger import DISAGREEMENTS
from mmbench.datasets.specs import resolve
from mmbench.errors import NotEnoughShots
from mmbench.inputs.labelled import Labelled
from mmbench.probes.entry import PROBES
from mmbench.protocol import PrototypeSettings, Roles
from mmbench.records.comparing import adjusted
from mmbench.records.schema import Binding, LineupPart, VerdictPart, read_record
from mmbench.report.exhibits import floors_of, stated_kinds
from mmbench.report.figures import figures_of, panels
from mmbench.report.latex import escape_latex, render_latex
from mmbench.report.pages import write_pages, write_run
from mmbench.report.render import escape_markdown, number, p_value, render_html, render_markdown
from mmbench.report.summary import summary_lines

from ..made_records import EVIL, cell, verdict

EVIL_CLASS = "</td><script>alert(1)</script>"
REPORTS = Path(__file__).parents[2] / "reports"
RUNS = sorted((REPORTS / "runs").rglob("[0-9]*.json"))


class Reader(HTMLParser):
    """Collects elements, attributes and text; the page's own script and style apart."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.text.append(data)


def test_markdown_says_what_the_record_holds(make_record):
    page = render_markdown(make_record())
    assert "| measured, lineup made | 1 | 0 | 0 | 0 |" in page
    assert "2 roles are played by stand-ins" in page
    assert "| cub | flags | CUB | flags | 500 | 10.0 % | few\\_shot\\_5 20.0 |" in page
    assert "OpenMoji, CC BY-SA 4.0" in page
    assert "margin +4.00 [+1.00, +7.00]; p 0.010 for, 0.99 against" in page


def test_a_claim_is_shown_with_all_that_qualifies_it(make_record, known_claim):
    parts = [
        verdict(known_claim.id, "refuted", evidence="published", reason="the table says otherwise"),
        verdict(known_claim.id, "supported", other_reading={"outcome": "inconclusive", "estimate": 0.5}),
    ]
    record = make_record(verdicts=tuple(VerdictPart(**part) for part in adjusted(parts)))
    for page in (render_markdown(record), " ".join(Reader(render_html(record)).text)):
        said = re.sub(r"\\(.)", r"\1", page)
        assert known_claim.says in said
        assert str(known_claim.where) in said
        assert "the table says otherwise" in said
        assert "does not survive" in said
        assert "the document disagrees with itself" in said


def test_both_pages_show_the_rows_that_a_verdict_rests_on(make_record):
    rows = [
        {"protocol": "few_shot_5", "dataset": "cub", "model": "clip", "mean": 61.25, "spread": 1.5, "trials": 10},
        {"protocol": "few_shot_5", "dataset": "mnist", "model": "clip", "mean": 90.0, "spread": None, "trials": 1},
        {"protocol": "few_shot_5", "dataset": "cub", "model": "rn50", "mean": 50.0, "spread": 0.25, "trials": 10},
    ]
    parts = (VerdictPart(**verdict(details={"rows": rows, "binding": "clip - rn50 (few_shot_5, cub)"})),)
    record = make_record(verdicts=parts)
    page = re.sub(r"\\(.)", r"\1", render_markdown(record))
    assert "\n- few_shot_5 on cub: clip 61.2 ± 1.50, rn50 50.0 ± 0.250\n" in page
    assert "\n- few_shot_5 on mnist: clip 90.0\n" in page
    assert "Decided by: clip - rn50 (few_shot_5, cub)\n" in page
    assert "few_shot_5 cub rn50 50.0 0.250 10" in " ".join(" ".join(Reader(render_html(record)).text).split())


def test_both_pages_list_every_disagreement_with_the_claims_that_it_touches(make_record, known_claim):
    record = make_record(verdicts=(VerdictPart(**verdict(known_claim.id)),))
    markdown = re.sub(r"\\(.)", r"\1", render_markdown(record))
    page = render_html(record)
    html = " ".join(Reader(page).text)
    for entry in DISAGREEMENTS:
        said = f"{entry.where}: {entry.what}"
        assert html_escape(said, quote=False) in markdown
        assert said in html
    touching = sum(known_claim.id in entry.claims for entry in DISAGREEMENTS)
    assert markdown.count(f"[{known_claim.id}](#claim-{known_claim.id})") == touching > 0
    assert page.count(f'<a href="#claim-{known_claim.id}">') == touching


def test_html_is_one_file_with_filters(make_record):
    page = render_html(make_record(), figures_of(make_record()))
    reader = Reader(page)
    assert not {"link", "img", "iframe"} & set(reader.tags)
    assert reader.tags.count("script") == 1
    assert {"src", "onclick", "onload"}.isdisjoint(reader.attributes)
    for name in ("study", "evidence", "outcome", "measurable"):
        assert f'<select name="{name}">' in page
    assert 'data-measured="supported"' in page
    assert not re.search(r"""(href|src)=["']https?:""", page)


def evil_record(make_record):
    binding = Binding(role=EVIL, spec=EVIL, stand_in_for=EVIL, note=EVIL, credit=EVIL)
    details = {"missing": [EVIL], "settle": EVIL, "note": EVIL, "binding": EVIL, "rows": [], "parts": []}
    part = verdict(f"devillers2021-{EVIL}", reason=EVIL, details=details)
    return make_record(
        lineup=LineupPart(name=EVIL, note=EVIL, models=(binding,), datasets=(binding,), changed=(EVIL,)),
        cells=(cell(EVIL, "cub", 60.0), cell("clip", EVIL, 50.0)),
        verdicts=tuple(VerdictPart(**p) for p in adjusted([part])),
        label=EVIL,
        machine=make_record().machine.model_dump() | {"cpu": EVIL},
        versions={EVIL: EVIL},
    )


def test_html_escapes_what_it_quotes(make_record):
    record = evil_record(make_record)
    reader = Reader(render_html(record, figures_of(record)))
    assert reader.tags.count("script") == 1
    assert any("alert('x')" in text for text in reader.text)


def test_markdown_escapes_what_it_quotes(make_record):
    record = evil_record(make_record)
    page = render_markdown(record, figures_of(record))
    assert "<script" not in page
    assert "\n# head" not in page
    assert "[y](javascript" not in page


@given(st.text(max_size=40))
def test_escaped_markdown_is_one_line_without_markup(text):
    escaped = escape_markdown(text)
    assert not set("\n\r<>") & set(escaped)
    assert not re.search(r"(?<!\\)(\\\\)*[|`*\[\]]", escaped)


def test_latex_escapes_what_it_quotes(make_record):
    assert escape_latex(r"50 % of_a\b & {c} $d$ #1 ~^") == (
        r"50 \% of\_a\textbackslash{}b \& \{c\} \$d\$ \#1 \textasciitilde{}\textasciicircum{}"
    )
    assert r"\begin{longtable}" in render_latex(evil_record(make_record))


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
    for words in ("few shots", "clustering", "from light to dark: few_shot_5, few_shot_10<"):
        assert words in drawn
    assert "one constant answer" not in drawn  # it differs from dataset to dataset
    assert "few shots: clip highest; clustering: clip highest" in figures["tasks"].alt
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
    drawn = panels(cells)
    (bar,) = drawn["mean of 2 datasets"]
    assert (str(bar.models), bar.mean) == ("clip", 75.0)
    assert bar.high - bar.mean == pytest.approx((2**2 + 2**2) ** 0.5 / 2)  # by hand: independent datasets


def test_a_bar_has_the_kind_of_its_role_or_the_one_that_the_record_states(make_record):
    record = make_record()
    bound = record.lineup.models[0].model_copy(update={"role": "mine", "kind": "language"})
    cells = tuple(cell(model, "cub", 60.0) for model in ("mine", "clip_t", "bit_m_seed1", "random", "unheard_of"))
    kinds = {"mine": "language", "clip_t": "text", "bit_m_seed1": "labels", "random": "untrained"}
    drawn = panels(cells, stated_kinds(record.model_copy(update={"lineup": lineup_with(record, bound)})))["cub"]
    assert {str(bar.models): bar.kind for bar in drawn} == {**kinds, "unheard_of": "unstated"}
    assert [bar.kind for bar in drawn] == ["labels", "language", "unstated", "text", "untrained"]
    assert {bar.kind for bar in panels(cells)["cub"] if str(bar.models) == "mine"} == {"unstated"}
    assert panels([cell(Roles("clip", "clip_t"), "cub", 60.0)])["cub"][0].kind == "joined"


def lineup_with(record, bound):
    return record.lineup.model_copy(update={"models": (*record.lineup.models, bound)})


def test_an_untrained_role_of_the_lineups_own_is_a_floor(make_record):
    record = make_record()
    bound = record.lineup.models[0].model_copy(update={"role": "mine", "kind": "untrained"})
    changed = record.model_copy(
        update={"lineup": lineup_with(record, bound), "cells": (cell("mine", "cub", 5.0), cell("clip", "cub", 60.0))}
    )
    floors = {floor.binding.role: floor for floor in floors_of(changed)}
    assert [mean for _, mean in floors["cub"].untrained] == [5.0]


def test_no_mean_over_metrics_of_different_units():
    other = cell("clip", "plotster", 0.6).model_copy(update={"metric": "f1_samples", "unit": ""})
    assert set(panels([cell("clip", "cub", 60.0), other])) == {"cub", "plotster"}


def test_pages_of_an_evil_label_stay_in_their_folder(make_record, tmp_path):
    written = write_run(make_record(label="../../x/.." + EVIL), tmp_path / "out")
    assert all(path.resolve().is_relative_to(tmp_path / "out") for path in written)


def test_pages_and_record_of_a_run(make_record, tmp_path):
    written = write_run(make_record(), tmp_path / ".mmbench")
    assert [path.suffix for path in written] == [".json", ".md", ".html"]
    assert all(path.is_file() for path in written)
    assert (tmp_path / ".mmbench" / ".gitignore").read_text() == "*\n"
    (link,) = re.findall(r"\]\((figures/[^)]+)\)", written[1].read_text())
    assert (written[1].parent / link).is_file()


def test_summary_counts_and_names_the_refuted(make_record):
    parts = [verdict("a-1"), verdict("a-2", "refuted", standing="as recorded"), verdict("a-3", standing="changed")]
    record = make_record(verdicts=tuple(VerdictPart(**part) for part in parts))
    text = "\n".join(line for line, _ in summary_lines(record))
    assert re.search(r"measured, lineup made +2 +1 +0 +0", text)
    assert "refuted (1 of 1 as recorded" in text
    assert "changed verdicts, to be looked at:\n  supported    measured  a-3" in text
    assert "stand-in upholds no paper" in text


@pytest.mark.parametrize(
    ("encoded", "twice", "said", "markup"),
    [
        (76, 0, ", 76 items encoded, none of them twice, ", ()),
        (76, 3, ", 76 items encoded, 3 of them twice, ", ("red", "bold")),
        (76, None, ", 76 items encoded, 12", ()),  # a record of before
        (0, 0, ", 0 items encoded, 12", ()),
    ],
)
def test_summary_tells_what_was_encoded_twice(make_record, encoded, twice, said, markup):
    lines = summary_lines(make_record(encoded=encoded, encoded_twice=twice))
    ((text, found),) = [line for line in lines if "items encoded" in line[0]]
    assert said in text
    assert found == markup


def test_summary_tells_once_what_to_fetch(make_record, tmp_path, monkeypatch):
    """Files of roles that are here, and of runs without unmeasured claims, are not asked for."""
    monkeypatch.setenv("MMBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.delenv("MMBENCH_DATA", raising=False)
    (tmp_path / "here.pth").write_bytes(b"weights")
    models = {"clip": "timm:resnet18@here.pth", "bit_m": "timm:resnet18@gone.pth", "rn50": "timm:resnet18@gone.pth"}
    posters = {f"plotster{end}": "table:$MMBENCH_DATA/posters.csv?text=title&label=genre" for end in ("", "_a", "_b")}
    lineup = LineupPart(
        name="made",
        models=tuple(Binding(role=role, spec=spec) for role, spec in models.items()),
        datasets=tuple(Binding(role=role, spec=spec) for role, spec in posters.items()),
    )
    parts = [VerdictPart(**verdict(f"a-{number}", "unmeasured")) for number in range(3)]
    lines = [line for line, _ in summary_lines(make_record(lineup=lineup, verdicts=tuple(parts)))]
    start = lines.index("not on this machine, so that claims stay unmeasured (3 in all):")
    assert "from -> to" in lines[start + 1]
    assert re.fullmatch(rf"  model +unknown  bit_m, rn50 +timm resnet18 -> {tmp_path}/gone\.pth", lines[start + 2])
    assert re.fullmatch(
        r"  dataset +unknown  plotster and 2 more +your own .* -> \$MMBENCH_DATA/posters\.csv", lines[start + 3]
    )
    assert lines[start + 4] == "  MMBENCH_DATA is not set; mmbench lineup made tells more of each"
    assert not any("clip" in line for line in lines)
    measured = make_record(lineup=lineup, verdicts=(VerdictPart(**verdict()),))
    assert not any("not on this machine" in line for line, _ in summary_lines(measured))


def test_a_class_name_with_a_script_tag_stays_text(make_record, tmp_path):
    """The whole way: a table's class name, into an error that names the class, into the pages of a run."""
    rows = [f'test,word,"{EVIL_CLASS}"', "test,other,plain", "train,a,plain", f'train,b,"{EVIL_CLASS}"']
    (tmp_path / "t.csv").write_text("split,text,label\n" + "\n".join(rows) + "\n")
    dataset = resolve(f"table:{tmp_path / 't.csv'}?text=text&label=label").load()
    assert EVIL_CLASS in dataset.classes
    labels = dataset.split("train").labels
    arrays = Labelled(np.eye(2, dtype=np.float32), labels, np.eye(2, dtype=np.float32), labels, dataset.classes)
    with pytest.raises(NotEnoughShots) as caught:
        PROBES.get("prototypes").run(arrays, [PrototypeSettings(shots=5)], trials=2, seed=0, device="cpu")
    said = str(caught.value)
    assert "<script>" in said
    details = {"missing": [said], "settle": "", "note": said, "binding": "", "rows": [], "parts": []}
    part = verdict("devillers2021-made-up", "unmeasured", explanation=said, reason=said, details=details)
    record = make_record(verdicts=tuple(VerdictPart(**p) for p in adjusted([part])))
    page = render_html(record, figures_of(record))
    assert Reader(page).tags.count("script") == 1  # our own
    assert "alert(1)" in page
    assert "<script" not in render_markdown(record, figures_of(record))


@pytest.mark.parametrize(
    ("value", "said"), [(None, "—"), (63.07, "63.1"), (0.612, "0.612"), (-1.234, "-1.23"), (0.0, "0.000")]
)
def test_numbers_are_printed_as_papers_do(value, said):
    assert number(value) == said


@pytest.mark.parametrize(("p", "said"), [(None, "—"), (0.0004, "< 0.001"), (0.0123, "0.012"), (0.5, "0.50")])
def test_p_values(p, said):
    assert p_value(p) == said


def without_drawings(page):
    """The page without its SVG figures, which another version of matplotlib draws otherwise."""
    return re.sub(r"<svg (?!class=\"bar).*?</svg>", "<svg/>", page, flags=re.DOTALL)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_the_committed_pages_are_those_of_their_record(path, tmp_path):
    """Rendering the newest committed record of a label again gives the committed pages: they cannot drift."""
    record = read_record(path)
    newest = max((p for p in RUNS if p.stem[5:] == path.stem[5:]), key=lambda p: (read_record(p).started, p.stem))
    if path != newest:
        return  # an older record stays readable, which reading it has just shown
    for page in write_pages(record, tmp_path):
        committed = REPORTS / page.name
        assert without_drawings(page.read_text()) == without_drawings(committed.read_text())
