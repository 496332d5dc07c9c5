"""How a score is made: a frozen, fingerprinted setting of probe, metric, trials and seed.

Where a paper and its authors' code differ (numbered D-03, D-04, ... here), a protocol has two readings:
``paper`` as printed and ``code`` as released. Both are ordinary protocols; ``Protocol.code`` leads from one to
the other, so a claim can be judged under both.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any, Literal

Reading = Literal["paper", "code"]


@dataclass(frozen=True)
class Settings:
    """What a probe may be told. ``as_code`` holds the fields that the authors' code sets otherwise."""

    def as_code(self) -> Settings:
        return self

    def for_probe(self) -> Settings:
        """These settings without what decides the probe's input or the metric: equal ones need one probe run."""
        return self

    def for_inputs(self) -> tuple[Any, ...]:
        """What of these settings decides the probe's inputs: cells that differ in it are never solved together."""
        return ()

    def counted(self, examples: int) -> int:
        """How many of ``examples`` test examples, from the first on, the metric sees."""
        return examples


@dataclass(frozen=True)
class PrototypeSettings(Settings):
    """Devillers et al. 2021, section 3.1. D-03: the code scores with the mean of unit vectors, not renormalised."""

    shots: int = 5
    renormalise: bool = True

    def as_code(self) -> PrototypeSettings:
        return dataclasses.replace(self, renormalise=False)


@dataclass(frozen=True)
class NeighbourSettings(Settings):
    """Bielawski 2022, section 5.2: 1-NN over all drawn samples. The neighbour metric is not printed; cosine is ours."""

    shots: int = 5
    neighbours: int = 1
    metric: Literal["cosine", "euclidean"] = "cosine"


@dataclass(frozen=True)
class ClusteringSettings(Settings):
    """Devillers et al. 2021, section 3.2.

    D-04a: the paper says cosine; the code takes its absolute value. Negative cosines are set to 0 in the paper
    reading, since an affinity cannot be negative (ours). D-04b: the paper names clusters one to one, greedily; the
    code closes classes but not clusters.
    """

    affinity: Literal["cosine", "absolute"] = "cosine"
    labelling: Literal["one_to_one", "class_first"] = "one_to_one"
    n_init: int = 10

    def as_code(self) -> ClusteringSettings:
        return dataclasses.replace(self, affinity="absolute", labelling="class_first")


@dataclass(frozen=True)
class LinearSettings(Settings):
    """Devillers et al. 2021, section 3.3: Adam, 20 epochs. D-05a: batch 64 (README) or 60 (code).

    D-05b (random crops for every model but CLIP) is not reproduced: features are encoded once, without crops.
    """

    epochs: int = 20
    learning_rate: float = 1e-3
    weight_decay: float = 5e-4
    batch_size: int = 64

    def as_code(self) -> LinearSettings:
        return dataclasses.replace(self, batch_size=60)


@dataclass(frozen=True)
class MLPSettings(Settings):
    """Bielawski 2022, section 5.2: Linear(256), ReLU, Linear; Adam 1e-4, batch 50, early stopping on a validation cut.

    D-10: the code feeds RN50 images that are not normalised (``raw_input`` names the roles). D-11: the code
    averages F1 over full batches of 50, which drops the remainder of the test set. ``validation`` is the share of the
    training rows held out for early stopping when the dataset has no validation split (ours).
    """

    hidden: int = 256
    learning_rate: float = 1e-4
    batch_size: int = 50
    max_epochs: int = 300
    patience: int = 9
    validation: float = 0.1
    raw_input: tuple[str, ...] = ()
    full_batches_only: bool = False

    def as_code(self) -> MLPSettings:
        return dataclasses.replace(self, raw_input=("rn50",), full_batches_only=True)

    def for_probe(self) -> MLPSettings:
        return dataclasses.replace(self, raw_input=(), full_batches_only=False)

    def counted(self, examples: int) -> int:
        dropped = examples % self.batch_size if self.full_batches_only and examples >= self.batch_size else 0
        return examples - dropped


@dataclass(frozen=True)
class LogisticSettings(Settings):
    """Radford et al. 2021: L-BFGS, strength swept on a validation cut, then refitted on all training rows.

    ``shots`` None takes every training row. D-17: the code fixes C = 0.316 and sweeps nothing.
    """

    shots: int | None = None
    strengths: tuple[float, ...] = tuple(10.0**e for e in range(-6, 7, 2))
    steps_per_decade: int = 8
    max_iter: int = 1000
    validation: float = 0.2

    def as_code(self) -> LogisticSettings:
        return dataclasses.replace(self, strengths=(0.316,))


@dataclass(frozen=True)
class ZeroShotSettings(Settings):
    """Radford et al. 2021, section 3.1: each prompt normalised, averaged over templates, normalised again.

    ``templates`` None takes the dataset's own. ``ensemble`` False takes the first template alone.
    """

    templates: tuple[str, ...] | None = None
    ensemble: bool = True
    normalise_each: bool = True

    def for_probe(self) -> ZeroShotSettings:
        return dataclasses.replace(self, templates=None, ensemble=True)

    def for_inputs(self) -> tuple[Any, ...]:
        return (self.templates, self.ensemble)


@dataclass(frozen=True)
class PrintedSettings(Settings):
    """A number that a paper prints and no probe of ours makes (a count, a cited score)."""


@dataclass(frozen=True)
class Protocol:
    """One way of making a score.

    ``metric`` judges single-label datasets, ``multilabel_metric`` those with several labels. ``trials`` counts
    draws, or seeds where the probe trains. ``layer`` is the encoder's layer whose features are probed.
    """

    name: str
    probe: str
    settings: Settings
    metric: str = "accuracy"
    multilabel_metric: str | None = None
    trials: int = 1
    seed: int = 0
    reading: Reading = "paper"
    layer: str = "output"

    def over(self, **axes: tuple[Any, ...]) -> tuple[Protocol, ...]:
        """This protocol at every combination of the named settings: ``FEW_SHOT.over(shots=(1, 5, 10))``."""
        combos = itertools.product(*axes.values())
        return tuple(self.at(**dict(zip(axes, combo, strict=True))) for combo in combos)

    def at_layer(self, layer: str) -> Protocol:
        """This protocol on the features of another layer of the encoder."""
        return dataclasses.replace(self, name=f"{self.name}@{layer}", layer=layer)

    def at(self, **changed: Any) -> Protocol:
        """This protocol with some settings changed and the values appended to its name."""
        name = "_".join([self.name, *(str(value) for value in changed.values())])
        return dataclasses.replace(self, name=name, settings=dataclasses.replace(self.settings, **changed))

    def __hash__(self) -> int:
        # The generated hash walks every setting; claims look cells up by the thousand, and names tell protocols apart.
        return hash((self.name, self.reading, self.seed))

    @property
    def code(self) -> Protocol | None:
        """The ``code`` reading of this protocol, or None where paper and code agree."""
        settings = self.settings.as_code()
        if self.reading == "code" or settings == self.settings:
            return None
        return dataclasses.replace(self, settings=settings, reading="code")

    def fingerprint(self) -> str:
        """Sixteen hex digits of a SHA-256 over every field but the name: change a setting and nothing old is reused."""
        fields = dataclasses.asdict(self) | {"settings_type": type(self.settings).__name__}
        del fields["name"]
        if self.layer == "output":  # as before there were layers, so that older records can be compared
            del fields["layer"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


class Roles(tuple[str, ...]):
    """Model roles in the order in which a probe takes them; what several mean is the probe's to say.

    ``Roles("clip", "clip_t")`` reads ``clip+clip_t`` wherever it is shown. Nothing parses that text.
    """

    __slots__ = ()

    def __new__(cls, *names: str) -> Roles:
        return super().__new__(cls, names)

    @classmethod
    def of(cls, models: Models) -> Roles:
        """One role, or several, as Roles."""
        return models if isinstance(models, Roles) else cls(models)

    def __getnewargs__(self) -> tuple[str, ...]:  # so that it can be copied and sent to workers
        return tuple(self)

    def __str__(self) -> str:
        return "+".join(self)

    def __repr__(self) -> str:
        return f"Roles({', '.join(map(repr, self))})"


Models = str | Roles


@dataclass(frozen=True)
class Cell:
    """Protocol x models x dataset: the unit that is measured and stored once.

    ``models`` are roles in the order in which the probe takes them (one role may be given as a string). ``dataset`` is
    a role.
    """

    protocol: Protocol
    models: Roles
    dataset: str

    def __init__(self, protocol: Protocol, models: Models, dataset: str) -> None:
        object.__setattr__(self, "protocol", protocol)
        object.__setattr__(self, "models", Roles.of(models))
        object.__setattr__(self, "dataset", dataset)

    def __str__(self) -> str:
        return f"{self.protocol.name}[{self.models}, {self.dataset}]"


FEW_SHOT = Protocol("few_shot", "prototypes", PrototypeSettings(), trials=10)
CLUSTERING = Protocol("clustering", "spectral", ClusteringSettings(), trials=5)
LINEAR_PROBE = Protocol("linear_probe", "linear", LinearSettings(), trials=5)
MLP_HEAD = Protocol("mlp_head", "mlp", MLPSettings(), multilabel_metric="f1_samples", trials=5)
NEIGHBOURS = Protocol("neighbours", "neighbours", NeighbourSettings(), multilabel_metric="f1_samples", trials=10)
LOGISTIC = Protocol("logistic", "logistic", LogisticSettings(), trials=1)
ZERO_SHOT = Protocol("zero_shot", "zero_shot", ZeroShotSettings(), trials=1)
ZERO_SHOT_ONE_PROMPT = Protocol("zero_shot_one_prompt", "zero_shot", ZeroShotSettings(ensemble=False), trials=1)
PRINTED = Protocol("printed", "none", PrintedSettings(), trials=1)
