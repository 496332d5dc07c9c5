"""Examples that share things of two kinds."""

import numpy as np
import pytest

from mmbench import stats
from mmbench.datasets.groups import grouped
from mmbench.errors import BadDataset
from mmbench.inputs.shared import joined


def test_items_can_share_things_of_two_kinds():
    classes = grouped(["a", "b", "a", "c"], "classes")
    pairs = grouped([("x", "y"), ("y", "z"), None, ("u", "v")], "drawings")
    both = joined(classes, pairs)
    assert both.kind == "classes and drawings"
    assert both.of.tolist() == [[0, 3, 4], [1, 4, 5], [0, -1, -1], [2, 6, 7]]
    assert joined(classes, None) is classes
    assert joined(None, pairs) is pairs
    assert joined(None, None) is None
    four = grouped([tuple("abcd"), tuple("defg")], "drawings")
    with pytest.raises(BadDataset, match="joins 2 to 4 things"):
        joined(grouped(["a", "a"], "classes"), four)


def test_things_that_lie_within_others_add_nothing():
    classes = grouped([name for name in "abcde" for _ in range(8)], "classes")
    drawings = grouped([f"{n // 4}" for n in range(40)], "drawings")
    assert joined(classes, drawings) is classes
    assert joined(drawings, classes) is classes
    across = grouped([f"{n % 4}" for n in range(40)], "persons")
    assert joined(classes, across).of.shape == (40, 2)
    some = grouped([None if n < 4 else f"{n // 4}" for n in range(40)], "drawings")
    assert joined(classes, some) is classes
    assert joined(some, classes) is classes


def test_degrees_of_freedom_are_those_of_classes_where_drawings_lie_within_them():
    outcomes = np.random.default_rng(0).random((3, 40)).astype(np.float32)
    classes = grouped([name for name in "abcde" for _ in range(8)], "classes")
    drawings = grouped([f"{n // 4}" for n in range(40)], "drawings")
    df = [
        stats.crossed([stats.Sample(outcomes, groups=each.of)]).contrasts([[1.0]])[0].df_examples
        for each in (classes, joined(classes, drawings))
    ]
    assert df[0] == df[1] == pytest.approx(4.0)
