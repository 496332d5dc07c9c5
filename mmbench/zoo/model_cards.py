"""Model cards of the zoo: what was trained, how long, and what came of it, measured and written as one page.

``zoo.json`` is the record, ``zoo.md`` is rendered from it. A model whose tensors are those of the record is not
measured again. Nothing here is a claim: these are sanity figures on drawings; claims are judged by the benchmarks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmbench.files import atomic
from mmbench.zoo import robustness, sanity
from mmbench.zoo.recipes import RECIPES
from mmbench.zoo.weight_files import RANDOM, Card, card, digest, shipped

RECORD, PAGE = "zoo.json", "zoo.md"
SCHEMA = 1
SHOWN = {
    "one_shot_seen": "one shot, seen drawings",
    "one_shot": "one shot, unseen drawings",
    "categories": "categories, unseen drawings",
    "named_in_10": "name among the ten nearest",
    "one_shot_l2": "one shot under L2 0.25",
    "one_shot_linf": "one shot under Linf 2/255",
    "shape_over_colour": "shape over colour",
    "shape_over_fill": "shape over fill",
}
ABOUT = f"""\
# The zoo: small models that differ in their training signal

Written by `mmbench zoo cards` from `{RECORD}`. One residual network of 1.2 million parameters at 64 x 64 pixels (for
`vit` and `beit` a transformer of that size), the same drawings, views, steps and schedule; only the signal differs.
Every model stands in for one that a paper used, and is not it. The drawings are OpenMoji's (CC BY-SA 4.0).

All figures are in percent. *One shot*: a view of a drawing finds the other view of it among all, by cosine.
*Categories*: eight of Unicode's, by a ridge classifier, concepts apart. *Name*: the drawing's own name among the ten
nearest texts of its text tower. *Under*: the second view attacked by ten steps of PGD within that budget of pixels in
[0, 1]. *Shape over*: a drawing in another's colours, or filled with another's texture, is nearer to the one with its
shape; 50 is no preference. *Packing*: what storing ten bits a weight took from one shot on unseen drawings, in points,
over 8 pairs of views or, in later trainings, over {sanity.PAIRS}.

![Each model's one-shot accuracy on unseen drawings against that of their categories](zoo.svg)
"""


def write(out: Path) -> list[Path]:
    """Measure what is new, and write record and page into ``out``; their paths."""
    out.mkdir(parents=True, exist_ok=True)
    record, page = out / RECORD, out / PAGE
    known = json.loads(record.read_text(encoding="utf-8"))["models"] if record.exists() else {}
    content = {"schema": SCHEMA, "models": {name: _model(name, known.get(name)) for name in [*shipped(), RANDOM]}}
    for path, text in ((record, json.dumps(content, indent=1) + "\n"), (page, render(content))):
        with atomic(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [record, page]


def _model(name: str, known: dict[str, Any] | None) -> dict[str, Any]:
    """The record of one model: the card's values and the figures."""
    weights, about = ("", None) if name == RANDOM else (digest(name), card(name))
    if known and known["weights"] == weights:
        figures = known["figures"]
    elif about and about.modality == "text":
        figures = _percent({"categories": sanity.names_probe(name)})
    else:
        figures = _percent(_image_figures(name))
    return {"weights": weights, "card": about and _values(about), "figures": figures}


def _image_figures(name: str) -> dict[str, float]:
    plain = sanity.figures([name])[name]
    return {**plain, **robustness.figures([name])[name], "one_shot_seen": sanity.one_shot_seen(name)}


def _percent(figures: dict[str, float]) -> dict[str, float]:
    return {key: round(100 * value, 2) for key, value in figures.items()}


def _values(about: Card) -> dict[str, Any]:
    kept = (
        "recipe",
        "recipe_hash",
        "modality",
        "steps",
        "images_seen",
        "seconds",
        "final_loss",
        "seed",
        "torch",
        "dtype",
    )
    return {key: getattr(about, key) for key in kept} | {"size": about.size, "packing": about.packing}


def render(record: dict[str, Any]) -> str:
    """The page of a record, as Markdown."""
    models = record["models"]
    images = {
        name: model for name, model in models.items() if not model["card"] or model["card"]["modality"] == "image"
    }
    texts = {name: model for name, model in models.items() if name not in images}
    size = sum(model["card"]["size"] for model in models.values() if model["card"])
    seconds = sum(
        {model["card"]["recipe"]: model["card"]["seconds"] for model in models.values() if model["card"]}.values()
    )
    missing = sorted({*RECIPES.names()} - {model["card"]["recipe"] for model in models.values() if model["card"]})
    rows = [
        ABOUT,
        f"{len(models) - 1} models, {size / 1e6:.1f} MB. Their trainings took {seconds / 3600:.1f} hours together: by",
        "the clock less, since most ran two at a time, each on one of two cores and beside other work.",
        f"Recipes that wait for their training: {', '.join(missing) or 'none'}.\n",
        "## Training\n",
        *_table(
            ("model", "signal", "seed", "steps", "views seen", "minutes", "final loss", "packing", "recipe"),
            [_training(name, model["card"]) for name, model in models.items() if model["card"]],
        ),
        "\n## Image models\n",
        *_table(
            ("model", *SHOWN.values()), [_figures(name, model["figures"], SHOWN) for name, model in images.items()]
        ),
        "\n## Text models\n",
        "Categories of the names of unseen drawings, by the same ridge classifier.\n",
        *_table(("model", "categories"), [_figures(name, m["figures"], ("categories",)) for name, m in texts.items()]),
    ]
    return "\n".join(rows) + "\n"


def _training(name: str, about: dict[str, Any]) -> list[str]:
    return [
        f"`{name}`",
        RECIPES.get(about["recipe"]).about,
        str(about["seed"]),
        f"{about['steps']:,}",
        f"{about['images_seen']:,}",
        f"{about['seconds'] / 60:.0f}",
        f"{about['final_loss']:.3f}",
        about["packing"] or "–",
        f"`{about['recipe_hash'][:12]}`",
    ]


def _figures(name: str, figures: dict[str, float], keys: Any) -> list[str]:
    return [f"`{name}`", *(f"{figures[key]:.1f}" if key in figures else "–" for key in keys)]


def _table(head: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    lines = [list(head), ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
