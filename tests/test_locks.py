"""Who waits for a lock is told for whom, and is not left waiting for a stopped process."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mmbench import locks

HOLD = """
import sys
from pathlib import Path
from mmbench import locks
with locks.held(Path(sys.argv[1]), "features of x"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    if not Path("/proc/locks").exists():
        pytest.skip("needs a system that says who holds a lock")
    path = tmp_path / "lock"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "held\n"
    yield child, path
    child.kill()
    child.communicate()


def test_a_lock_of_a_stopped_process_is_not_waited_for(holder, monkeypatch):
    child, path = holder
    monkeypatch.setattr(locks, "SAY_AFTER", 0.2)
    os.kill(child.pid, signal.SIGSTOP)
    with (
        pytest.raises(locks.StillHeld, match=rf"process {child.pid} holds .* and is stopped; .*kill -CONT"),
        locks.held(path, "features of x"),
    ):
        pass
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    with locks.held(path, "features of x"):
        assert locks.owner_of(path) == os.getpid()


def test_a_run_that_waits_says_for_whom_and_goes_on(holder, monkeypatch, caplog):
    child, path = holder
    monkeypatch.setattr(locks, "SAY_AFTER", 0.2)
    stopped = []

    def is_stopped(process):
        stopped.append(process)
        if len(stopped) == 2:
            child.communicate("\n")
        return False

    monkeypatch.setattr(locks, "is_stopped", is_stopped)
    with caplog.at_level(logging.WARNING, logger="mmbench.locks"), locks.held(path, "features of x"):
        pass
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"process {child.pid} is at work on features of x; waiting for it ({path})"


def test_no_lock_is_waited_for_without_end(holder, monkeypatch):
    child, path = holder
    monkeypatch.setattr(locks, "SAY_AFTER", 0.1)
    monkeypatch.setattr(locks, "MOST", 0.3)
    with pytest.raises(locks.StillHeld, match=f"process {child.pid} has held"), locks.held(path, "features of x"):
        pass


def test_a_store_whose_lock_is_held_by_a_stopped_process_is_refused_in_one_line(holder, monkeypatch):
    from mmbench.errors import StoreError
    from mmbench.features.store import Store

    child, path = holder
    monkeypatch.setattr(locks, "SAY_AFTER", 0.2)
    shelf = Store(path.parent).shelf("0" * 64)
    shelf.folder = path.parent
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(StoreError, match=rf"features of tiny cannot be stored: process {child.pid} holds"):
        with shelf.writing("tiny"):
            pass
