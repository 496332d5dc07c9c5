"""Every registered claim: well-formed, placed, over known roles and datasets, and how much a small lineup can show."""

import re
import subprocess
import sys
from itertools import pairwise

import pytest

from mmbench.claims import CLAIMS
from mmbench.claims.ledger import DISAGREEMENTS
from mmbench.conditions import cells_of
from mmbench.lineups import DATASET_ROLES, MODEL_ROLES
from mmbench.protocol import Roles

# Sentences of each study that are registered at least.
STUDIES = {"devillers2021": 49, "bielawski2022": 49, "cyclegan2022": 6, "hu2022": 4, "clip2021": 40, "matched2026": 15}
# Cells of a printed form without a number: the thesis quotes no earlier result on tweets.
NOT_PRINTED = {"bielawski2022-new-sota": {"printed[best earlier bimodal, mvsa]"}}
EMBEDDED = {"rn50", "bit_m", "clip", "clip_t", "bert_base"}
CATALOGUE = [claim for claim in CLAIMS if not claim.made_up]


def probed(node):
    return [cell for cell in cells_of(node) if not cell.protocol.printed_only]


@pytest.mark.parametrize("study", STUDIES)
def test_the_whole_study_is_there(study):
    sentences = [claim for claim in CATALOGUE if claim.study == study and not claim.part_of]
    assert len(sentences) >= STUDIES[study]


@pytest.mark.parametrize("claim", CATALOGUE, ids=lambda claim: claim.id)
class TestEachClaim:
    def test_id_place_and_sentence(self, claim):
        assert re.fullmatch(r"[a-z]+\d{4}(-[a-z0-9]+)+", claim.id)
        assert claim.where.study == claim.id.split("-")[0]
        assert claim.where.section
        assert 20 < len(claim.says) < 300
        assert claim.says.endswith(".")

    def test_it_can_be_asked_or_says_what_it_waits_for(self, claim):
        assert claim.published or claim.measurable or claim.waits_for
        assert claim.expect is not None or (claim.waits_for and not claim.published)

    def test_roles_and_datasets_are_known(self, claim):
        models = {*map(Roles.of, claim.models)}
        unknown = [dataset for dataset in claim.datasets if dataset not in DATASET_ROLES]
        assert unknown == [] or claim.waits_for  # what a claim waits for may be a dataset
        assert all(role in MODEL_ROLES for roles in models for role in roles)
        if claim.expect is not None:
            for evidence in ("published", "measured"):
                cells = probed(claim.condition(evidence))
                assert all(role in MODEL_ROLES for cell in cells for role in cell.models)
                if models:  # a claim may name groups alone
                    named = models | {Roles(role) for roles in models for role in roles}
                    assert {cell.models for cell in cells} <= named
                assert {cell.dataset for cell in cells} <= {*claim.datasets}
                assert {cell.protocol for cell in cells} <= {*claim.protocols}

    def test_no_condition_is_empty(self, claim):
        if claim.expect is not None:
            for evidence in ("published", "measured"):
                leaves = list(claim.condition(evidence).leaves())
                assert leaves
                assert all(cells_of(leaf) for leaf in leaves)

    def test_print_covers_every_cell_it_is_judged_on(self, claim):
        if claim.published:
            absent = {str(cell) for cell in cells_of(claim.condition("published")) if cell not in claim.printed()}
            assert absent == NOT_PRINTED.get(claim.id, set())

    def test_two_tables_never_print_one_cell_differently(self, claim):
        for one, other in pairwise(claim.published):
            assert all(other.cells[cell] == one.cells[cell] for cell in {*one.cells} & {*other.cells})

    def test_it_says_itself(self, claim):
        if claim.expect is not None:
            assert "Extreme(" not in claim.expect.words()
            assert "Linear(" not in claim.expect.words()

    def test_a_part_names_a_sentence_and_says_that_it_is_one(self, claim):
        if claim.part_of:
            assert not CLAIMS.get(claim.part_of).part_of
            assert claim.study == CLAIMS.get(claim.part_of).study
            assert "a weaker part of the sentence" in claim.ours


def test_ids_and_sentences_are_unique():
    assert len({claim.id for claim in CATALOGUE}) == len(CATALOGUE)
    assert len({claim.says for claim in CATALOGUE}) == len(CATALOGUE)


def test_what_is_predicted_and_what_is_cited():
    assert sum(claim.status == "predicted" for claim in CATALOGUE) >= 7
    assert sum(claim.status == "cited" for claim in CATALOGUE) >= 9


def test_forty_claims_are_within_reach_of_five_models():
    """No other role than those of the embedded lineup: at least thirty claims can be measured there."""

    def within(claim):
        return claim.measurable and all({*cell.models} <= EMBEDDED for cell in cells_of(claim.condition("measured")))

    reached = [claim for claim in CATALOGUE if within(claim)]
    assert len(reached) >= 40
    assert {claim.study for claim in reached} >= {"devillers2021", "bielawski2022"}


def test_the_36_differences_between_texts_reach_their_claims():
    registered = {claim.id for claim in CATALOGUE}
    for entry in DISAGREEMENTS:
        for name in registered & {*entry.claims}:
            assert str(entry) in CLAIMS.get(name).disagreements
    assert len(DISAGREEMENTS) == 36
    assert sum(bool(registered & {*entry.claims}) for entry in DISAGREEMENTS) == 31


def test_reading_the_claims_loads_no_heavy_library():
    code = (
        "import sys; from mmbench.claims import CLAIMS; len(CLAIMS);"
        "[c.condition('measured') for c in CLAIMS if c.expect];"
        "heavy = {'torch', 'sklearn', 'scipy', 'timm', 'transformers', 'matplotlib', 'PIL'} & set(sys.modules);"
        "print(sorted(heavy)); print(len([m for m in sys.modules if m.startswith('mmbench')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy, own = done.stdout.splitlines()
    assert heavy == "[]"
    assert int(own) < 240  # of more than 470 modules of mmbench
