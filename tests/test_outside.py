"""An author outside of this repository: everything that a study needs, brought by her own code, judged by pytest.

She has a dataset, a model that also writes text, a training, a family of inputs that reads it, a probe with settings
and protocol, a metric, roles and a claim. Once they are in an installed distribution, by entry points alone; once in a
conftest, by statements. In both the claim is measured and no file of mmbench is touched.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mmbench
from mmbench.records.files import read_record

sys.path.insert(0, str(Path(__file__).parent))
from distributions import write_distribution

THINGS = '''
"""Images of one colour; a toy that sees their mean colour and can write its name."""

import hashlib
from dataclasses import dataclass

import numpy as np

from mmbench.array_checks import check_features
from mmbench.datasets.entry import Dataset, DatasetEntry, Split
from mmbench.inputs.entry import Family, dataset_part
from mmbench.metrics import Metric
from mmbench.models.entry import Encoder, GeneratorEntry, Identity, ModelEntry, Preprocess
from mmbench.probes.entry import Probe
from mmbench.protocol import Protocol, Settings
from mmbench.seeds import trial_seeds
from mmbench.training.entry import Training

NAMES = ("red", "green", "blue")


class Colours:
    def __init__(self, labels, seed):
        noise = np.random.default_rng(seed).integers(0, 60, (len(labels), 4, 4, 3))
        noise[np.arange(len(labels)), :, :, labels] += 180
        self.pixels = noise.astype(np.uint8)

    def __len__(self):
        return len(self.pixels)

    def image(self, index):
        from PIL import Image

        return Image.fromarray(self.pixels[index])

    def digest(self, index):
        return hashlib.sha256(self.pixels[index].tobytes()).hexdigest()


def splits():
    found = {}
    for seed, (name, n) in enumerate({"train": 30, "test": 60}.items()):
        labels = np.arange(n, dtype=np.int64) % 3
        found[name] = Split(tuple(f"{name}{i}" for i in range(n)), labels, Colours(labels, seed))
    return Dataset("lab_colours", NAMES, found)


DATASET = DatasetEntry("lab_colours", splits, lambda: "colours-1", 3, {"train": 30, "test": 60},
                       about="images of one colour", licence="CC0-1.0")

PLAIN = Preprocess(size=4, resize=4, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
IDENTITY = Identity("toy-1", "mean colour", "output", PLAIN)


def encoder():
    import torch

    def prepare(image):
        return torch.from_numpy(np.array(image, np.float32) / 255).permute(2, 0, 1)

    return Encoder("image", 3, torch.nn.Identity().eval(), lambda batch: batch.mean(dim=(2, 3)), prepare)


def writer():
    """Writes the word whose vector the last one is most like; token 3 is the end."""
    import torch

    from mmbench.models.generators import from_logits

    table = torch.nn.Embedding.from_pretrained(torch.eye(4))
    return from_logits(table, 4, encode=lambda text: [NAMES.index(word) for word in text.split()],
                       decode=lambda line: " ".join(NAMES[token] for token in line), vectors=table,
                       logits=lambda vectors: vectors @ table.weight.T, ends=(3,), room=8)


MODEL = ModelEntry("lab_toy", "image", 3, encoder, lambda: IDENTITY, about="mean colour", licence="CC0-1.0",
                   generator=GeneratorEntry(writer, lambda: IDENTITY))


@dataclass(frozen=True)
class PrefixSettings(Settings):
    ridge: float = 0.1


def gather_pairs(source, models, dataset):
    """Features of the training images, and the vector of the word for each."""
    model, train = source.model(models[0]), source.dataset(dataset).split("train")
    vectors = [v.numpy()[0] for v in model.generator.load().embed(NAMES)]
    return source.features(model, train, f"{dataset}/train"), np.stack(vectors)[train.labels]


def parts_of_pairs(source, models, dataset):
    model = source.model(models[0])
    return [source.feature_key(model), model.generator.identity().as_dict(), source.dataset_entry(dataset).identity()]


def fit_prefix(pairs, settings, seed, checkpoint):
    """Ridge regression from features to word vectors on a part of the rows that is drawn with the seed."""
    x, y = pairs
    rows = np.random.default_rng(seed).permutation(len(x))[: len(x) // 2]
    x = np.c_[x[rows], np.ones(len(rows))]
    weight = np.linalg.solve(x.T @ x + settings.ridge * np.eye(x.shape[1]), x.T @ y[rows])
    return {"weight": weight.astype(np.float32)}


TRAINING = Training("lab_prefix", fit_prefix, gather_pairs, parts_of_pairs, PrefixSettings(), takes="one",
                    about="from features to a prefix of one vector")


@dataclass(frozen=True)
class Written:
    """``texts`` ``[trials][m]``: what the model writes about each test image; ``truth`` int64 ``[m]``."""

    texts: list
    truth: np.ndarray

    def examples(self, test):
        return test.digest()

    def arrays(self):
        yield np.array(self.texts)


def gather(source, cell):
    import torch

    model, test = source.model(cell.models[0]), source.dataset(cell.dataset).split("test")
    x = source.features(model, test, f"{cell.dataset}/test")
    check_features("test features", x, x.shape[1])
    texts = []
    for seed in trial_seeds(cell.protocol.seed, cell.protocol.trials):
        weight = source.trained("lab_prefix", cell.models, cell.dataset, seed)["weight"]
        prefixes = torch.from_numpy(np.c_[x, np.ones(len(x), np.float32)] @ weight)[:, None]
        texts.append(model.generator.load().write(prefixes.float(), max_tokens=1))
    return Written(texts, test.labels)


def parts(source, cell):
    return [dataset_part(source, cell), source.training_key("lab_prefix", cell.models, cell.dataset)]


FAMILY = Family("lab_written", gather, parts, about="what a model writes about each image")


@dataclass(frozen=True)
class NamingSettings(Settings):
    """``shift`` moves every answer on by so many classes: 0 reads what is written."""

    shift: int = 0


def naming(inputs, settings, *, trials, seed, device="cpu"):
    read = np.array([[NAMES.index(text) for text in line] for line in inputs.texts])
    return [(read + s.shift) % len(NAMES) for s in settings]


PROBE = Probe("lab_naming", naming, NamingSettings, inputs="lab_written", takes="one", title="Colours named in writing",
              about="the name of a colour, read off what the model writes")
PROTOCOL = Protocol("lab_naming", "lab_naming", NamingSettings(), metric="lab_near", trials=3)


def near(predictions, labels):
    away = np.abs(predictions - labels)
    return np.select([away == 0, away == 1], [1.0, 0.25], 0.0).astype(np.float32)


METRIC = Metric("lab_near", near, unit="points", scale=10.0, about="ten for the colour, 2.5 for its neighbour")
'''
CLAIMS = """
from mmbench.claims import claim
from mmbench.conditions import cell
from mmbench.forms import Above, AtLeast
from mmbench.lineups.roles import DATASET_ROLES, MODEL_ROLES, Role

SHIFTED = PROTOCOL.at(shift=1)
MODEL_ROLES.add(Role("painter", "a toy that sees colours", kind="labels", own=True))
DATASET_ROLES.add(Role("patches", "images of one colour", own=True))
WHERE = dict(models=("painter",), datasets=("patches",))
claim("smith2031-painter-names-colours", "The painter writes the name of nearly every colour.", "4.2", "Fig. 1",
      expect=AtLeast("painter", 9.0), protocols=(PROTOCOL,), ours="9 of 10 points for nearly every", **WHERE)
claim("smith2031-shift-hurts", "Answers moved on by one class are worse.", "4.3",
      expect=Above(cell(PROTOCOL, "painter", "patches"), cell(SHIFTED, "painter", "patches")),
      protocols=(PROTOCOL, SHIFTED), **WHERE)
"""
ADDED = """
from mmbench.datasets.entry import DATASETS
from mmbench.inputs.entry import FAMILIES
from mmbench.metrics import METRICS
from mmbench.models.entry import MODELS
from mmbench.probes.entry import PROBES
from mmbench.protocol import PROTOCOLS
from mmbench.training.entry import TRAININGS

for registry, entry in ((DATASETS, DATASET), (MODELS, MODEL), (TRAININGS, TRAINING), (FAMILIES, FAMILY),
                        (PROBES, PROBE), (PROTOCOLS, PROTOCOL), (METRICS, METRIC)):
    registry.add(entry)
"""
BENCHMARK = """
import pytest

from mmbench.protocol import PROTOCOLS

PROTOCOL = PROTOCOLS.get("lab_naming")
pytestmark = pytest.mark.mmbench((PROTOCOL, PROTOCOL.at(shift=1)))


def test_cell(model, dataset, scoreboard, benchmark):
    scoreboard.measure(model, dataset, benchmark)


def test_claim(claim, scoreboard):
    verdict = scoreboard.judge(claim)
    assert verdict.outcome == "supported", verdict.explain()
"""
LINEUP = """
[lineup]
name = "lab"
about = "toys"

[models.painter]
spec = "lab_toy"

[datasets.patches]
spec = "lab_colours"
"""
POINTS = {
    "mmbench.datasets": {"lab_colours": "lab_things:DATASET"},
    "mmbench.models": {"lab_toy": "lab_things:MODEL"},
    "mmbench.trainings": {"lab_prefix": "lab_things:TRAINING"},
    "mmbench.inputs": {"lab_written": "lab_things:FAMILY"},
    "mmbench.probes": {"lab_naming": "lab_things:PROBE"},
    "mmbench.protocols": {"lab_naming": "lab_things:PROTOCOL"},
    "mmbench.metrics": {"lab_near": "lab_things:METRIC"},
    "mmbench.claims": {"smith2031": "lab_claims"},
}


@pytest.fixture(params=["distribution", "conftest", "benchmark file"])
def study(request, tmp_path):
    """A folder of hers with benchmark file and lineup, and what must be on the path for it."""
    folder, path = tmp_path / request.param.replace(" ", "_"), [str(Path(mmbench.__file__).parents[1])]
    folder.mkdir()
    (folder / "lineup.toml").write_text(LINEUP)
    (folder / "test_naming.py").write_text(BENCHMARK)
    if request.param == "distribution":
        modules = {"lab_things": THINGS, "lab_claims": f"from lab_things import PROTOCOL\n{CLAIMS}"}
        path.append(str(write_distribution(tmp_path / "site", "colour-lab", POINTS, modules)))
    elif request.param == "conftest":
        (folder / "conftest.py").write_text(THINGS + ADDED + CLAIMS)
    else:
        (folder / "test_naming.py").write_text(THINGS + ADDED + CLAIMS + BENCHMARK)
    return folder, os.environ | {"PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}


def command(study, *arguments):
    folder, environment = study
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_her_claim_is_collected_measured_judged_and_shown(study):
    options = ["-p", "no:cacheprovider", "-W", "error", "--mmbench-lineup", "lineup.toml", "--mmbench-store", "store"]
    code, shown = command(study, "pytest", *options, "--mmbench-offline", "-v")
    assert code == 0, shown
    assert "test_claim[smith2031-painter-names-colours-measured] PASSED" in shown
    assert "test_cell[painter-patches] PASSED" in shown
    assert "3 passed" in shown

    (path,) = (study[0] / ".mmbench" / "runs").glob("*/*.json")
    record = read_record(path)
    assert {(v.claim, v.outcome) for v in record.verdicts} == {
        ("smith2031-painter-names-colours", "supported"),
        ("smith2031-shift-hurts", "supported"),
    }
    assert {(cell.protocol, cell.probe, cell.metric, cell.unit) for cell in record.cells} == {
        ("lab_naming", "lab_naming", "lab_near", "points"),
        ("lab_naming_1", "lab_naming", "lab_near", "points"),
    }
    pages = [page.read_text() for page in (study[0] / ".mmbench").rglob("*.html")]
    assert any("Colours named in writing" in page for page in pages)

    if study[0].name != "conftest":
        return
    warm_code, _ = command(study, "pytest", *options, "-k", "painter-names")
    assert warm_code == 0
    newest = max((study[0] / ".mmbench" / "runs").glob("*/*.json"), key=lambda found: found.stat().st_mtime_ns)
    assert not any(cell.fresh for cell in read_record(newest).cells)  # her code is in the key, and has not changed
