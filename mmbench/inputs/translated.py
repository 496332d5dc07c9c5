"""Test images as vectors that a text decoder reads, translated or not, with the captions to score against.

``TRANSLATIONS`` lists the ways: not at all, a translation that was learnt without pairs or from pairs, and the vector
of a true caption in place of the image, which is the ceiling. The decoder has seen text vectors alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbench.array_checks import check_features
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, BadItem, BadSpec, UnknownName
from mmbench.inputs.entry import FAMILIES, Family, dataset_part
from mmbench.protocol import Cell, Roles
from mmbench.seeds import trial_seeds
from mmbench.source import Source, require_kinds, require_output
from mmbench.training import latent_cyclegan, translators
from mmbench.training.caption_decoder import prefixes
from mmbench.training.entry import Weights
from mmbench.training.unpaired import image_of, image_rows, require_texts

if TYPE_CHECKING:
    from torch import Tensor

DIRECT, TRUE_TEXT = "none", "true_text"
TRANSLATIONS = (DIRECT, TRUE_TEXT, *latent_cyclegan.VARIANTS, *translators.AFFINE)


@dataclass(frozen=True)
class Translated:
    """What captions are written from, for ``n`` test images.

    ``vectors`` float32 ``[trials, n, k]`` is what the decoder reads, ``decoders`` its weights by trial, ``image``
    ``[n, d]`` the images' own vectors. ``references`` are texts ``[n, most]``, empty behind the last of an image.
    ``blank`` bool ``[n]`` marks images that get an empty caption. ``texts(texts)`` gives features of texts,
    ``write(prefixes, ...)`` texts after prefixes of width ``dim``. ``one_space``: whether both encoders share a space.
    ``reduced`` holds settings of the probe that the lineup lowers.
    """

    vectors: NDArray[np.float32]
    image: NDArray[np.float32]
    references: NDArray[np.str_]
    ids: tuple[str, ...]
    decoders: Sequence[Weights]
    texts: Callable[[Sequence[str]], NDArray[np.float32]]
    write: Callable[..., list[str]]
    dim: int
    blank: NDArray[np.bool_]
    one_space: bool
    reduced: Mapping[str, Any] = field(default_factory=dict)
    made_with: dict[str, Any] = field(default_factory=dict)

    @property
    def truth(self) -> NDArray[np.str_]:
        return self.references

    def arrays(self) -> Iterator[NDArray[Any]]:
        yield from (self.vectors, self.image, self.references)

    def examples(self, test: Split) -> str:
        """The digest of the images and their references."""
        said = tuple("\1".join((name, *row)) for name, row in zip(self.ids, self.references.tolist(), strict=True))
        return Split(said, np.zeros(len(said), dtype=np.int64)).digest()

    def prefixes(self, trial: int) -> Tensor:
        """What the language model goes on from, ``[n, prefix, dim]``."""
        return prefixes(self.decoders[trial], self.vectors[trial], self.dim)

    def check(self) -> None:
        """Raise BadFeatures or BadDataset for what no probe can work on."""
        if len(self.ids) < 2:
            raise BadDataset(f"captions are scored over 2 images or more, got {len(self.ids)}")
        width = self.vectors.shape[-1]
        check_features("what the decoder reads", self.vectors.reshape(-1, width), width)


def gather(source: Source, cell: Cell) -> Translated:
    """Fit decoder and translation on the training split, and translate the test images.

    Raises Unmeasured for other encoders and without texts, BadSpec where a translation has fewer networks than trials.
    """
    require_kinds(source, Roles(*cell.models[:2]), ("image", "text"))
    require_output(cell, "captions are written from the output")
    s: Any = cell.protocol.settings
    image, text, writer = (source.model(role) for role in cell.models)
    test, where = require_texts(source, cell.dataset, "test"), f"{cell.dataset}/test"
    reduced = source.reduced(cell.protocol.probe)
    rows = image_rows(test)[: min(s.images, reduced.get("images", s.images))]
    own = source.features(image, test, where)[rows]
    of_text = source.features(text, test, where)[rows]
    seeds = trial_seeds(cell.protocol.seed, cell.protocol.trials)
    decoders = [source.trained(s.decoder, Roles(*cell.models[1:]), cell.dataset, seed) for seed in seeds]
    generator = source.generator(writer)
    return Translated(
        vectors=translated(source, cell, s.translation, own, of_text),
        image=own,
        references=references_of(test, rows),
        ids=tuple(test.ids[row] for row in rows),
        decoders=decoders,
        texts=lambda texts: source.texts(text, texts, f"{cell.dataset}/captions"),
        write=generator.write,
        dim=generator.dim,
        blank=_small(test, rows, min(s.blank_below, reduced.get("blank_below", s.blank_below))),
        one_space=bool(image.space) and image.space == text.space,
        reduced=reduced,
        made_with={"captions_cut": int(decoders[0]["cut"])},
    )


def translated(
    source: Source,
    cell: Cell,
    how: str,
    moved: NDArray[np.float32],
    other: NDArray[np.float32],
    to: latent_cyclegan.Direction = "text",
) -> NDArray[np.float32]:
    """Vectors ``[n, d]`` in each trial's translation, ``[trials, n, k]``; ``other`` are those of their counterparts.

    Raises UnknownName for no translation, and BadSpec for one that does not go that way or has too few networks.
    """
    trials, models = cell.protocol.trials, Roles(*cell.models[:2])
    if how in (DIRECT, TRUE_TEXT):
        return np.stack([moved if how == DIRECT else other] * trials)
    if how not in TRANSLATIONS:
        raise UnknownName("translation", how, TRANSLATIONS)
    weights = source.trained(how, models, cell.dataset, cell.protocol.seed)
    if how in translators.AFFINE:
        if to != "text":
            raise BadSpec(f"{cell}: {how} goes from images to texts; the translations that go back: latent_cyclegan")
        return np.stack([translators.apply(weights, moved)] * trials)
    if (networks := len(weights["text_0_weight"])) < trials:
        raise BadSpec(f"{cell}: {trials} trials need as many networks, and the training {how!r} has {networks}")
    return np.stack([latent_cyclegan.translate(weights, moved, trial, to) for trial in range(trials)])


def references_of(test: Split, rows: NDArray[np.int64]) -> NDArray[np.str_]:
    """The captions of the images whose first items are ``rows``; raises BadItem for an empty one."""
    assert test.texts is not None
    by_image: dict[int, list[str]] = {}
    for image, name, text in zip(image_of(test).tolist(), test.ids, test.texts, strict=True):
        if not text.strip():
            raise BadItem(f"the caption {name} is empty; mend the file of captions, or leave the image out")
        by_image.setdefault(image, []).append(text)
    wanted = [by_image[image] for image in image_of(test)[rows].tolist()]
    most = max(map(len, wanted), default=0)
    return np.array([[*found, *[""] * (most - len(found))] for found in wanted])


def _small(test: Split, rows: NDArray[np.int64], below: int) -> NDArray[np.bool_]:
    """Which images have fewer numbers than ``below``: height times width, times three for a colour image."""
    found = np.zeros(len(rows), dtype=bool)
    if below > 1:
        assert test.images is not None
        for place, row in enumerate(rows.tolist()):
            picture = test.images.image(row)
            found[place] = picture.width * picture.height * 3 < below
    return found


def parts(source: Source, cell: Cell) -> list[Any]:
    """Keys of both encoders, the writer, the decoder and the translation, the dataset, and the settings."""
    s: Any = cell.protocol.settings
    keys = [source.feature_key(source.model(role)) for role in cell.models[:2]]
    keys += [source.generator_key(source.model(cell.models[2]))]
    keys += [source.training_key(s.decoder, Roles(*cell.models[1:]), cell.dataset)]
    if s.translation not in (DIRECT, TRUE_TEXT):
        keys += [source.training_key(s.translation, Roles(*cell.models[:2]), cell.dataset)]
    return [*keys, dataset_part(source, cell), dict(source.reduced(cell.protocol.probe))]


FAMILIES.add(
    Family("translated", gather, parts, own_truth=True, about="test images as vectors for a decoder of text vectors")
)
