"""Time of each probe against scikit-learn, or plain PyTorch, doing the same work in the same run.

The ratio (the reference's time over ours) is in ``extra_info["ratio"]`` and printed when the module is done. No time is
asserted: a loaded machine is no failure. Deselected unless asked for: ``pytest benchmarks/test_timings.py
--mmbench-timings``.
"""

import time
import warnings
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from mmbench.attacks.pgd import Threat, random_change
from mmbench.attacks.sweep import Sweep, sweep
from mmbench.inputs.labelled import Labelled
from mmbench.inputs.pair import Pair, Side
from mmbench.inputs.prompts import Prompted
from mmbench.probes.attack_sweep import EPSILONS
from mmbench.probes.draws import draw_shots
from mmbench.probes.entry import PROBES
from mmbench.probes.mlp import MLPSettings
from mmbench.probes.neighbours import NeighbourSettings
from mmbench.probes.prototypes import PrototypeSettings
from mmbench.probes.rdm import RDMSettings
from mmbench.probes.spectral import ClusteringSettings
from mmbench.probes.zero_shot import ZeroShotSettings
from mmbench.seeds import trial_seeds
from mmbench.training.heads import LinearSettings

pytestmark = pytest.mark.timing
SEED = 0


@pytest.fixture(scope="module")
def arrays() -> Labelled:
    """2,000 training and 1,000 test rows of ten Gaussian classes in 256 dimensions."""
    rng = np.random.default_rng(SEED)
    means = 0.15 * rng.standard_normal((10, 256))

    def rows(count):
        y = np.arange(count) % 10
        return (means[y] + rng.standard_normal((count, 256))).astype(np.float32), y

    return Labelled(*rows(2000), *rows(1000), tuple(f"class {i}" for i in range(10)))


@pytest.fixture(scope="module")
def lines(request):
    """What to print at the end of the module, one line a probe."""
    lines = []
    yield lines
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and lines:
        with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
            terminal.write_line("")
            for line in lines:
                terminal.write_line(line)


@pytest.fixture
def against(benchmark, arrays, lines):
    """Time a probe with pytest-benchmark, then the reference by the same clock: one warm-up, best of the rounds."""

    def compare(name, settings, trials, library, reference, rounds=3, data=arrays):
        run = PROBES.get(name).run
        wanted = {"trials": trials, "seed": SEED}
        ours = benchmark.pedantic(run, (data, settings), wanted, rounds=rounds, warmup_rounds=1)
        theirs = reference()
        best = min(_seconds(reference) for _ in range(rounds))
        benchmark.extra_info |= {"against": library, "against_s": best}
        if benchmark.stats is not None:  # --benchmark-disable leaves none
            benchmark.extra_info["ratio"] = best / benchmark.stats.stats.min
            lines.append(_line(name, benchmark.stats.stats.min, library, best))
        return ours, theirs

    return compare


def _line(name: str, ours: float, reference: str, theirs: float) -> str:
    return f"{name:11} {ours:8.3f} s   {reference:45} {theirs:8.3f} s   ratio {theirs / ours:5.1f}"


def _seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_extraction(benchmark, lines):
    """256 drawings through the zoo's backbone in batches, against one image at a time as many scripts do."""
    from mmbench.datasets.entry import DATASETS
    from mmbench.features.encode import encode_rows
    from mmbench.models.entry import MODELS

    encoder, split = MODELS.get("zoo:random").load(), DATASETS.get("concepts").load().split("train")
    rows = list(range(256))
    ours = benchmark.pedantic(encode_rows, (encoder, split, rows), {"batch_size": 64}, rounds=3, warmup_rounds=1)
    best = min(_seconds(lambda: encode_rows(encoder, split, rows, batch_size=1)) for _ in range(2))
    benchmark.extra_info |= {"against": "one image at a time", "against_s": best}
    if benchmark.stats is not None:
        fastest = benchmark.stats.stats.min
        benchmark.extra_info |= {"ratio": best / fastest, "images_per_second": len(rows) / fastest}
        lines.append(_line("extraction", fastest, "one image at a time", best))
    assert ours.shape == (256, encoder.dim)


def test_few_shot(benchmark, lines):
    """Ten draws of five drawings of 20 classes, encoded once, against encoding draw and test set each time.

    The latter is what the code of Devillers et al. 2021 does.
    """
    from mmbench.datasets.entry import DATASETS
    from mmbench.features.encode import encode_rows
    from mmbench.models.entry import MODELS

    encoder, data = MODELS.get("zoo:random").load(), DATASETS.get("concepts").load()
    rows = {name: np.flatnonzero(data.split(name).labels < 20) for name in ("train", "test")}
    labels = {name: np.asarray(data.split(name).labels)[rows[name]] for name in rows}
    names = tuple(data.classes[:20])

    def encoded(name, some):
        return encode_rows(encoder, data.split(name), some.tolist(), batch_size=64)

    def few_shot(train, train_labels, test, trials):
        made = Labelled(train, train_labels, test, labels["test"], names)
        return PROBES.get("prototypes").run(made, [PrototypeSettings(5)], trials=trials, seed=SEED)[0]

    def once():
        both = (encoded(name, rows[name]) for name in ("train", "test"))
        return few_shot(next(both), labels["train"], next(both), 10)

    def each_time():
        found = []
        for drawn in draw_shots(labels["train"], 5, 10, SEED, names).reshape(10, -1):
            x, test = encoded("train", rows["train"][drawn]), encoded("test", rows["test"])
            found.append(few_shot(x, labels["train"][drawn], test, 1)[0])
        return found

    ours = benchmark.pedantic(once, rounds=3, warmup_rounds=1)
    theirs = each_time()
    best = min(_seconds(each_time) for _ in range(2))
    benchmark.extra_info |= {"against": "encoding for every draw", "against_s": best}
    if benchmark.stats is not None:
        fastest = benchmark.stats.stats.min
        benchmark.extra_info["ratio"] = best / fastest
        lines.append(_line("few-shot", fastest, "encoding for every draw, as the authors do", best))
    assert (np.array(ours) == np.array(theirs)).mean() > 0.999


def test_prototypes(against, arrays):
    from sklearn.metrics.pairwise import cosine_similarity
    from sklearn.neighbors import NearestCentroid
    from sklearn.preprocessing import normalize

    settings = [PrototypeSettings(k) for k in (2, 5, 10)]

    def reference():
        draws = draw_shots(arrays.train_y, 10, 10, SEED)
        found = []
        for s in settings:
            for drawn in draws[:, :, : s.shots].reshape(10, -1):
                model = NearestCentroid().fit(normalize(arrays.train_x[drawn]), arrays.train_y[drawn])
                found.append(cosine_similarity(arrays.test_x, model.centroids_).argmax(axis=1))
        return found

    ours, theirs = against("prototypes", settings, 10, "scikit-learn NearestCentroid, one by one", reference)
    assert (np.concatenate(ours) == theirs).mean() > 0.9999


def test_neighbours(against, arrays):
    from sklearn.neighbors import KNeighborsClassifier

    settings = [NeighbourSettings(k) for k in (1, 5, 10)]

    def reference():
        draws = draw_shots(arrays.train_y, 10, 10, SEED)
        model = KNeighborsClassifier(1, metric="cosine", algorithm="brute")
        return [
            model.fit(arrays.train_x[drawn], arrays.train_y[drawn]).predict(arrays.test_x)
            for s in settings
            for drawn in draws[:, :, : s.shots].reshape(10, -1)
        ]

    ours, theirs = against("neighbours", settings, 10, "scikit-learn KNeighborsClassifier, one by one", reference)
    np.testing.assert_array_equal(np.concatenate(ours), theirs)


def test_spectral(against, arrays):
    """On classes three times as far apart, so that both find the same partition."""
    from sklearn.cluster import SpectralClustering
    from sklearn.metrics import adjusted_rand_score
    from sklearn.preprocessing import normalize

    centre = np.stack([arrays.test_x[arrays.test_y == label].mean(axis=0) for label in range(10)])
    apart = replace(arrays, test_x=arrays.test_x + 2 * centre[arrays.test_y])

    def reference():
        unit = normalize(apart.test_x.astype(float))
        affinity = np.maximum(unit @ unit.T, 0)
        return [SpectralClustering(10, affinity="precomputed", random_state=t).fit_predict(affinity) for t in range(5)]

    ours, theirs = against(
        "spectral", [ClusteringSettings()], 5, "scikit-learn SpectralClustering", reference, rounds=2, data=apart
    )
    assert adjusted_rand_score(theirs[0], ours[0][0]) == 1.0


def test_linear(against, arrays):
    import torch

    settings = LinearSettings()

    def reference():
        return [
            _plain(arrays, torch.nn.Linear(256, 10), settings, settings.epochs, seed) for seed in trial_seeds(SEED, 5)
        ]

    ours, theirs = against("linear", [settings], 5, "PyTorch, seed by seed", reference, rounds=1)
    assert abs(_accuracy(ours, arrays) - _accuracy(theirs, arrays)) < 0.05


def test_mlp(against, arrays):
    import torch

    # ten epochs, no early stop: the same number of steps on both sides
    settings = MLPSettings(max_epochs=10, patience=10)

    def reference():
        heads = [
            torch.nn.Sequential(torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10)) for _ in range(5)
        ]
        seeds = trial_seeds(SEED, 5)
        return [_plain(arrays, h, settings, 10, seed) for h, seed in zip(heads, seeds, strict=True)]

    ours, theirs = against("mlp", [settings], 5, "PyTorch, seed by seed", reference, rounds=1)
    assert abs(_accuracy(ours, arrays) - _accuracy(theirs, arrays)) < 0.05


def _plain(arrays, model, settings, epochs, seed):
    """The loop that one would write: DataLoader-like batches, autograd, ``torch.optim.Adam``."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    x, y = torch.from_numpy(arrays.train_x), torch.from_numpy(arrays.train_y)
    decay = getattr(settings, "weight_decay", 0.0)
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, weight_decay=decay)
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=generator).split(settings.batch_size):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimiser.step()
    with torch.no_grad():
        return model(torch.from_numpy(arrays.test_x)).argmax(dim=1).numpy()


def test_zero_shot(against, arrays):
    from sklearn.metrics.pairwise import cosine_similarity
    from sklearn.preprocessing import normalize

    means = np.stack([arrays.train_x[arrays.train_y == label].mean(axis=0) for label in range(arrays.classes)])
    prompts = means[:, None].repeat(8, axis=1)
    inputs = Prompted(arrays.test_x, arrays.test_y, arrays.class_names, prompts)

    def reference():
        weights = np.stack([normalize(p).mean(axis=0) for p in prompts])
        return [cosine_similarity(arrays.test_x, weights).argmax(axis=1)]

    name, library = "zero_shot", "scikit-learn cosine_similarity"
    ours, theirs = against(name, [ZeroShotSettings()], 1, library, reference, rounds=20, data=inputs)
    np.testing.assert_array_equal(ours[0], theirs)


def test_rdm(benchmark, lines):
    """200 classes of five images in 512 dimensions, by equation 1 of the paper, against NumPy and rsatoolbox.

    All make the same two matrices: of images, and of one vector a class, as text encoders give. Rounds take turns, so
    that what else the machine does slows all alike. rsatoolbox has no Welch distance, so it is compared on plain
    Euclidean distances of class means, which both have.
    """
    rng, count, dim = np.random.default_rng(SEED), 200, 512
    labels = np.arange(5 * count) % count
    x = (rng.standard_normal((count, dim))[labels] + rng.standard_normal((len(labels), dim))).astype(np.float32)
    inputs = Pair((Side("rn50", x, labels), Side("bert", x[:count])), tuple(map(str, range(count))))
    run = PROBES.get("rdm").run

    text = x[:count].astype(float)

    def ours(spread):
        return run(inputs, [RDMSettings(spread=spread)], trials=1, seed=SEED)[0][0]

    def numpy_broadcast():
        by_class = np.stack([x[labels == label].astype(float) for label in range(count)])
        mean, error = by_class.mean(axis=1), by_class.var(axis=1) / 5
        apart = (mean[:, None] - mean[None]) / np.sqrt(error[:, None] + error[None])
        return np.stack([np.linalg.norm(each, axis=-1) for each in (apart, text[:, None] - text[None])])

    races = {"NumPy, all pairs of classes at once": ("by_dimension", numpy_broadcast)}
    if find_spec("rsatoolbox"):
        from rsatoolbox.data import Dataset
        from rsatoolbox.rdm import calc_rdm

        sides = ((x, labels), (text, np.arange(count)))
        data = [Dataset(rows.astype(float), obs_descriptors={"class": of}) for rows, of in sides]
        races["rsatoolbox, plain Euclidean"] = (
            "none",
            lambda: [calc_rdm(each, method="euclidean", descriptor="class") for each in data],
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rsatoolbox fills an array of integers with NaN
        for name, (spread, rival) in races.items():
            times = [(_seconds(lambda spread=spread: ours(spread)), _seconds(rival)) for _ in range(5)][1:]
            mine, theirs = (min(column) for column in zip(*times, strict=True))
            benchmark.extra_info[f"ratio to {name}"] = theirs / mine
            lines.append(_line("rdm", mine, name, theirs))
    result = benchmark.pedantic(ours, ("by_dimension",), rounds=1)
    np.testing.assert_allclose(result, numpy_broadcast(), rtol=1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_attack_sweep(benchmark, lines, norm):
    """8 drawings, the epsilons of the figure above 0 and 100 steps, through the zoo's rn50 and a nearest-mean head.

    foolbox runs every epsilon to its end. Both have the same frozen network and one thread.
    """
    import torch

    foolbox = pytest.importorskip("foolbox")
    module, images, labels = _classifier()
    epsilons = EPSILONS[norm][1:]
    starts = random_change(images, Threat(norm, 1.0), torch.Generator().manual_seed(SEED))
    kind = foolbox.attacks.LinfPGD if norm == "linf" else foolbox.attacks.L2PGD
    attack = kind(rel_stepsize=0.025, steps=100, random_start=True)
    model = foolbox.PyTorchModel(module, bounds=(0, 1))

    def ours():
        return sweep(module, images, labels, Sweep(norm, epsilons), starts).broken

    def theirs():
        return attack(model, images, foolbox.criteria.Misclassification(labels), epsilons=epsilons)[2]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        before = _seconds(ours)
        started = time.perf_counter()
        broken = theirs()
        best = time.perf_counter() - started
        found = benchmark.pedantic(ours)
    finally:
        torch.set_num_threads(threads)
    assert float((found.float().mean(dim=1) - broken.float().mean(dim=1)).abs().max()) <= 2 / len(images)
    benchmark.extra_info |= {"against": "foolbox", "against_s": best}
    if benchmark.stats is not None:
        fastest = (benchmark.stats.stats.min + before) / 2  # before and after foolbox, so that load counts for both
        benchmark.extra_info["ratio"] = best / fastest
        lines.append(_line(f"sweep {norm}", fastest, f"foolbox {kind.__name__}, {len(epsilons)} epsilons", best))


def _classifier():
    """A frozen network of the zoo under the class means of 100 drawings, with 8 images that it classifies rightly."""
    import torch

    from mmbench.datasets.entry import DATASETS
    from mmbench.models.entry import MODELS

    encoder, dataset = MODELS.get("zoo:rn50").load(), DATASETS.get("concepts").load()
    encode = encoder.with_gradients()

    def pixels(split, rows):
        return torch.stack([encoder.pixels(split.images.image(int(row))) for row in rows])

    train, test = dataset.split("train"), dataset.split("test")
    rows = np.random.default_rng(SEED).permutation(len(train))
    with torch.no_grad():
        x = torch.nn.functional.normalize(encode(pixels(train, rows)))
    means = torch.stack([x[torch.from_numpy(train.labels[rows] == label)].mean(dim=0) for label in range(100)])

    class Classifier(torch.nn.Module):
        def forward(self, images):
            return 20 * torch.nn.functional.normalize(encode(images)) @ means.T

    module = Classifier().eval()
    images = pixels(test, np.random.default_rng(SEED).permutation(len(test))[:20])
    labels = torch.from_numpy(test.labels[np.random.default_rng(SEED).permutation(len(test))[:20]])
    with torch.no_grad():
        right = (module(images).argmax(dim=1) == labels).nonzero()[:8, 0]
    return module, images[right], labels[right]


@pytest.mark.parametrize("hidden", [256, None], ids=["mlp", "linear"])
def test_gradients(benchmark, lines, hidden):
    """One step of five heads with gradients written out, against the gradients of ``torch.func``, on one thread."""
    import torch

    from mmbench.training.heads import Heads

    widths, rows = [256, *filter(None, [hidden]), 10], 50 if hidden else 64
    heads = Heads(widths, range(5), several=False, device="cpu", lr=1e-4)
    generator = torch.Generator().manual_seed(SEED)
    x, y = torch.randn(5, rows, 256, generator=generator), torch.randint(10, (5, rows), generator=generator)
    step, first = _with_torch_func(heads, x, y)
    heads.step(x, y)
    size = widths[0] * widths[1]
    torch.testing.assert_close(heads.slopes[:, :size].reshape(first.shape), first, atol=1e-6, rtol=1e-3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        benchmark.pedantic(heads.step, (x, y), rounds=50, iterations=10, warmup_rounds=2)
        best = min(_seconds(lambda: [step() for _ in range(10)]) for _ in range(50)) / 10
    finally:
        torch.set_num_threads(threads)
    if benchmark.stats is not None:
        ratio = best / benchmark.stats.stats.min
        benchmark.extra_info |= {"against": "torch.func", "against_s": best, "ratio": ratio}
        name = "gradients, mlp" if hidden else "gradients, linear"
        lines.append(f"{name:18} {benchmark.stats.stats.min:.5f} s   torch.func {best:.5f} s   ratio {ratio:5.1f}")


def _with_torch_func(heads, x, y):
    """A step like ``heads.step(x, y)``, from the same weights, and the gradient of the first layer's weights."""
    import torch
    from torch.func import functional_call, grad, vmap
    from torch.optim.adam import adam

    layers = [torch.nn.Linear(*reversed(weight.shape[1:])) for weight, _ in heads.layers]
    module = torch.nn.Sequential(*[part for layer in layers for part in (layer, torch.nn.ReLU())][:-1])
    weights = {f"{2 * depth}.weight": weight.clone() for depth, (weight, _) in enumerate(heads.layers)}
    weights |= {f"{2 * depth}.bias": bias[:, 0].clone() for depth, (_, bias) in enumerate(heads.layers)}
    moments = [[torch.zeros_like(values) for values in weights.values()] for _ in range(2)]
    steps = [torch.zeros(()) for _ in weights]

    def loss(of_one, x, y):
        return torch.nn.functional.cross_entropy(functional_call(module, of_one, (x,)), y)

    slopes = vmap(grad(loss))

    def step():
        found = slopes(weights, x, y)
        adam(
            list(weights.values()), [found[name] for name in weights], *moments, [], steps,
            fused=True, amsgrad=False, maximize=False, beta1=0.9, beta2=0.999, eps=1e-8, **heads.adam,
        )  # fmt: skip

    return step, slopes(weights, x, y)["0.weight"]


def _accuracy(predictions, arrays) -> float:
    return float(np.mean([np.mean(p == arrays.test_y) for p in predictions]))
