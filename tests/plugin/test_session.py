"""How a session behaves: what it imports, what it collects, and two workers that leave one record."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from mmbench import assets
from mmbench.claims import CLAIMS
from mmbench.claims.families import EVIDENCE, kinds_of_evidence

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "torch", "scipy", "pydantic", "rich", "matplotlib", "jinja2")

LISTER = """
import sys

def pytest_unconfigure(config):
    loaded = sorted({name.split(".")[0] for name in sys.modules} & set(HEAVY))
    print("LOADED", *loaded)
    print("OURS", *sorted(name for name in sys.modules if name.startswith("mmbench")))
"""


def pytest_in(folder, *options, **kept):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False, **kept)


def listing(pytester, *options, folder=None):
    """Top-level modules loaded at the end of a run, from a plugin that prints them."""
    pytester.makepyfile(lister=LISTER.replace("HEAVY", repr(HEAVY)))
    path = pytester.path / "lister.py"
    code = f"import sys; sys.path.insert(0, {str(path.parent)!r}); import pytest; pytest.main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "-p", "lister", "-p", "no:cacheprovider", "-s", *options]
    done = subprocess.run(
        command, cwd=folder or pytester.path, capture_output=True, text=True, timeout=300, check=False
    )
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line[:4] in ("LOAD", "OURS")}
    return lines["LOADED"], lines["OURS"], done.stdout


def test_an_unrelated_run_loads_the_plugin_and_nothing_heavy(pytester):
    pytester.makepyfile(test_unrelated="def test_nothing():\n    assert 1 + 1 == 2\n")
    loaded, ours, out = listing(pytester, "test_unrelated.py")
    assert "1 passed" in out
    assert loaded == []
    assert ours == [
        "mmbench",
        "mmbench.errors",
        "mmbench.imports",
        "mmbench.plugin",
        "mmbench.session",
        "mmbench.session.options",
        "mmbench.words",
    ]


def test_collecting_the_benchmarks_loads_no_torch(pytester):
    loaded, _, out = listing(pytester, "--collect-only", "-q", str(ROOT / "benchmarks"), folder=ROOT)
    assert "test_claim[bielawski2022-mvsa-vision-clip-best-published]" in out
    assert "test_claim[bielawski2022-mvsa-vision-clip-best-measured]" in out
    assert "test_few_shot.py::test_cell[random-mnist]" in out
    assert not {"torch", "matplotlib", "jinja2"} & set(loaded)


@pytest.mark.slow
def test_every_claim_is_collected_by_exactly_one_file():
    done = pytest_in(ROOT, "benchmarks", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert not (ROOT / ".mmbench").is_symlink()
    found = Counter(line.split("[")[1].rstrip("]") for line in done.stdout.splitlines() if "::test_claim[" in line)
    wanted = {
        f"{claim.id}-{kind}" for claim in CLAIMS if not claim.made_up for kind in kinds_of_evidence(claim, EVIDENCE)
    }
    assert {name for name, count in found.items() if count > 1} == set()
    assert set(found) == wanted
    assert {name.rsplit("-", 1)[0] for name in wanted} == {c.id for c in CLAIMS if not c.made_up}


WORKERS = """
import pytest

pytestmark = pytest.mark.mmbench(claims=("bielawski2022-mvsa-vision-clip-best", "planted-liar"))

def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
"""


@pytest.mark.slow
def test_two_workers_leave_one_record_and_one_summary(pytester):
    pytester.makepyfile(test_workers=WORKERS)
    done = pytest_in(pytester.path, "-n", "2", "--mmbench-evidence", "published")
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("claims judged on") == 1
    (path,) = pytester.path.glob(".mmbench/runs/*/*.json")
    verdicts = {v["claim"]: v["outcome"] for v in json.loads(path.read_text())["verdicts"]}
    assert verdicts == {"bielawski2022-mvsa-vision-clip-best": "supported", "planted-liar": "refuted"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mmbench-lineup", "embeded"], "no lineup named 'embeded'. Did you mean 'embedded'?"),
        (["--mmbench-lineup", "mine.toml"], "there is no lineup file"),
        (["--mmbench-model", "bitm=timm:resnet18"], "no model role is named 'bitm'; did you mean 'bit_m'?"),
        (["--mmbench-model", "bit_m"], "'bit_m' is not ROLE=SPEC"),
        (["--mmbench-device", "nope"], "device 'nope' cannot be used here"),
        (["--mmbench-dataset", "cfar10=imagefolder:x"], "no dataset role is named 'cfar10'; did you mean 'cifar10'?"),
        (["--mmbench-evidence", "print"], "invalid choice: 'print'"),
    ],
)
def test_bad_options_are_usage_errors_before_any_test(pytester, loaded, options, message):
    pytester.makepyfile(test_unrelated="def test_nothing():\n    raise AssertionError('it ran')\n")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()
    assert "it ran" not in result.stdout.str()


def test_help_teaches_the_options(pytester):
    result = pytester.runpytest_inprocess("--help")
    for line in ("*--mmbench-lineup=NAME|FILE*", "*--mmbench-model=ROLE=SPEC*", "*--mmbench-strict*"):
        result.stdout.fnmatch_lines([line])


def test_fixtures_of_these_names_belong_to_whoever_has_them(pytester):
    """Another plugin's ``model``, ``dataset``, ``claim`` and ``features`` are what its tests get."""
    names = ("model", "dataset", "claim", "features")
    fixtures = "".join(f"@pytest.fixture\ndef {name}():\n    return 'theirs'\n\n" for name in names)
    pytester.makepyfile(theirs=f"import pytest\n\n{fixtures}")
    pytester.makepyfile(f"def test_it({', '.join(names)}):\n    assert {' == '.join(names)} == 'theirs'\n")
    pytester.syspathinsert()
    pytester.runpytest_inprocess("-p", "theirs", "-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_a_users_own_fixtures_of_these_names_win(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def model():
            return "mine"

        @pytest.mark.parametrize("dataset", ["theirs"])
        def test_it(model, dataset):
            assert (model, dataset) == ("mine", "theirs")
        """
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert not (pytester.path / ".mmbench").exists()


def test_offline_lasts_as_long_as_the_run(pytester, monkeypatch):
    monkeypatch.delenv("MMBENCH_OFFLINE", raising=False)
    pytester.makepyfile(
        """
        from mmbench import assets

        def test_it(request):
            assert request.config.pluginmanager.get_plugin("mmbench-session").run
            assert assets.is_offline()
        """
    )
    pytester.runpytest_inprocess("--mmbench-offline").assert_outcomes(passed=1)
    assert not assets.is_offline()
    pytester.runpytest_inprocess().assert_outcomes(failed=1)


def test_a_warning_that_features_are_not_stored_fails_no_benchmark(pytester):
    """Warnings are errors in this repository, and a model without known weights is measured all the same."""
    pytester.makepyfile(
        test_warning="import warnings\nimport pytest\nfrom mmbench.features.store import StoreWarning\n\n\n"
        "@pytest.mark.mmbench\ndef test_benchmark():\n    warnings.warn('not stored', StoreWarning)\n\n\n"
        "def test_other():\n    warnings.warn('not stored', StoreWarning)\n"
    )
    done = pytest_in(pytester.path, "-W", "error")
    assert "1 failed, 1 passed, 1 warning" in done.stdout, done.stdout
