"""Prompts made of a dataset's class names."""

from __future__ import annotations

from collections.abc import Sequence

from mmbench.datasets.entry import Dataset
from mmbench.errors import BadDataset, BadSpec

EXAMPLE = "a photo of a {}."


def prompt_texts(dataset: Dataset, templates: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Texts ``[classes][templates]``: each class name in each template (Radford et al. 2021, section 3.1.4).

    Raises BadDataset for a class without a name, BadSpec for no template or one that has not exactly one ``{}``.
    """
    if not templates:
        raise BadSpec(f"{dataset.name}: no prompt template is given; give one, e.g. {EXAMPLE!r}")
    for template in templates:
        if template.count("{}") != 1:
            raise BadSpec(f"{dataset.name}: a prompt template holds exactly one {{}}, got {template!r}")
    for number, name in enumerate(dataset.classes):
        if not name.strip():
            raise BadDataset(
                f"{dataset.name}: class {number} of {len(dataset.classes)} has no name, so no prompt can be "
                "made of it; give a name for every class"
            )
    return tuple(tuple(template.replace("{}", name) for template in templates) for name in dataset.classes)
