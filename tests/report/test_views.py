"""What a page shows of a record: claims in the catalogue's order, with their stand-ins and their verdicts."""

from mmbench.claims import CLAIMS
from mmbench.claims.families import cells_asked
from mmbench.records.schema import Binding, LineupPart, VerdictPart
from mmbench.report.figures import Figure
from mmbench.report.render import render_html, render_markdown
from mmbench.report.views import view_of

from ..made_records import verdict


def view(make_record, *parts, **changes):
    return view_of(make_record(verdicts=tuple(VerdictPart(**part) for part in parts), **changes))


def test_claims_come_in_the_catalogues_order_and_unknown_ones_last(make_record):
    first, second = [claim.id for claim in CLAIMS if not claim.made_up][:2]
    page = view(make_record, verdict("gone-1"), verdict(second), verdict(first))
    assert [claim.id for claim in page.claims] == [first, second, "gone-1"]
    assert page.claims[-1].says == "(no longer in the catalogue)"
    assert page.claims[0].anchor == f"claim-{first}"
    assert page.studies == sorted({first.split("-")[0], "gone"})


def test_printed_verdicts_come_first(make_record, known_claim):
    page = view(make_record, verdict(known_claim.id), verdict(known_claim.id, "refuted", evidence="published"))
    assert [v.evidence for v in page.claims[0].verdicts] == ["published", "measured"]
    assert page.counts == {"published": {"refuted": 1}, "measured": {"supported": 1}}


def test_a_claims_stand_ins_are_those_of_its_own_cells_and_only_where_it_was_measured(make_record, known_claim):
    asked = cells_asked(known_claim, "measured")[0]
    own = Binding(role=asked.dataset, spec="flags", stand_in_for="the thing")
    other = Binding(role="nobody_asks", spec="x", stand_in_for="y")
    lineup = LineupPart(name="made", datasets=(own, other))
    page = view(make_record, verdict(known_claim.id), lineup=lineup)
    assert page.claims[0].stand_ins == (own,)
    assert page.stand_ins == (own, other)
    assert view(make_record, verdict(known_claim.id, "unmeasured"), lineup=lineup).claims[0].stand_ins == ()


def test_credits_are_listed_once(make_record):
    twice = tuple(Binding(role=role, spec=role, credit="A. Uthor, CC BY") for role in ("a", "b"))
    assert view(make_record, lineup=LineupPart(name="made", models=twice)).credits == ("A. Uthor, CC BY",)


def test_disagreements_name_the_pages_claims(make_record, known_claim):
    found = [claims for _, claims in view(make_record, verdict(known_claim.id)).disagreements if claims]
    assert found
    assert {claim.id for claims in found for claim in claims} == {known_claim.id}


def test_a_figure_has_the_claims_beside_it_that_rest_on_its_cells_alone(make_record):
    similarity, analogies = "devillers2021-wordsim-no-family-difference", "devillers2021-analogy-no-trend"
    of_both, of_others = "devillers2021-skipgram-baseline-best", "devillers2021-corr-visual-wordsim"
    page = view(make_record, *(verdict(name) for name in (similarity, analogies, of_both, of_others)))
    figure = Figure("words", "title", "alt", "<svg></svg>", probes=("word_analogies", "word_pairs"))
    assert {claim.id for claim in page.beside(figure)} == {similarity, analogies, of_both}
    assert page.beside(Figure("tasks", "title", "alt", "<svg></svg>")) == []
    for text in (render_html(page.record, (figure,)), render_markdown(page.record, (figure,))):
        beside = text.split("<svg" if "<svg" in text else "![alt]")[1]
        assert CLAIMS.get(similarity).says in beside.split("Who plays" if "Who plays" in beside else "</figure>")[0]
