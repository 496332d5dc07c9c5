"""The texts of zero-shot prompts: every class name in every template."""

from __future__ import annotations

from collections.abc import Sequence

from mmbench.datasets.entry import Dataset
from mmbench.datasets.marked import Marked
from mmbench.errors import BadDataset, BadSpec

FIELD = "{}"


def prompt_texts(dataset: Dataset, templates: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Prompts ``[classes][templates]`` of the dataset, in label order (Radford et al. 2021, section 3.1.4).

    Raises BadDataset for a class without a name, with its number, and BadSpec for no template or one without exactly
    one ``{}``.
    """
    if not templates:
        raise BadSpec(f"{dataset.name} has no prompt templates; give some with templates=FILE, one a line")
    for template in templates:
        check_template(template, dataset.name)
    for number, name in enumerate(dataset.classes):
        if not name.strip():
            raise BadDataset(
                f"class {number} of {dataset.name} has no name that a prompt could use, found {name!r}; name its "
                f"{len(dataset.classes)} classes with names=FILE"
            )
    return tuple(tuple(template.replace(FIELD, name.strip()) for template in templates) for name in dataset.classes)


def marked_prompts(dataset: Dataset, template: str) -> tuple[Marked, ...]:
    """One prompt a class, in label order, with the class name as its marked part; raises as ``prompt_texts`` does."""
    before = template.find(FIELD)
    texts = prompt_texts(dataset, (template,))
    names = (name.strip() for name in dataset.classes)
    return tuple(Marked(text, before, before + len(name)) for (text,), name in zip(texts, names, strict=True))


def check_template(template: str, where: str) -> str:
    """``template``, or BadSpec where it has not exactly one ``{}`` for the class name."""
    if (found := template.count(FIELD)) != 1:
        raise BadSpec(
            f"{where}: the prompt template {template!r} has {found} places for the class name, expected exactly one "
            f"{FIELD}"
        )
    return template
