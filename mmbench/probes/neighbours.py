"""Few-shot nearest neighbours over all drawn samples (Bielawski 2022, section 5.4, Fig. 5.3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbench.errors import NotEnoughShots
from mmbench.inputs.labelled import Labelled
from mmbench.probes.draws import draw_shots, drawn_share
from mmbench.probes.entry import PROBES, Probe
from mmbench.protocol import PROTOCOLS, Protocol, Settings
from mmbench.training.tensors import Tensor, blocks, to_tensor, unit_rows


@dataclass(frozen=True)
class NeighbourSettings(Settings):
    """Bielawski 2022, section 5.2: 1-NN over all drawn samples. The neighbour metric is not printed; cosine is ours.

    The reading ``code`` takes what scikit-learn's classifier, which the section names, takes by itself: Euclidean.
    """

    shots: int = 5
    neighbours: int = 1
    metric: Literal["cosine", "euclidean"] = "cosine"

    def as_code(self) -> NeighbourSettings:
        return dataclasses.replace(self, metric="euclidean")


def neighbours(
    arrays: Labelled, settings: Sequence[NeighbourSettings], *, trials: int, seed: int, device: str = "cpu"
) -> list[NDArray[Any]]:
    """Label each test row by its ``neighbours`` nearest drawn rows; all trials and shots are one matrix product.

    One label: the most frequent among the neighbours, the lowest class on a tie, as in scikit-learn. Several labels:
    each label that more than half of the neighbours carry, so with one neighbour all labels of the nearest drawn
    row. Predictions int64 ``[trials, m]`` or bool ``[trials, m, classes]``. Raises NotEnoughShots, naming the class, or
    when more neighbours are asked than rows drawn.
    """
    arrays.check("train", multilabel=True)
    for s in settings:
        if not 1 <= s.neighbours <= arrays.classes * s.shots:
            raise NotEnoughShots(
                f"{s.neighbours} neighbours are asked of {arrays.classes * s.shots} drawn rows "
                f"({s.shots} shots, {arrays.classes} classes); ask for 1 up to that many"
            )
    draws = draw_shots(arrays.train_y, max(s.shots for s in settings), trials, seed, arrays.class_names)
    shape = (trials, len(arrays.test_x), arrays.classes) if arrays.multilabel else (trials, len(arrays.test_x))
    found = [np.empty(shape, dtype=arrays.train_y.dtype if arrays.multilabel else np.int64) for _ in settings]
    for metric in {s.metric for s in settings}:
        chosen = [(s, out) for s, out in zip(settings, found, strict=True) if s.metric == metric]
        for some in blocks(trials, draws[0].size * arrays.test_x.shape[1]):
            _label_block(arrays, metric, draws, some, chosen, device)
    return found


def _label_block(
    arrays: Labelled,
    metric: str,
    draws: NDArray[np.int64],
    some: slice,
    chosen: list[tuple[NeighbourSettings, NDArray[Any]]],
    device: str,
) -> None:
    """Fill the predictions of the trials ``some`` for every setting of one metric."""
    drawn = draws[some]
    rows = arrays.train_x[drawn.reshape(-1)]
    # distances do not change under a shift; near the origin float32 keeps more of their digits
    shift = rows.mean(axis=0) if metric == "euclidean" else np.zeros(1, dtype=np.float32)
    rows = to_tensor(rows - shift, device)
    rows = unit_rows(rows) if metric == "cosine" else rows
    penalty = (rows * rows).sum(dim=1) / 2 if metric == "euclidean" else 0.0
    for part in blocks(len(arrays.test_x), max(len(rows), rows.shape[1])):
        near = to_tensor(arrays.test_x[part] - shift, device) @ rows.T - penalty  # grows as the distance falls
        near = near.reshape(-1, *drawn.shape)
        for setting, predictions in chosen:
            flat = near[..., : setting.shots].flatten(start_dim=2)
            columns = _nearest(flat, setting.neighbours).cpu().numpy()  # [part, trials, neighbours]
            sources = drawn[:, :, : setting.shots].reshape(len(drawn), -1)
            nearest = sources[np.arange(len(drawn))[None, :, None], columns]
            predictions[some, part] = _vote(arrays.train_y[nearest], arrays.classes).swapaxes(0, 1)


def _nearest(near: Tensor, count: int) -> Tensor:
    return near.argmax(dim=-1, keepdim=True) if count == 1 else near.topk(count, dim=-1).indices


def _vote(labels: NDArray[Any], classes: int) -> NDArray[Any]:
    """Winner of labels ``[rows, trials, neighbours(, classes)]``: the mode, or each label's majority."""
    if labels.ndim == 4:
        return 2 * labels.sum(axis=2) > labels.shape[2]
    if labels.shape[2] == 1:
        return labels[..., 0]
    flat = labels.reshape(-1, labels.shape[2])
    votes = np.zeros((len(flat), classes), dtype=np.int32)
    np.add.at(votes, (np.arange(len(flat))[:, None], flat), 1)
    return votes.argmax(axis=1).reshape(labels.shape[:2])


PROBES.add(
    Probe(
        "neighbours",
        neighbours,
        NeighbourSettings,
        pool=drawn_share,
        multilabel=True,
        unnamed=False,
        title="Nearest neighbours, few shots (as Bielawski 2022, Fig. 5.3)",
        about="few-shot nearest drawn rows, many draws",
    )
)
NEIGHBOURS = PROTOCOLS.add(
    Protocol("neighbours", "neighbours", NeighbourSettings(), multilabel_metric="f1_samples", trials=10)
)
