"""What a file says is what runs only where it was not changed since its module was asked for."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time

import pytest

from mmbench import imports
from mmbench.errors import UnknownCode


def test_the_process_started_before_it_imported_anything_and_not_long_before():
    started = "import sys, time; import mmbench.imports as i; print(i.STARTED, time.time())"
    before = time.time()
    done = subprocess.run([sys.executable, "-c", started], capture_output=True, text=True, check=True)
    first, then = map(float, done.stdout.split())
    assert before - 0.1 < first < then


@pytest.mark.parametrize("at", [imports.STARTED - 1, imports.STARTED + 1])
def test_of_a_module_that_was_imported_before_mmbench_the_start_of_the_process_decides(tmp_path, monkeypatch, at):
    file = tmp_path / "early.py"
    file.write_text("x = 1")
    monkeypatch.setattr(imports, "last_change", lambda path: at)
    if at < imports.STARTED:
        imports.require_as_imported("early", file)
    else:
        with pytest.raises(UnknownCode, match="module 'early' may do something else than it says; start the run again"):
            imports.require_as_imported("early", file)


def test_a_file_that_is_written_before_its_import_is_what_runs(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "written_late.py"
    file.write_text("x = 1")
    importlib.import_module("written_late")
    try:
        imports.require_as_imported("written_late", file)
        os.utime(file, (later := time.time() + 10, later))
        with pytest.raises(UnknownCode):
            imports.require_as_imported("written_late", file)
    finally:
        del sys.modules["written_late"]


def test_an_older_file_that_is_moved_over_it_is_a_change(tmp_path):
    file, older = tmp_path / "file.py", tmp_path / "older.py"
    for path in (file, older):
        path.write_text("x = 1")
    os.utime(older, (1, 1))
    older.replace(file)
    assert file.stat().st_mtime == 1
    assert imports.last_change(file) > imports.STARTED - 60
