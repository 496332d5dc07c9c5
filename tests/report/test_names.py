"""A role that a stand-in plays is never shown as the thing itself."""

import pytest

from mmbench.report.names import Names


@pytest.fixture
def names(make_record):
    return Names.of(make_record())  # clip and cub are played by stand-ins, random plays itself


@pytest.mark.parametrize(
    ("roles", "full", "starred"),
    [
        (["cub"], "cub (played by: flags)", "cub*"),
        (["random"], "random", "random"),
        (["clip", "random"], "clip+random (played by: zoo:clip)", "clip*+random"),
        (["nobody"], "nobody", "nobody"),
    ],
)
def test_roles_are_shown_with_who_plays_them(names, roles, full, starred):
    assert names.full(*roles) == full
    assert names.starred(roles) == starred
