"""A progress bar is shown on a terminal when it is wanted, and nowhere else."""

import io
import sys

import pytest

from mmbench.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("screen", "wanted", "shown"), [(Terminal(), True, True), (Terminal(), False, False), (io.StringIO(), True, False)]
)
def test_where_a_bar_is_shown(monkeypatch, screen, wanted, shown):
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_bar("encoding [dots]", 7, wanted=wanted) as bar:
        bar.advance(3)
        assert bar.shown == shown
    assert ("encoding [dots]" in screen.getvalue()) == shown
    assert ("3/7" in screen.getvalue()) == shown


def test_bytes_a_new_text_and_a_new_total(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_bar("fetching", None, unit="bytes", stays=True) as bar:
        bar.update(1000, total=4000, what="fetching dots")
    assert "fetching dots" in screen.getvalue()
    assert "1.0/4.0 kB" in screen.getvalue()


def test_a_bar_can_start_half_way(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_bar("training", 10, done=4, stays=True):
        pass
    assert "4/10" in screen.getvalue().replace(" ", "")
