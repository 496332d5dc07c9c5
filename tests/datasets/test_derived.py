"""Datasets made from others: items, ids, labels and identities; laziness; what cannot be derived."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench.datasets.derived import MaskedImages, masked, renamed, restricted, trained_on
from mmbench.datasets.entry import DATASETS, Ceiling, Dataset, DatasetEntry, Split
from mmbench.datasets.images import ArrayImages
from mmbench.datasets.masks import MASKS, Mask, mask_of
from mmbench.errors import BadDataset, BadItem, BadSpec, UnknownName

ANIMALS = ("cat", "dog", "emu", "fox")


class Counted(ArrayImages):
    """Images that count how often one is decoded."""

    decoded = 0

    def image(self, index):
        Counted.decoded += 1
        return super().image(index)


def entry(classes=ANIMALS, *, name="animals", modalities=("image", "text"), several=False, each=3, seed=0):
    """``each`` items a class and split, in mixed order; an item's pixels and text name its class."""

    def split(part):
        labels = np.random.default_rng([seed, len(part)]).permutation(np.repeat(np.arange(len(classes)), each))
        ids = tuple(f"{part}-{row}-{classes[label]}" for row, label in enumerate(labels))
        pixels = np.array([ANIMALS.index(classes[label]) * 60 + 5 for label in labels], np.uint8)
        table = np.eye(len(classes), dtype=bool)[labels]
        table[:, 0] |= several
        return Split(
            ids,
            table if several else labels.astype(np.int64),
            Counted(np.tile(pixels[:, None, None, None], (1, 4, 6, 3))) if "image" in modalities else None,
            tuple(f"The {classes[label].title()}" for label in labels) if "text" in modalities else None,
        )

    return DatasetEntry(
        name=name,
        load=lambda: Dataset(
            name, tuple(classes), {part: split(part) for part in ("train", "test")}, "multi" if several else "single"
        ),
        identity=lambda: f"{name} {classes} {modalities} {several} {each} {seed}",
        classes=len(classes),
        counts={"train": each * len(classes), "test": each * len(classes)},
        modalities=modalities,
        task="multi" if several else "single",
        ceilings=(Ceiling("all", lambda: 100.0),),
        credit=f"credit of {name}",
        about=f"About {name}.",
    )


def named_labels(dataset, part):
    """Class names by id."""
    split = dataset.split(part)
    return {item: dataset.classes[label] for item, label in zip(split.ids, split.labels, strict=True)}


def invert(image):
    from PIL import ImageOps

    return ImageOps.invert(image)


INVERT = mask_of(invert, "image", name="invert")
LOUD = Mask("loud", "text", lambda text, item: text.upper(), lambda: "loud 1")


# -- masks ---------------------------------------------------------------------------------------------------------


def test_a_mask_changes_the_images_and_nothing_else():
    parent = entry()
    whole, found = parent.load(), masked(parent, INVERT).load()
    assert found.classes == whole.classes
    for part in ("train", "test"):
        a, b = whole.split(part), found.split(part)
        assert (a.digest(), a.texts) == (b.digest(), b.texts)
        for row in range(len(a)):
            np.testing.assert_array_equal(np.asarray(b.images.image(row)), 255 - np.asarray(a.images.image(row)))


def test_a_mask_changes_the_texts_and_leaves_the_images():
    parent = entry()
    whole, found = parent.load().split("test"), masked(parent, LOUD).load().split("test")
    assert found.texts == tuple(text.upper() for text in whole.texts)
    assert [found.images.digest(row) for row in range(3)] == [whole.images.digest(row) for row in range(3)]
    assert found.ids == whole.ids


def test_nothing_is_decoded_before_an_image_is_asked_for():
    before = Counted.decoded
    made = masked(restricted(entry(), ["cat", "fox"]), INVERT)
    made.identity()
    images = made.load().split("test").images
    digests = images.digests()
    assert Counted.decoded == before
    images.image(0)
    assert Counted.decoded == before + 1
    assert digests == [images.digest(row) for row in range(len(images))]


def test_digests_of_masked_images_depend_on_image_and_mask():
    parent = entry()
    whole = parent.load().split("test").images
    found = masked(parent, INVERT).load().split("test").images
    other = masked(parent, MASKS.get("grey")).load().split("test").images
    digests = [whole.digest(0), found.digest(0), other.digest(0)]
    assert len(set(digests)) == 3
    assert found.digest(0) == masked(entry(name="again"), INVERT).load().split("test").images.digest(0)


def test_a_mask_that_draws_on_its_image_does_not_change_the_parent():
    def blacken(image, item):
        image.paste((0, 0, 0), (0, 0, 6, 4))
        return image

    class Kept:
        picture = entry().load().split("test").images.image(0)

        def __len__(self):
            return 1

        def image(self, index):
            return self.picture

        def digest(self, index):
            return "kept"

    before = np.asarray(Kept.picture).copy()
    assert not np.asarray(MaskedImages(Kept(), ["a"], Mask("b", "image", blacken, str)).image(0)).any()
    np.testing.assert_array_equal(np.asarray(Kept.picture), before)


@pytest.mark.parametrize(
    ("modality", "apply", "message"),
    [
        ("image", lambda image, item: image.convert("L"), r"mask 'bad' gives L of size \(6, 4\) for item 'test-0-\w+', expected an RGB image of size \(6, 4\)"),  # noqa: E501
        ("image", lambda image, item: image.resize((2, 2)), r"gives RGB of size \(2, 2\) for item"),
        ("image", lambda image, item: None, r"gives NoneType of size None for item"),
        ("text", lambda text, item: " ", r"mask 'bad' gives ' ' for item 'train-0-\w+', expected a text that is not empty"),  # noqa: E501
        ("text", lambda text, item: 5, r"gives 5 for item"),
    ],
)  # fmt: skip
def test_what_a_mask_gives_is_checked(modality, apply, message):
    made = masked(entry(), Mask("bad", modality, apply, lambda: "bad"))
    with pytest.raises(BadItem, match=message):
        made.load().split("test").images.image(0)


def test_a_mask_needs_its_modality():
    message = "^mask 'loud' changes texts, and animals has none; it has images$"
    with pytest.raises(BadDataset, match=message):
        masked(entry(modalities=("image",)), LOUD)
    with pytest.raises(BadDataset, match=r"^mask 'invert' changes images, and animals has none; it has texts$"):
        masked(entry(modalities=("text",)), INVERT)
    wrong = dataclasses.replace(entry(modalities=("image",)), modalities=("image", "text"))  # declared, but not there
    with pytest.raises(BadDataset, match=r"^mask 'loud' changes texts, and animals/train has none$"):
        masked(wrong, LOUD).load()


def test_ceilings_of_a_masked_dataset_are_only_those_that_are_given():
    assert masked(entry(), INVERT).ceilings == ()
    assert len(masked(entry(), INVERT, ceilings=entry().ceilings).ceilings) == 1


# -- classes -------------------------------------------------------------------------------------------------------


def test_a_restricted_dataset_keeps_names_ids_and_contents():
    parent = entry()
    made = restricted(parent, ["fox", "cat"])
    whole, found = parent.load(), made.load()
    assert found.classes == ("cat", "fox")
    assert (found.name, made.classes) == (made.name, 2)
    for part in ("train", "test"):
        split = found.split(part)
        expected = {item: name for item, name in named_labels(whole, part).items() if name in found.classes}
        assert named_labels(found, part) == expected
        assert list(expected) == list(split.ids), "in the parent's order"
        assert split.labels.dtype == np.int64
        rows = [whole.split(part).ids.index(item) for item in split.ids]
        assert split.texts == tuple(whole.split(part).texts[row] for row in rows)
        assert split.images.digests() == [whole.split(part).images.digest(row) for row in rows]
        for at, row in enumerate(rows):
            np.testing.assert_array_equal(
                np.asarray(split.images.image(at)), np.asarray(whole.split(part).images.image(row))
            )


def test_a_restricted_dataset_of_several_labels_keeps_the_items_that_have_one():
    whole, found = entry(several=True).load(), restricted(entry(several=True), ["dog", "emu"]).load()
    rows = whole.split("test").labels[:, 1:3].any(axis=1)
    assert 0 < rows.sum() < len(rows)
    np.testing.assert_array_equal(found.split("test").labels, whole.split("test").labels[rows][:, 1:3])
    assert found.split("test").ids == tuple(np.array(whole.split("test").ids)[rows])


def test_a_class_that_the_parent_lacks_is_named_with_the_nearest():
    with pytest.raises(UnknownName, match=r"^no class of animals named 'fix'\. Did you mean 'fox'\?$"):
        restricted(entry(), ["cat", "fix"]).load()


def test_a_restriction_that_leaves_no_item_says_so():
    parent = entry()

    def without_cats():
        whole = parent.load()
        test = whole.split("test")
        rows = [row for row, item in enumerate(test.ids) if "cat" not in item and "dog" not in item]
        kept = Split(tuple(test.ids[row] for row in rows), test.labels[rows])
        return dataclasses.replace(whole, splits={**whole.splits, "test": kept})

    made = restricted(dataclasses.replace(parent, load=without_cats), ["cat", "dog"])
    message = (
        "^animals restricted to the classes 'cat', 'dog' has no item left in 'test': none of its 6 items has one of "
        "them$"
    )
    with pytest.raises(BadDataset, match=message):
        made.load()


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["cat"], "^animals restricted to 1 classes, expected two or more$"),
        ([], "^animals restricted to 0 classes"),
        (["cat", "dog", "cat"], "^animals restricted to classes: 'cat' is given twice$"),
    ],
)
def test_a_restriction_needs_two_different_classes(classes, message):
    with pytest.raises(BadSpec, match=message):
        restricted(entry(), classes)


# -- train of one, test of another ---------------------------------------------------------------------------------


def test_classes_of_two_datasets_are_matched_by_name():
    first, second = entry(name="first"), entry(ANIMALS[::-1], name="second", seed=1)
    found = trained_on(first, tested_on=second).load()
    assert found.classes == ANIMALS[::-1]
    assert named_labels(found, "train") == named_labels(first.load(), "train")
    assert named_labels(found, "test") == named_labels(second.load(), "test")
    assert found.split("test").digest() == second.load().split("test").digest(), "pairs with scores on the parent"
    assert all(item.endswith(name) for item, name in named_labels(found, "train").items())


def test_several_labels_of_two_datasets_are_matched_by_name():
    turned = ("dog", "emu", "cat", "fox")
    first, second = entry(name="first", several=True), entry(turned, name="second", several=True)
    found = trained_on(first, tested_on=second).load().split("train")
    np.testing.assert_array_equal(found.labels, first.load().split("train").labels[:, [1, 2, 0, 3]])


@given(st.permutations(ANIMALS), st.permutations(ANIMALS))
def test_any_two_orders_of_the_classes_match(one, other):
    first = entry(tuple(one), name="first")
    found = trained_on(first, tested_on=entry(tuple(other), name="second")).load()
    assert named_labels(found, "train") == named_labels(first.load(), "train")


def test_only_modalities_of_both_are_kept():
    made = trained_on(entry(name="first"), tested_on=entry(name="second", modalities=("text",)))
    assert made.modalities == ("text",)
    assert all(split.images is None and split.texts for split in made.load().splits.values())


def test_what_two_datasets_declare_is_joined():
    made = trained_on(entry(name="first", each=2), tested_on=entry(name="second", each=5))
    assert made.counts == {"train": 8, "test": 20}
    assert made.counts == {name: len(split) for name, split in made.load().splits.items()}
    assert made.credit == "credit of first; credit of second"


def test_two_datasets_that_do_not_fit_are_refused():
    with pytest.raises(
        BadDataset,
        match=r"^expected the same classes in a \(train\) and b \(test\); only in train: 'emu', 'fox'; only in test: "
        r"none; restrict both to the 2 that they share \(restricted:DATASET\?classes=\.\.\.\)$",
    ):
        trained_on(entry(name="a"), tested_on=entry(("cat", "dog"), name="b")).load()
    with pytest.raises(BadDataset, match=r"choose datasets that share two classes or more, or rename classes$"):
        trained_on(entry(("cat", "dog"), name="a"), tested_on=entry(("emu", "fox"), name="b")).load()
    with pytest.raises(BadDataset, match=r"the first has image, the second text; expected a modality that both have$"):
        trained_on(entry(modalities=("image",)), tested_on=entry(modalities=("text",)))
    with pytest.raises(BadDataset, match=r"expected the same task of both, found 'single' and 'multi' labels an item$"):
        trained_on(entry(), tested_on=entry(several=True))
    tests_only = dataclasses.replace(
        entry(), load=lambda: dataclasses.replace(entry().load(), splits={"test": entry().load().split("test")})
    )
    with pytest.raises(BadDataset, match=r"^animals has no split 'train' to train on; it has test$"):
        trained_on(tests_only, tested_on=entry()).load()


def test_long_lists_of_classes_are_shortened():
    many = tuple(f"c{number}" for number in range(9))
    first = dataclasses.replace(entry(), load=lambda: dataclasses.replace(entry().load(), classes=many))
    with pytest.raises(BadDataset, match="only in train: 'c0', 'c1', 'c2', 'c3', 'c4' and 4 more; only in test: 'cat'"):
        trained_on(first, tested_on=entry()).load()


# -- names ---------------------------------------------------------------------------------------------------------


def test_classes_are_renamed_in_order_or_by_name():
    new = ("a cat", "a dog", "an emu", "a fox")
    assert renamed(entry(), new).load().classes == new
    assert renamed(entry(), {"emu": "an emu"}).load().classes == ("cat", "dog", "an emu", "fox")
    whole, found = entry().load().split("test"), renamed(entry(), new).load().split("test")
    assert whole.digest() == found.digest()


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (("a", "b"), BadDataset, "^my.txt has 2 class names, expected 4 for animals$"),
        (("a", "b", "a", "c"), BadDataset, "^my.txt gives the name 'a' to several classes of animals$"),
        ({"cta": "a cat"}, UnknownName, "^no class of animals named 'cta'. Did you mean 'cat'"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, error, message):
    with pytest.raises(error, match=message):
        renamed(entry(), names, where="my.txt").load()


# -- identity and composition --------------------------------------------------------------------------------------


def test_every_derivation_has_an_identity_of_its_own():
    parent, other = entry(), entry(name="other")
    made = [
        parent,
        other,
        masked(parent, INVERT),
        masked(parent, LOUD),
        masked(other, INVERT),
        restricted(parent, ["cat", "dog"]),
        restricted(parent, ["cat", "emu"]),
        restricted(other, ["cat", "dog"]),
        trained_on(parent, tested_on=other),
        trained_on(other, tested_on=parent),
        renamed(parent, {"cat": "a cat"}),
        masked(restricted(parent, ["cat", "dog"]), INVERT),
    ]
    assert len({each.identity() for each in made}) == len(made)
    assert restricted(parent, ["dog", "cat"]).identity() == restricted(parent, ["cat", "dog"]).identity()


def test_an_identity_follows_parent_mask_and_program(monkeypatch):
    parent = entry()
    before = masked(parent, INVERT).identity()
    assert before == masked(parent, INVERT).identity()
    changed = dataclasses.replace(parent, identity=lambda: "other content")
    assert masked(changed, INVERT).identity() != before
    assert masked(parent, dataclasses.replace(INVERT, identity=lambda: "2")).identity() != before
    monkeypatch.setattr("mmbench.datasets.derived.program_digest", lambda module, rooms: f"{module} changed")
    assert masked(parent, INVERT).identity() != before


def test_derivations_compose_in_either_order():
    one = masked(restricted(entry(), ["cat", "fox"]), INVERT).load().split("test")
    two = restricted(masked(entry(), INVERT), ["cat", "fox"]).load().split("test")
    assert one.digest() == two.digest()
    assert one.images.digests() == two.images.digests()
    both = trained_on(
        restricted(entry(name="a"), ["dog", "emu"]), tested_on=masked(restricted(entry(), ["emu", "dog"]), LOUD)
    )
    assert both.load().split("test").texts[0].isupper()
    assert not both.load().split("train").texts[0].isupper()


def test_derived_datasets_share_pixels_of_the_lineups_own():
    flags = DATASETS.get("flags")
    few = restricted(flags, ["flag of Chile", "flag of Japan"])
    found = few.load()
    assert {name: len(split) for name, split in found.splits.items()} == {"train": 24, "test": 20}
    assert set(found.split("test").ids) < set(flags.load().split("test").ids)
    assert (few.templates, few.credit, few.modalities) == (flags.templates, flags.credit, flags.modalities)
