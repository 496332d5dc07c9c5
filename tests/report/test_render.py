"""Pages: what they say, and that they escape what they quote."""

import re
from html import escape as html_escape
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.claims.ledger import DISAGREEMENTS
from mmbench.datasets.specs import resolve
from mmbench.errors import NotEnoughShots
from mmbench.inputs.labelled import Labelled
from mmbench.probes.entry import PROBES
from mmbench.probes.prototypes import PrototypeSettings
from mmbench.records.schema import VerdictPart
from mmbench.records.verdicts import adjusted
from mmbench.report.figures import figures_of
from mmbench.report.render import escape_markdown, number, p_value, render_html, render_markdown

from ..made_records import evil_record, verdict

EVIL_CLASS = "</td><script>alert(1)</script>"


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
    assert "| measured, lineup made | 1 | 0 | 0 | 0 | 0 |" in page
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
        assert "whether the verdict is the same is open" in said
        assert "the document disagrees with itself" in said


def row(**fields):
    return {"protocol": "few_shot_5", "fingerprint": "few_shot_5-print"} | fields


def test_both_pages_show_the_rows_that_a_verdict_rests_on(make_record):
    rows = [
        row(dataset="cub", models=["clip"], mean=61.25, spread=1.5, trials=10),
        row(dataset="mnist", models=["clip"], mean=90.0, trials=1),
        row(dataset="cub", models=["rn50"], mean=50.0, spread=0.25, trials=10),
    ]
    parts = (VerdictPart(**verdict(rows=rows, binding="clip - rn50 (few_shot_5, cub)")),)
    record = make_record(verdicts=parts)
    page = re.sub(r"\\(.)", r"\1", render_markdown(record))
    assert "\n- few_shot_5 on cub (played by: flags): clip 61.2 ± 1.50, rn50 50.0 ± 0.250\n" in page
    assert "\n- few_shot_5 on mnist: clip 90.0\n" in page
    assert "Decided by: clip - rn50 (few_shot_5, cub)\n" in page
    text = " ".join(" ".join(Reader(render_html(record)).text).split())
    assert "few_shot_5 cub (played by: flags) rn50 50.0 0.250 10" in text
    assert "few_shot_5 mnist clip (played by: zoo:clip) 90.0 — 1" in text


def both_pages(make_record, *parts):
    record = make_record(verdicts=tuple(VerdictPart(**part) for part in parts))
    markdown = re.sub(r"\\(.)", r"\1", render_markdown(record)).replace("&lt;", "<")
    return markdown, " ".join(" ".join(Reader(render_html(record)).text).split()), render_html(record)


def test_both_pages_show_the_unit_of_a_margin_and_say_what_it_means(make_record):
    markdown, text, _ = both_pages(make_record, verdict("devillers2021-a", unit="points"))
    assert "supported +4.00 points [+1.00, +7.00]" in markdown
    assert "margin +4.00 points [+1.00, +7.00]" in markdown
    assert "supported +4.00 points [+1.00, +7.00]" in text
    for page in (markdown, text):
        assert "Points are percentage points, r and rho correlations, places those of a mean rank;" in page


def test_both_pages_show_signs_in_a_column_of_their_own(make_record):
    sign = verdict(
        "devillers2021-a", evidence="published", point=True, p_support=None, p_refute=None, low=None, high=None
    )
    markdown, text, html = both_pages(make_record, sign, verdict("devillers2021-b", evidence="published"))
    assert "| judged on | supported | refuted | point | inconclusive | unmeasured |" in markdown
    assert "| published tables | 1 | 0 | 1 | 0 | 0 |" in markdown
    assert "| no number is printed | supported +4.00 | — |" in markdown
    assert "| supported +4.00 [+1.00, +7.00] | — | — |" in markdown
    assert "published: supported**, sign only, no test, margin +4.00." in markdown
    assert "published tables 1 0 1 0 0" in text
    assert 'data-published="point"' in html
    assert text.count("supported sign only, no test +4.00") == 1  # in one column only
    for page in (markdown, text):
        assert "Point: no test. Printed numbers without spread decide it by the sign" in page
        assert "Supported: a test puts the one-sided 95 % bound of the margin on the claim's side." in page


def test_both_pages_show_what_qualifies_a_verdict(make_record):
    about = {"networks": "these networks", "examples": "219 drawings", "training": "fresh training pools"}
    marked = {
        "uninformative": "neither side is better than chance",
        "at_chance": 1,
        "parts": [{"label": "x", "outcome": "supported"}],
    }
    part = verdict("devillers2021-a", about=about, holm_support=0.2, holm_refute=1.0, **marked)
    markdown, text, _ = both_pages(make_record, part)
    said = "about these networks, 219 drawings, fresh training pools"
    assert f"| supported, UNINFORMATIVE, not after Holm +4.00 [+1.00, +7.00] {said}; Holm p 0.20 |" in markdown
    for page in (markdown, text):
        assert page.count(said) == 2  # in the table of claims, and at the claim
        assert "UNINFORMATIVE: neither side is better than chance in the comparison that decides" in page
        assert "uninformative comparisons: 1 of 1" in page
        assert "1 verdict is a test, at 5 % a side without adjustment: 1 decided, of which at most 0.1" in page
        assert "1 verdict is uninformative (1 decided): neither side" in page


@pytest.mark.parametrize(
    ("code", "test", "said"),
    [
        ("refuted", None, "refuted; the verdict is the opposite."),
        ("unmeasured", None, "unmeasured; the two are not comparable, since one is unmeasured."),
        (
            "supported",
            {"untested": "a correlation decides"},
            "supported; the verdict is the same. The difference is not tested: a correlation decides.",
        ),
        (
            "inconclusive",
            {"difference": 0.5, "low": -1.0, "high": 2.0, "p": 0.5, "elsewhere": True},
            "inconclusive; whether the verdict is the same is open. The paper's deciding margin is not shown to "
            "differ there: by +0.5 [-1, +2] (95 %, paired), p 0.50; under the code another comparison decides.",
        ),
    ],
)
def test_both_pages_say_how_readings_stand_to_each_other(make_record, code, test, said):
    part = verdict("devillers2021-a", other_reading={"outcome": code}, readings=test)
    for page in both_pages(make_record, part)[:2]:
        assert f"Under the authors' code instead of the paper's text: {said}" in page
        assert "survive" not in page


def test_printed_numbers_are_not_called_a_stand_ins(make_record):
    rows = [row(dataset="cub", models=["clip"], mean=61.25)]
    record = make_record(verdicts=(VerdictPart(**verdict(evidence="published", rows=rows)),))
    assert "\n- few_shot_5 on cub: clip 61.2\n" in re.sub(r"\\(.)", r"\1", render_markdown(record))
    assert "few_shot_5 cub clip 61.2" in " ".join(" ".join(Reader(render_html(record)).text).split())


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
    part = verdict("devillers2021-made-up", "unmeasured", reason=said, missing=[said], note=said)
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
