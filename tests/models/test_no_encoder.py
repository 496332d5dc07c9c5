"""No encoder: an entry that has no features and says so."""

import pytest

from mmbench.errors import BadSpec, Unmeasured
from mmbench.models import specs
from mmbench.models.no_encoder import is_no_encoder


def test_it_has_an_identity_and_no_features():
    entry = specs.resolve("none:free_words")
    assert is_no_encoder(entry)
    assert entry.identity() == specs.resolve("none:free_words").identity()
    assert entry.identity().weights is not None  # so that what is trained without an encoder is stored
    with pytest.raises(Unmeasured, match="none:free_words is no encoder and has no features"):
        entry.load()
    assert not is_no_encoder(specs.resolve("zoo:clip"))


def test_it_takes_no_option():
    with pytest.raises(BadSpec, match="dim"):
        specs.resolve("none:free_words?dim=3")
