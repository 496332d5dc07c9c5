"""Images that stand in the training split and in the test split of one dataset: a score on them is partly memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmbench.datasets.entry import Dataset, Split


class SharedItems:
    """Says once for each dataset which images both splits have, as soon as both have been used."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, list[bytes]]] = {}

    def use(self, role: str, dataset: Dataset, split: Split) -> bool:
        """Whether ``split`` is used for the first time; a DatasetWarning says which images train and test share."""
        from mmbench.datasets.notes import note
        from mmbench.features.items import item_digests

        name = next((name for name, part in dataset.splits.items() if part is split), "")
        seen = self._seen.setdefault(role, {})
        if name in seen:
            return False
        digests, bad = item_digests(split, "image")
        seen[name] = [b"" if row in bad else bytes(digest) for row, digest in enumerate(digests)]
        if name in ("train", "test") and {"train", "test"} <= seen.keys():
            train = {digest for digest in seen["train"] if digest}
            ids = dataset.split("test").ids
            both = [ids[row] for row, digest in enumerate(seen["test"]) if digest in train]
            note(f"{role} ({dataset.name})", "images of test are in train too", both)
        return True
