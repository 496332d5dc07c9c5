"""The code behind a loader, however it is wrapped."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmbench.bench.code import model_code
from mmbench.datasets import digits
from mmbench.models import zoo
from mmbench.models.entry import ModelEntry
from mmbench.program.behind import behind_digest, modules_behind
from mmbench.registry import Registry

sys.path.insert(0, str(Path(__file__).parents[1]))
from distributions import write_distribution


def inner() -> None: ...


@dataclasses.dataclass(eq=False)
class Entry:
    load: Callable[[], Any]
    name: str = "entry"


class Loader:
    def load(self) -> None: ...

    def __call__(self) -> None: ...

    __hash__ = None  # type: ignore[assignment]


def closed_over(given: Any) -> Callable[[], Any]:
    return lambda: given


LOADERS = {
    "partial": functools.partial(inner, zoo.token_offsets),
    "keyword": functools.partial(inner, which=zoo.token_offsets),
    "closure": closed_over(zoo.token_offsets),
    "entry in a closure": closed_over(Entry(zoo.token_offsets)),
    "partial in a closure": closed_over([functools.partial(inner, {"a": (zoo.token_offsets,)})]),
    "class": closed_over(zoo.ModelEntry),
}


@pytest.mark.parametrize("how", LOADERS)
def test_what_a_loader_was_given_is_behind_it(how: str) -> None:
    found = set(modules_behind(LOADERS[how]))
    assert __name__ in found
    assert any(name.startswith("mmbench.models.") for name in found)


def test_methods_objects_and_circles() -> None:
    circle: list[Any] = []
    circle.append(closed_over(circle))
    for load in (Loader().load, Loader(), closed_over(circle)):
        assert set(modules_behind(load)) == {__name__}
        assert len(behind_digest(load, {"models"})) == 64


def test_what_is_behind_decides_the_digest_and_values_do_not() -> None:
    rooms = {"models", "datasets"}
    one, two = (behind_digest(closed_over(given), rooms) for given in (zoo.token_offsets, digits.mnist_identity))
    assert one != two
    assert behind_digest(closed_over(3), rooms) == behind_digest(closed_over("4"), rooms)
    assert behind_digest(inner, rooms, ("mmbench.features.encode",)) != behind_digest(inner, rooms)


OFFERED = """
from mmbench.models.entry import Identity, ModelEntry
SCALE = {scale}
def load():
    return SCALE
entry = ModelEntry("{name}", "image", 3, load, lambda: Identity("w", "theirs", "last"))
"""


def test_what_an_installed_distribution_offers_has_its_source_in_the_key(tmp_path: Any, monkeypatch: Any) -> None:
    place = tmp_path / "site-packages"
    place.mkdir()
    scales = {"offered_one": 1, "offered_two": 2}
    for name, scale in scales.items():
        source = OFFERED.format(scale=scale, name="offered")
        write_distribution(place, name, {"mmbench.models": {name: f"{name}:entry"}}, {name: source})
    monkeypatch.syspath_prepend(place)
    models: Registry[ModelEntry] = Registry(
        "model", group="mmbench.models", convert=lambda offered, name, words: offered
    )
    one, two = (model_code(name, models.get(name).load) for name in scales)
    assert None not in (one, two)
    assert one != two
