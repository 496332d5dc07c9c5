"""Figures 7, 8, 9a and 9b: which models, what t-SNE sees, claims beside, and matrices of the record's own features."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from mmbench.inputs.pair import Pair, Side
from mmbench.probes.rdm import RSA, rdm
from mmbench.records.schema import BadRecord, Binding, CellPart, LineupPart, VerdictPart
from mmbench.report import matrices, similarity
from mmbench.report.exhibits import stated_kinds
from mmbench.report.pages import write_pages
from mmbench.report.render import render_html, render_markdown
from mmbench.report.similarity import TSNE, claims_beside, compared, complete, embedded, similarity_figures

from ..made_records import verdict

ROLES = ("rn50", "sin", "clip", "bert", "gpt2", "ar_l2")
STARRED = Binding(role="clip", spec="zoo:clip", stand_in_for="CLIP")


def pair(one, other, r=0.5, **rest):
    return CellPart(
        protocol="rsa", probe="rdm", fingerprint=RSA.fingerprint(), reading="paper", models=(one, other),
        dataset="imagenet", metric="rdm_pearson", trials=(r,), mean=r, chance=0.0, examples=100, **rest,
    )  # fmt: skip


def r_of(one, other):
    return 0.9 if {one, other} <= {"rn50", "sin", "ar_l2"} or {one, other} == {"bert", "gpt2"} else 0.2


@pytest.fixture
def record(make_record):
    cells = tuple(pair(a, b, r_of(a, b), made_of={"features": f"{a}-{b}"}) for a, b in itertools.combinations(ROLES, 2))
    parts = [
        verdict("devillers2021-rsa-vision-compact", "refuted"),
        verdict("devillers2021-rsa-vision-compact-by-cka", "inconclusive"),
        verdict("devillers2021-rsa-distance-order"),
    ]
    return make_record(
        cells=(*cells, pair("rn50", "bit_s", 0.7)),  # bit_s is compared with one model only
        verdicts=tuple(VerdictPart(**part) for part in parts),
        lineup=LineupPart(name="made", models=(STARRED,)),
    )


def test_models_are_those_compared_all_with_all_in_the_papers_order(record, make_record):
    found = compared(record, stated_kinds(record))
    assert found.roles == ("bert", "gpt2", "clip", "rn50", "sin", "ar_l2")
    assert found.labels[2] == "clip*"
    assert found.matrix[0, 1] == 0.9
    np.testing.assert_array_equal(found.matrix, found.matrix.T)
    cells = tuple(cell for cell in record.cells if not {"bert", "sin"} & {*cell.models})
    few = make_record(cells=cells)
    assert compared(few, {}) is None
    assert similarity_figures(few) == ()


def test_a_model_that_lacks_a_pair_is_left_out():
    pairs = {frozenset(both) for both in itertools.combinations("abcd", 2)} - {frozenset("ad"), frozenset("bd")}
    assert complete(pairs) == ("a", "b", "c")


def test_tsne_of_one_minus_r_is_that_of_the_matrices_with_the_metric_correlation():
    """What the authors gave scikit-learn are rows, each a condensed matrix of one model."""
    from sklearn.manifold import TSNE as Embedding

    rows = np.random.default_rng(0).random((8, 300))
    np.testing.assert_allclose(
        embedded(squareform(pdist(rows, "correlation"))),
        Embedding(2, metric="correlation", **TSNE).fit_transform(rows),
        atol=1e-3,
    )


def test_the_three_figures_name_stand_ins_seed_and_claims(record):
    correlations, tree, tsne = similarity_figures(record)
    assert [figure.name for figure in (correlations, tree, tsne)] == ["rsa-correlations", "rsa-dendrogram", "rsa-tsne"]
    for figure in (correlations, tree, tsne):
        assert figure.svg.startswith("<svg")
        assert "clip*" in figure.svg
        assert "played by a stand-in" in figure.note
        assert "bit_s" not in figure.svg
    assert "0.90" in correlations.svg
    assert "seed 0" in tsne.note
    assert correlations.claims == ("devillers2021-rsa-distance-order",)
    assert tree.claims == ("devillers2021-rsa-distance-order", "devillers2021-rsa-vision-compact")
    assert similarity_figures(record)[2].svg == tsne.svg  # seeded


def test_claims_stand_beside_by_the_papers_numbers_of_figures(record):
    assert claims_beside(record, "9b") == ()
    assert similarity._figures("Fig. 8, 9a") == {"8", "8a", "8b", "9a"}
    assert {"9", "9a", "9b"} <= similarity._figures("Fig. 9")
    assert similarity._figures("Table 3") == set()


def test_without_scikit_learn_the_figure_says_so(record, monkeypatch):
    monkeypatch.setattr(similarity, "embedded", lambda distances: None)
    assert "it needs scikit-learn" in similarity_figures(record)[2].svg


def test_the_pages_show_them_with_what_the_other_measure_found(record, tmp_path):
    write_pages(record, tmp_path)
    assert len(list((tmp_path / "figures").glob("*-rsa-*.svg"))) == 3
    figures = similarity_figures(record)
    page, html = render_markdown(record, figures), render_html(record, figures)
    other = "devillers2021-rsa-vision-compact-by-cka"
    assert f"- by another measure ([{other}](#claim-{other})): inconclusive, margin +4 \\[+1, +7\\]" in page
    assert "the sentence of devillers2021-rsa-vision-compact by another measure" in page
    assert "by another measure" in html
    assert 'href="#claim-devillers2021-rsa-vision-compact-by-cka"' in html


# Figure 7


def gather(cell, digest=None):
    rng = np.random.default_rng(len("".join(cell.models)))
    return digest or "-".join(cell.models), rng.random((2, 7, 7)).astype(np.float32)


def test_matrices_are_drawn_from_the_records_features_and_shown(record, tmp_path):
    path = matrices.draw_matrices(record, gather, tmp_path)
    (figure,) = matrices.matrices_figure(record, tmp_path)
    assert figure.svg == path.read_text().strip()
    assert figure.svg.count("<image") == len(ROLES)
    assert "clip*" in figure.svg
    assert "played by a stand-in" in figure.note


def test_other_features_are_refused_and_a_figure_of_another_record_is_not_shown(record, tmp_path):
    with pytest.raises(BadRecord, match=r"expected the features that the record was made from, bert-gpt2, found other"):
        matrices.draw_matrices(record, lambda cell: gather(cell, "other"), tmp_path)
    assert matrices.matrices_figure(record, tmp_path) == ()
    matrices.draw_matrices(record, gather, tmp_path)
    cells = tuple(cell.model_copy(update={"made_of": {"features": "new"}}) for cell in record.cells)
    assert matrices.matrices_figure(record.model_copy(update={"cells": cells}), tmp_path) == ()


def test_too_few_models_are_refused(make_record, tmp_path):
    with pytest.raises(BadRecord, match="compares too few models with each other for figure 7"):
        matrices.draw_matrices(make_record(), gather, tmp_path)


def test_ranks_go_from_nearest_to_farthest_on_both_sides():
    labels = np.repeat(np.arange(4), 2)
    x = np.array([0, 1, 10, 11, 12, 13, 100, 101], np.float32)[:, None]
    both = rdm(Pair((Side("rn50", x, labels), Side("sin", x, labels)), tuple("abcd")), [RSA.settings], trials=1, seed=0)
    found = matrices.ranked(both[0][0, 0])
    assert (found == found.T).all()
    assert found[1, 2] == 0.0
    assert found[0, 3] == 1.0
