"""The pytest plugin: options, fixtures, outcomes, and the record a run leaves.

A benchmark module says what it is about in one line::

    pytestmark = pytest.mark.mmbench(FEW_SHOT.over(shots=(1, 5, 10)))

and holds two tests: ``test_cell(model, dataset, scoreboard, benchmark)`` and ``test_claim(claim, scoreboard)``. They
are parametrised here: ``model``, ``dataset`` and ``claim`` are no fixtures, so that another plugin may have fixtures of
these names, and a marked test gets what its id says also where a conftest has one.
Nothing but pytest is imported here, and the list of options; the rest of mmbench loads when a marked module is
collected, torch when a cell must be measured.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import json
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mmbench.session.options import OPTIONS

if TYPE_CHECKING:
    from mmbench.claims import Claim, EvidenceKind
    from mmbench.claims.families import About
    from mmbench.protocol import Roles
    from mmbench.session.gate_session import SessionGate
    from mmbench.session.leavings import Leavings
    from mmbench.session.run_notes import RunNotes
    from mmbench.session.run_session import RunSession
    from mmbench.verdict import Verdict

# What pytest-benchmark does with timings beyond showing them.
TIMING_OPTIONS = ("compare_fail", "compare", "json", "save", "autosave", "histogram", "cprofile", "only")
ABSENT = "absent"  # the parameter of a test that this run has nothing for; it is deselected, not skipped
# That features are not stored is said in the summary of warnings, and fails no run where warnings are errors.
UNSTORED = pytest.mark.filterwarnings("default::mmbench.features.store.StoreWarning")
# What a dataset passed over, and images in train and in test, are said in the same way.
NOTED = pytest.mark.filterwarnings("default::mmbench.datasets.notes.DatasetWarning")
# A cell that is read back, or too slow to run again, leaves its timer unused on purpose.
UNTIMED = pytest.mark.filterwarnings("ignore:Benchmark fixture was not used at all")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mmbench", "mmbench: judge claims about vision-language representations")
    for name, settings in OPTIONS.items():
        group.addoption(name, **settings)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "mmbench(protocols=(), claims=None): what a benchmark module is about: its protocols, and the claims it "
        "collects (those of its protocols' probes; or 'overview', 'printed', 'waiting', 'planted'; or a tuple of ids)",
    )
    config.addinivalue_line("markers", "timing: times a probe against a reference; needs --mmbench-timings")
    session = config.stash[SESSION] = Session(config)
    config.pluginmanager.register(session, "mmbench-session")
    session.check_options()


@dataclass(frozen=True, repr=False)
class Case:
    """A claim and the evidence it is judged on; its name is the test's id."""

    claim: Claim
    evidence: EvidenceKind

    def __str__(self) -> str:
        return f"{self.claim.id}-{self.evidence}"

    __repr__ = __str__


SESSION: pytest.StashKey[Session] = pytest.StashKey()
NOTE: pytest.StashKey[dict[str, Any]] = pytest.StashKey()


class Session:
    """State of one pytest session. Workers under xdist note what they did on their reports; the controller writes."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.started = time.time()
        self.problems: list[str] = []
        self.claims: set[str] = set()  # ids of the claims that were collected, before -k
        self.leavings: Leavings | None = None
        self.gate: SessionGate | None = None
        self._run: RunSession | None = None
        self._notes: RunNotes | None = None

    def option(self, name: str) -> Any:
        return self.config.getoption(f"mmbench_{name}")

    @functools.cached_property
    def retimes(self) -> str:
        """The option that asks for timings also where scores are stored; empty without one.

        An option of pytest-benchmark that keeps or compares timings does: it would find nothing to keep or compare.
        """
        if self.option("retime"):
            return "--mmbench-retime"
        if self.config.getoption("benchmark_disable", False) or self.config.getoption("benchmark_skip", False):
            return ""
        asked = (name for name in TIMING_OPTIONS if self.config.getoption(f"benchmark_{name}", None))
        return next((f"--benchmark-{name.replace('_', '-')}" for name in asked), "")

    @property
    def is_worker(self) -> bool:
        return hasattr(self.config, "workerinput")

    @property
    def evidence(self) -> tuple[EvidenceKind, ...]:
        chosen = self.option("evidence")
        return (chosen,) if chosen in ("published", "measured") else ("published", "measured")

    @property
    def run(self) -> RunSession:
        """The lineup, the bench and the known outcomes, opened on first use."""
        if self._run is None:
            from mmbench.assets import offline
            from mmbench.session.run_session import RunSession
            from mmbench.two_workers import let_waiting_threads_sleep

            let_waiting_threads_sleep()
            if self.option("offline"):
                until_the_end = contextlib.ExitStack()
                until_the_end.enter_context(offline())
                self.config.add_cleanup(until_the_end.close)
            self._run = RunSession.open(
                lineup=self.option("lineup") or "embedded",
                models=self.option("model") or (),
                seeds=self.option("seeds") or (),
                datasets=self.option("dataset") or (),
                store=self.option("store"),
                device=self.option("device") or "cpu",
                precision=self.option("precision") or "float32",
                skip_bad_items=self.option("skip_bad_items"),
                side_by_side=not self.is_worker,  # another worker may be at the next cells already
                expected=self.config.rootpath / "reports" / "expected",
            )
            self.config.add_cleanup(self._run.close)
        return self._run

    @property
    def notes(self) -> RunNotes:
        """What the run has found so far."""
        if self._notes is None:
            from mmbench.session.run_notes import RunNotes

            self._notes = RunNotes()
        return self._notes

    def check_options(self) -> None:
        """Turn a bad lineup, role, spec, baseline or margin into one clean line before anything is collected."""
        opening = any(map(self.option, "lineup model seeds dataset store device precision".split()))
        gating = (self.option("gate") or self.option("margin")) and not self.is_worker
        if self.option("gate"):
            from mmbench.session.afresh import Afresh

            self.config.pluginmanager.register(Afresh(self.config), "mmbench-afresh")
        if not opening and not gating:
            return
        from mmbench.errors import MMBenchError

        try:
            if opening:
                self.run.lineup  # noqa: B018  reading it opens the lineup
            if gating:
                from mmbench.session.gate_session import SessionGate

                self.gate = SessionGate.asked(self.option)
        except MMBenchError as error:
            raise pytest.UsageError(str(error)) from None

    # collection

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        marker = metafunc.definition.get_closest_marker("mmbench")
        if marker is None:
            return
        from mmbench.claims.families import About
        from mmbench.errors import MMBenchError

        try:
            about = About(*marker.args, **marker.kwargs)
            if "claim" in metafunc.fixturenames:
                cases = [Case(claim, kind) for claim, kind in about.cases(self.evidence)]
                self.claims |= {case.claim.id for case in cases}
                metafunc.parametrize("claim", cases or [ABSENT], ids=str)
            names = [name for name in ("model", "dataset") if name in metafunc.fixturenames]
            if names:
                pairs = self.run.pairs(about.protocols) if "measured" in self.evidence else []
                found = [{"model": model, "dataset": dataset} for model, dataset in pairs]
                values = list(dict.fromkeys(tuple(pair[name] for name in names) for pair in found))
                metafunc.parametrize(names, values or [(ABSENT,) * len(names)], ids=str)
        except (MMBenchError, TypeError) as error:
            where = metafunc.definition.nodeid
            self.problems.append(f"{where}: {error}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self.problems:
            raise pytest.UsageError("\n".join(dict.fromkeys(self.problems)))
        for item in items:
            if item.get_closest_marker("mmbench"):
                item.add_marker(UNSTORED)
                item.add_marker(NOTED)
            if {"model", "dataset"} & _params(item).keys():
                item.add_marker(UNTIMED)
        unwanted = () if self.option("timings") else ("timing",)
        nothing = [
            item
            for item in items
            if ABSENT in _params(item).values() or any(item.get_closest_marker(name) for name in unwanted)
        ]
        if nothing:
            config.hook.pytest_deselected(items=nothing)
            items[:] = [item for item in items if item not in set(nothing)]
        # trainings run ahead beside what does not wait for them
        items.sort(key=lambda item: bool(_params(item)) and _about(item).waits_for_trainings(**_params(item)))

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> list[str]:
        """Where ``-k`` left nothing, the ids that come nearest to it: it may have been a misspelt claim."""
        keyword = self.config.option.keyword
        near = [] if items else difflib.get_close_matches(keyword, self.claims, n=3)
        return [f"no claim is named {keyword!r}; did you mean {' or '.join(map(repr, near))}?"] if near else []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell the bench what will be asked, so that cells which one probe call can solve are solved together."""
        if self.config.option.collectonly:
            return
        for item in session.items:
            params = _params(item)
            if isinstance(params.get("claim"), Case):
                self.run.plan_claim(params["claim"].claim, params["claim"].evidence)
            elif "model" in params and "dataset" in params:
                self.run.plan_pair(_about(item).protocols, params["model"], params["dataset"])

    # what happened

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        note = item.stash.get(NOTE, None)
        if note is not None and report.when == "call":
            note |= self.run.news()
            report.mmbench = json.dumps(note)  # a plain string travels from an xdist worker to its controller
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        note = getattr(report, "mmbench", None)
        if note is not None and not self.is_worker:
            self.notes.take(json.loads(note))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.is_worker or self.config.option.collectonly or (self._notes is None and self.gate is None):
            return
        from mmbench.session.leavings import Leavings

        left = self.leavings = Leavings(Path(self.option("report") or self.config.rootpath / ".mmbench"))
        if self._notes is not None:
            self._write(left)
        # An interrupted or broken session keeps its own exit code and gets no decision.
        if self.gate is not None and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self.gate.decide(self.notes)
            with left.writing("the gate's decision"):
                left.written += self.gate.write(left.folder)
        failed = left.problems or (self.gate is not None and self.gate.result is not None and self.gate.failed)
        if failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self, left: Leavings) -> None:
        from mmbench.report.pages import write_pages_of, write_record_of

        with left.writing("the record"):
            root = self.config.rootpath
            record = self.notes.record(self.run, started=self.started, options=self._options(), folder=root)
            left.written += write_record_of(record, left.folder)
        if self.notes.last is not None:
            with left.writing("the pages"):
                left.written += write_pages_of(self.notes.last, left.folder)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._notes is None or self.is_worker:
            return
        from mmbench.report.summary import summary_lines

        verbose = self.config.get_verbosity() > 0
        gate = self.gate.lines(verbose=verbose) if self.gate is not None else []
        terminalreporter.section("mmbench")
        left = self.leavings.lines() if self.leavings is not None else ()
        for text, markup in [*summary_lines(self.notes.last, verbose=verbose), *gate, *left]:
            terminalreporter.write_line(text, **dict.fromkeys(markup, True))

    def _options(self) -> dict[str, Any]:
        names = "lineup model seeds dataset skip_bad_items evidence device precision offline strict retime gate".split()
        chosen = {name: self.option(name) for name in names if self.option(name)}
        return chosen | {"keyword": self.config.option.keyword} if self.config.option.keyword else chosen


def _about(item: pytest.Item) -> About:
    from mmbench.claims.families import About

    marker = item.get_closest_marker("mmbench")
    assert marker is not None
    return About(*marker.args, **marker.kwargs)


def _params(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec is not None and item.get_closest_marker("mmbench") else {}


class Scoreboard:
    """What a benchmark test asks: ``judge`` a claim, ``measure`` a cell. Bound to the test that asks."""

    def __init__(self, session: Session, item: pytest.Item) -> None:
        self._session, self._item = session, item

    def judge(self, case: Case) -> Verdict:
        """The verdict on a claim, for the test to assert.

        Skips when it is unmeasured; is expected to fail when it is inconclusive (under ``--mmbench-strict`` it fails)
        or refuted as recorded before; fails when it is not what was recorded.
        """
        from mmbench.errors import MMBenchError
        from mmbench.session.judged import skip

        note = self._item.stash[NOTE] = {}
        try:
            judged = self._session.run.judge(case.claim, case.evidence)
        except MMBenchError as error:  # raised anew without its context, which would say the same twice more
            raise pytest.fail.Exception(f"{case.claim.id} cannot be judged: {error}", pytrace=False) from None
        part = note["verdict"] = judged.part
        shown = ("claim", "evidence", "outcome", "estimate", "low", "high", "p_support", "p_refute")
        self._item.user_properties += [(name, part[name]) for name in shown if part[name] is not None]
        result, why = judged.result(strict=self._session.option("strict"), gated=bool(self._session.option("gate")))
        if result == "fail":
            pytest.fail(why, pytrace=False)
        if result == "skip":
            if case.evidence == "measured":
                self._require_named(*self._session.run.roles_of(case.claim))
            skip(why)
        if result == "xfail":
            pytest.xfail(why)
        return judged.verdict

    def _require_named(self, *roles: str) -> None:
        if why := self._session.run.lacking_by_name(roles):
            raise pytest.fail.Exception(why, pytrace=False) from None

    def measure(self, model: Roles, dataset: str, benchmark: Any) -> None:
        """Measure the module's cells of one model and dataset; time the probe where the work is fresh.

        The features come first, outside the clock. The run that makes the scores is the probe's warm-up; timed rounds
        follow it. Where the scores are stored nothing is timed, and the recorded seconds are shown instead, unless the
        command line asks for timings (``Session.retimes``).
        """
        from mmbench.errors import MMBenchError, Unmeasured
        from mmbench.session.judged import skip, without_cell

        run, item = self._session.run, self._item
        cells = run.cells(_about(item).protocols, model, dataset)
        item.stash[NOTE] = {}
        fresh = [cell for cell in cells if run.fresh(cell)]
        try:
            for cell in cells:
                run.scores(cell)
        except Unmeasured as error:
            self._require_named(*model, dataset)
            skip(f"unmeasured: {without_cell(str(error))}")
        except MMBenchError as error:
            raise pytest.fail.Exception(f"{model} on {dataset} cannot be measured: {error}", pytrace=False) from None
        seconds = {str(cell): run.seconds(cell) for cell in cells}
        item.user_properties.append(("recorded_seconds", json.dumps(seconds)))
        timed, rounds = run.to_time(fresh, cells, again=bool(self._session.retimes))
        if not timed or not rounds:
            return
        once = run.probe_call(timed[0])
        warm_up = 0 if fresh and rounds == 1 else 1
        benchmark.group = timed[0].protocol.probe
        benchmark.extra_info |= {"cell": str(timed[0]), "recorded_seconds": seconds, **run.extraction_of(timed[0])}
        benchmark.pedantic(once, rounds=rounds, warmup_rounds=warm_up)
        if benchmark.enabled and benchmark.stats is not None:
            median = benchmark.stats.stats.median
            timing = {"test": item.name, "cell": str(timed[0]), "median": median, "rounds": rounds}
            item.stash[NOTE] = {"timing": timing | {"warm_up": warm_up + (1 if fresh else 0)}}


@pytest.fixture
def scoreboard(request: pytest.FixtureRequest) -> Scoreboard:
    """Judges claims and measures cells for this test; see Scoreboard."""
    return Scoreboard(request.config.stash[SESSION], request.node)
