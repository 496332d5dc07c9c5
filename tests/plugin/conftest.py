"""A stage for the plugin's tests: claims and scores made up for one test, run by pytest inside the test."""

import hashlib
import importlib
import time

import numpy as np
import pytest

from mmbench.bench.bench import Bench
from mmbench.bench.costs import Cost
from mmbench.claims import CLAIMS, Claim, Place, Printed, Table
from mmbench.contract_checks import contract
from mmbench.datasets.entry import DatasetEntry
from mmbench.features.store import Store
from mmbench.forms import Above
from mmbench.lineups import DatasetBinding, Lineup, ModelBinding
from mmbench.models.entry import Identity, ModelEntry
from mmbench.probes.prototypes import FEW_SHOT
from mmbench.protocol import Cell
from mmbench.scores import Scores
from mmbench.session.run_session import RunSession

MODULE = """
import pytest
from mmbench.probes.prototypes import FEW_SHOT

pytestmark = pytest.mark.mmbench(FEW_SHOT, claims={claims!r})

def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)

def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
"""


class StagedBench:
    """A bench whose scores are drawn around planted accuracies instead of measured; counts what it was asked for."""

    device = "cpu"

    def __init__(self, accuracies):
        self.accuracies = accuracies
        self.asked, self.timed, self.costs, self.planned = [], [], [], []
        self.stored: set[Cell] = set()
        self.store = Store()
        entry = ModelEntry("staged", "image", 4, lambda: None, lambda: Identity("sha", "staged", "last"))
        models = {role: ModelBinding(role, f"staged:{role}") for role in accuracies}
        for binding in models.values():
            binding.__dict__["entry"] = entry
        self.lineup = Lineup("staged", "planted accuracies", models, {"cub": DatasetBinding("cub", "staged:cub")})
        data = DatasetEntry("staged", lambda: None, lambda: "sha", 10, credit="drawn by nobody")
        self.lineup.datasets["cub"].__dict__["entry"] = data
        self.source = self  # what identifies models and datasets

    def model(self, role):
        return self.lineup.model(role).entry

    def identity(self, model):
        return model.identity()

    def dataset_entry(self, role):
        return self.lineup.dataset(role).entry

    def plan(self, cells):
        self.planned += cells

    def close(self):
        """Nothing runs ahead here."""

    def expects(self, cell):
        return cell in self.planned

    def fresh(self, cell):
        return cell not in self.stored

    def scores(self, cell):
        self.lineup.model(str(cell.models))  # says who is missing
        self.asked.append(cell)
        self.costs.append(Cost("cell", str(cell), 0.25, cell not in self.stored))
        self.stored.add(cell)
        seed = int(hashlib.sha256(str(cell).encode()).hexdigest()[:8], 16)
        accuracy = self.accuracies[str(cell.models)]
        if isinstance(accuracy, Exception):
            raise accuracy
        made = {"seconds": 0.25, "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        outcomes = (np.random.default_rng(seed).random((10, 400)) < accuracy).astype(np.float32)
        return Scores(outcomes, "accuracy", "cub", 0.1, made)

    def probe(self, cell):
        self.timed.append(cell)


class Stage:
    """Registers claims and opens the staged bench instead of a real one."""

    def __init__(self, pytester, monkeypatch):
        self.pytester, self.monkeypatch = pytester, monkeypatch
        for name in ("CI", "BUILD_NUMBER"):  # with these pytest says failures in full a second time
            monkeypatch.delenv(name, raising=False)
        self.claims: list[str] = []
        self.bench = StagedBench({"clip": 0.5, "bit_m": 0.7, "rn50": 0.5})
        monkeypatch.setattr(Bench, "open", lambda *args, **options: self.bench)
        monkeypatch.setattr("mmbench.report.pages.write_pages", lambda record, folder: ())  # tested by themselves
        monkeypatch.setattr(RunSession, "probe_call", lambda run, cell: lambda: run.bench.probe(cell))

    def claim(self, name, form, published=None):
        """A claim over few-shot accuracy on cub; ``published`` are printed (mean, std over 10) by model."""
        tables = ()
        if published:
            cells = {Cell(FEW_SHOT, role, "cub"): Printed(mean, std, 10) for role, (mean, std) in published.items()}
            tables = (Table("Table 0", Place("staged"), cells),)
        entry = Claim(
            name,
            f"Staged: {name}",
            Place("staged", "0"),
            form,
            (FEW_SHOT,),
            ("cub",),
            ("clip", "bit_m", "rn50"),
            published=tables,
        )
        self.monkeypatch.setitem(CLAIMS._entries, name, entry)
        self.claims.append(name)
        return entry

    def expect(self, text, lineup="embedded"):
        path = self.pytester.path / "reports" / "expected" / f"{lineup}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *options):
        self.pytester.makepyfile(test_staged=MODULE.format(claims=tuple(self.claims)))
        return self.pytester.runpytest_inprocess("-p", "no:cacheprovider", "-W", "error", *options)


@pytest.fixture(scope="session")
def loaded():
    """Modules that a run inside a test would import: pytester forgets those at its end, and numpy loads only once."""
    list(CLAIMS)  # discovered before any claim is staged
    list(contract())  # so is every other kind of entry: a module that is forgotten and imported again registers nothing
    for name in (
        "matplotlib.backends.backend_svg",
        "matplotlib.figure",
        "mmbench.session.run_session",
        "mmbench.report.latex",
        "mmbench.report.pages",
        "mmbench.report.render",
        "mmbench.session.run_notes",
        "mmbench.report.summary",
        "mmbench.verdict",
        "numpy.fft",
        "numpy.ma",
        "scipy.special",
        "scipy.stats",
    ):
        importlib.import_module(name)


@pytest.fixture
def stage(pytester, monkeypatch, loaded):
    return Stage(pytester, monkeypatch)


@pytest.fixture
def forms():
    """Forms that the staged accuracies (bit_m 0.7, clip and rn50 0.5) support, refute and leave open."""
    return {
        "supported": Above("bit_m", "clip"),
        "refuted": Above("clip", "bit_m"),
        "inconclusive": Above("clip", "rn50", by=0.0),
        "unmeasured": Above("virtex", "clip"),
    }
