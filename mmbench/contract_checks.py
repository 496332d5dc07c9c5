"""Contract checks: what must be true of every registered entry of any kind, of every claim and lineup.

``contract()`` yields each check under an id such as ``dataset-mnist5k-counts``. A new entry is covered before its
author writes a test, also one of another distribution: run these checks in a test of one's own, as
tests/test_contract.py does. A check raises AssertionError (or the error of the thing at fault) and returns nothing.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mmbench.claims import Claim
    from mmbench.datasets.entry import Dataset, DatasetEntry, Split
    from mmbench.datasets.masks import Mask
    from mmbench.metrics import Metric
    from mmbench.models.entry import ModelEntry
    from mmbench.probes.entry import Probe
    from mmbench.protocol import Protocol
    from mmbench.training.entry import Training

Check = tuple[str, Callable[[], None]]


def contract() -> Iterator[Check]:
    """Every check of every entry, as ``(id, check)``; nothing is loaded until a check is called."""
    from mmbench.claims import CLAIMS
    from mmbench.datasets.entry import DATASETS
    from mmbench.datasets.masks import MASKS
    from mmbench.datasets.source import SOURCES as DATASET_SOURCES
    from mmbench.inputs.entry import FAMILIES
    from mmbench.lineups import DATASET_ROLES, MODEL_ROLES, lineup_names
    from mmbench.metrics import METRICS
    from mmbench.models.entry import MODELS
    from mmbench.models.sources import SOURCES as MODEL_SOURCES
    from mmbench.probes.entry import PROBES
    from mmbench.protocol import PROTOCOLS
    from mmbench.training.entry import TRAININGS

    kinds: list[tuple[str, Iterable[Any], list[Callable[..., None]]]] = [
        ("dataset", DATASETS, DATASET_CHECKS),
        ("model", MODELS, MODEL_CHECKS),
        ("protocol", PROTOCOLS, PROTOCOL_CHECKS),
        ("probe", PROBES, PROBE_CHECKS),
        ("metric", METRICS, METRIC_CHECKS),
        ("inputs", FAMILIES, [says_what_it_is]),
        ("training", TRAININGS, [says_what_it_is, settings_are_values]),
        ("mask", MASKS, [says_what_it_is, mask_identity_is_stable]),
        ("dataset_source", DATASET_SOURCES, [form_begins_with_its_name]),
        ("model_source", MODEL_SOURCES, [form_begins_with_its_name]),
        ("model_role", MODEL_ROLES, [says_what_it_is]),
        ("dataset_role", DATASET_ROLES, [says_what_it_is]),
        ("claim", CLAIMS, CLAIM_CHECKS),
    ]
    for kind, entries, checks in kinds:
        for entry in entries:
            yield from _named(f"{kind}-{entry.name}", checks, entry)
    for check in ZOO_CHECKS:
        yield f"zoo-{check.__name__}", check
    for name in lineup_names():
        yield f"lineup-{name}-covers_the_claims", lambda name=name: lineup_covers_the_claims(name)  # type: ignore[misc]


def _named(prefix: str, checks: list[Callable[..., None]], entry: object) -> Iterator[Check]:
    for check in checks:
        yield f"{prefix}-{check.__name__}", lambda check=check: check(entry)  # type: ignore[misc]


# the zoo


def no_unseen_drawing_is_trained_on() -> None:
    """Every batch is made of rows of the training corpus, which holds no drawing of an evaluation concept."""
    from mmbench.datasets import openmoji
    from mmbench.zoo.frozen.corpus import training_corpus

    listing = openmoji.catalogue()
    shown = set(training_corpus().ids)
    assert shown == {item.id for item in listing if not item.evaluation}
    assert shown.isdisjoint(listing[row].id for row in openmoji.unseen())


def no_unseen_concept_is_named() -> None:
    """No caption names a drawing or a concept that evaluation shows: captions are made of the corpus's names."""
    from mmbench.datasets import openmoji
    from mmbench.zoo.frozen.corpus import training_corpus

    corpus, listing = training_corpus(), openmoji.catalogue()
    named = {
        word.lower() for name, others in zip(corpus.names, corpus.keywords, strict=True) for word in (name, *others)
    }
    assert named.isdisjoint(listing[row].concept for row in openmoji.unseen())
    assert named.isdisjoint(listing[row].name.lower() for row in openmoji.unseen())


ZOO_CHECKS = [no_unseen_drawing_is_trained_on, no_unseen_concept_is_named]


# datasets


def counts(entry: DatasetEntry) -> None:
    """Splits, sizes, classes and task are the declared ones, and labels lie in range."""
    dataset = entry.load()
    assert {name: len(split) for name, split in dataset.splits.items()} == entry.counts
    assert len(dataset.classes) == len(set(dataset.classes)) == entry.classes
    assert dataset.task == entry.task
    for name, split in dataset.splits.items():
        assert len(set(split.ids)) == len(split), f"{name} repeats an id"
        assert len(split.labels) == len(split)
        if entry.task == "single":
            assert split.labels.dtype == np.int64
            assert set(np.unique(split.labels)) == set(range(entry.classes)), f"{name} lacks a class"
        else:
            assert split.labels.dtype == bool
            assert split.labels.shape == (len(split), entry.classes)
            assert split.labels.any(axis=0).all(), f"{name} lacks a label"


def groups_fit(entry: DatasetEntry) -> None:
    """Groups name a thing for every item, each shared by no more than half of a split; those of one item are left out.

    Splits may differ in whether they have groups; what the things are called may not.
    """
    found = [split.groups for split in entry.load().splits.values() if split.groups is not None]
    assert len({groups.kind for groups in found}) <= 1, f"{entry.name}: one word for what items were made from"
    for groups in found:
        things, counts = np.unique(groups.of[groups.of >= 0], return_counts=True)
        assert counts.max() > 1, f"{entry.name}: no two items share one of their {groups.kind}; leave groups out"
        assert counts.max() <= len(groups) / 2, f"{entry.name}: one of {len(things)} {groups.kind} is in most items"


def modalities(entry: DatasetEntry) -> None:
    """Every split holds what the entry declares: RGB images, texts that are not empty."""
    for split in entry.load().splits.values():
        assert (split.images is not None) == ("image" in entry.modalities)
        assert (split.texts is not None) == ("text" in entry.modalities)
        if split.images is not None:
            assert len(split.images) == len(split)
            assert split.images.image(0).mode == "RGB"
        if split.texts is not None:
            assert len(split.texts) == len(split)
            assert all(text.strip() for text in split.texts)


def splits_share_no_item(entry: DatasetEntry) -> None:
    """No train item (by content: its images, or its texts where there are no images) is a test item."""
    dataset = entry.load()
    train, test = _content(dataset.split("train")), _content(dataset.split("test"))
    assert not train & test, f"{len(train & test)} items of {entry.name} are in train and test"


def second_load_is_identical(entry: DatasetEntry) -> None:
    first, second = _fingerprint(entry.load()), _fingerprint(entry.load())
    assert first == second
    assert entry.identity() == entry.identity()


def ceilings_are_scores(entry: DatasetEntry) -> None:
    """Every ceiling lies above the score of one constant answer, and no higher than the metric goes."""
    from mmbench.metrics import METRICS, USUAL

    metric = METRICS.get(USUAL[entry.task])
    for ceiling in entry.ceilings:
        found, chance = ceiling.score(), metric.scale * metric.chance(entry.load().split("test").labels)
        assert chance < found <= metric.scale, f"{entry.name}: {found} for {ceiling.given} alone"


def prompts_have_names(entry: DatasetEntry) -> None:
    """Every class has a name and every template one place for it; no two classes have the same prompts."""
    from mmbench.datasets.prompts import prompt_texts

    if entry.templates:  # a dataset without templates has classes without names
        prompts = prompt_texts(entry.load(), entry.templates)
        assert len({*prompts}) == len(prompts), f"{entry.name}: two classes have the same prompts"


def credit_is_given(entry: DatasetEntry) -> None:
    assert entry.about, f"{entry.name} says nothing about itself"
    assert entry.licence, f"{entry.name} names no licence"


def _content(split: Split) -> set[str]:
    if split.images is not None:
        return {split.images.digest(i) for i in range(len(split))}
    return {split.text_digest(i) for i in range(len(split))}


def _fingerprint(dataset: Dataset) -> dict[str, tuple[str, int]]:
    return {name: (split.digest(), hash(frozenset(_content(split)))) for name, split in dataset.splits.items()}


DATASET_CHECKS: list[Callable[..., None]] = [
    counts, groups_fit, modalities, splits_share_no_item, second_load_is_identical, ceilings_are_scores,
    prompts_have_names, credit_is_given,
]  # fmt: skip


# models


def features_are_invariant(entry: ModelEntry) -> None:
    """Width and finiteness as declared; same features in other batches, in another order, with workers, and again."""
    from mmbench.datasets.entry import DATASETS
    from mmbench.features import invariance

    encoder, split = entry.load(), DATASETS.get("sentiment").load().split("test")
    assert (encoder.modality, encoder.dim) == (entry.modality, entry.dim)
    for check in invariance.CHECKS.values():
        check(encoder, split, name=entry.name)  # type: ignore[operator]


def identity_is_cheap_and_stable(entry: ModelEntry) -> None:
    first = entry.identity()
    assert first == entry.identity()
    assert first.weights is not None, f"{entry.name} cannot be identified, so nothing of it is ever stored"
    assert (first.preprocess is not None) == (entry.modality == "image")


def origin_is_given(entry: ModelEntry) -> None:
    assert entry.about, f"{entry.name} says nothing about itself"
    assert entry.licence, f"{entry.name} names no licence"


MODEL_CHECKS: list[Callable[..., None]] = [features_are_invariant, identity_is_cheap_and_stable, origin_is_given]


# protocols


def fingerprint_sees_every_field(entry: Protocol) -> None:
    """A change of any field but the labels changes the fingerprint; the code reading never shares the paper's."""
    changed = {"probe": "other", "metric": "other", "multilabel_metric": "other", "trials": 99, "seed": 99}
    prints = {entry.fingerprint()} | {
        dataclasses.replace(entry, **{name: value}).fingerprint()  # type: ignore[arg-type]
        for name, value in changed.items()
    }
    assert len(prints) == len(changed) + 1
    if entry.code is not None:
        assert entry.code.fingerprint() not in prints
        assert entry.code.code is None


def names_what_is_registered(entry: Protocol) -> None:
    """Its probe and its metrics are registered, and its settings are those that the probe takes."""
    from mmbench.metrics import METRICS
    from mmbench.probes.entry import PROBES

    assert isinstance(entry.settings, PROBES.get(entry.probe).settings)
    for metric in (entry.metric, entry.multilabel_metric):
        assert metric is None or METRICS.get(metric)


PROTOCOL_CHECKS: list[Callable[..., None]] = [fingerprint_sees_every_field, names_what_is_registered]


# what protocols and datasets are made of


def says_what_it_is(entry: Any) -> None:
    assert entry.about, f"{entry.name} says nothing about itself; fill its field about"


def settings_are_values(entry: Training) -> None:
    """They have defaults and go into a key as JSON."""
    assert type(entry.settings)() is not None
    assert json.loads(json.dumps(dataclasses.asdict(entry.settings))) is not None


def figure_has_a_title(entry: Probe) -> None:
    assert entry.title, f"{entry.name} has no title for its figure; fill its field title"


def takes_what_it_is_given(entry: Probe) -> None:
    """Its inputs are a registered family; it takes trials, seed and device by name; its settings have defaults."""
    from mmbench.inputs.entry import FAMILIES

    assert entry.inputs in FAMILIES, f"no family of inputs is named {entry.inputs!r}"
    given = dict.fromkeys(("trials", "seed", "device"))
    inspect.signature(entry.run).bind(None, [entry.settings()], **given)


PROBE_CHECKS: list[Callable[..., None]] = [says_what_it_is, figure_has_a_title, takes_what_it_is_given]


def bounds_are_in_order(entry: Metric) -> None:
    assert entry.low < entry.high
    assert entry.scale > 0


METRIC_CHECKS: list[Callable[..., None]] = [says_what_it_is, bounds_are_in_order]


def mask_identity_is_stable(entry: Mask) -> None:
    assert entry.identity() == entry.identity()


def form_begins_with_its_name(entry: Any) -> None:
    """The form shows how a specification is written."""
    assert entry.form.startswith(f"{entry.name}:"), f"{entry.name} is written as {entry.form!r}"


# claims


def is_placed_and_said(claim: Claim) -> None:
    assert re.fullmatch(r"[a-z]+\d*-[a-z0-9-]+", claim.id), claim.id
    assert claim.where.study
    assert 10 < len(claim.says) < 400
    assert claim.expect is not None or claim.waits_for, "a claim without a form must say what it waits for"


def compiles(claim: Claim) -> None:
    """The form compiles for both kinds of evidence, has leaves, and has a wording."""
    for evidence in ("published", "measured"):
        node = claim.condition(evidence)
        if node is not None:
            assert next(iter(node.leaves()), None) is not None
    if claim.expect is not None:
        assert claim.expect.words()


def part_of_is_registered(claim: Claim) -> None:
    from mmbench.claims import CLAIMS

    assert not claim.part_of or claim.part_of in CLAIMS
    assert not claim.beside or claim.beside in CLAIMS


CLAIM_CHECKS: list[Callable[..., None]] = [is_placed_and_said, compiles, part_of_is_registered]


# lineups


def lineup_covers_the_claims(name: str) -> None:
    """Every role that a measurable claim of mmbench's studies names is bound, or the lineup says why it is not.

    Roles of other people's claims are bound by lineups of their own.
    """
    from mmbench import claims
    from mmbench.claims import CLAIMS
    from mmbench.conditions import cells_of
    from mmbench.lineups import load_lineup

    lineup = load_lineup(name)
    studies = {module.name for module in pkgutil.iter_modules(claims.__path__)} - {"planted"}
    for claim in CLAIMS:
        node = claim.condition("measured")
        if node is None or not claim.measurable or claim.study not in studies:
            continue
        for cell in cells_of(node):
            for role in cell.models:
                assert lineup.covers_model(role), f"{claim.id}: lineup {name} neither binds model {role} nor says why"
            assert lineup.covers_dataset(cell.dataset), (
                f"{claim.id}: lineup {name} neither binds dataset {cell.dataset} nor says why"
            )
