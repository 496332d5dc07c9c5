"""Examples that share things of two kinds."""

import pytest

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
