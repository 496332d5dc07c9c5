"""A fixture for tests that measure cells: what is read of a cell's examples without features is what its scores say."""

import pytest

from mmbench.bench import examples


@pytest.fixture(autouse=True)
def examples_are_known_without_features(monkeypatch, tmp_path):
    monkeypatch.setattr(examples, "cache_dir", lambda: tmp_path / "own notes")
    note = examples.note

    def compared(source, cell, found):
        assert examples.read(source, cell) == found, cell
        note(source, cell, found)

    monkeypatch.setattr(examples, "note", compared)
