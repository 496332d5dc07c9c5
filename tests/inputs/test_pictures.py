"""Pictures: features beside the images that they come from, shrunk by means over areas."""

import numpy as np
import pytest
from PIL import Image

from mmbench.bench.bench import Bench
from mmbench.bench.lineup_source import LineupSource
from mmbench.datasets.entry import Split
from mmbench.errors import BadDataset, Unmeasured
from mmbench.features.store import Store
from mmbench.inputs import pictures
from mmbench.inputs.pictures import Pictures, pixels_of
from mmbench.probes.reconstruction import RECONSTRUCTION
from mmbench.protocol import Cell

from ..tiny_lineup import tiny_lineup

SMALL = RECONSTRUCTION.at(side=4)


def test_features_beside_their_images(tmp_path):
    source = LineupSource(tiny_lineup(), Store(tmp_path), progress=False)
    found = pictures.gather(source, Cell(SMALL, "clip", "cifar10"))
    test = source.dataset("cifar10").split("test")
    np.testing.assert_allclose(found.test_pixels * 255, test.images.pixels.reshape(53, -1), atol=1e-3)
    np.testing.assert_allclose(found.test_x, found.test_pixels.reshape(53, 16, 3).mean(axis=1), atol=1e-5)
    assert (len(found.train_x), len(found.train_pixels)) == (60, 60)
    assert found.truth is found.test_pixels


def test_an_image_shrinks_to_means_over_areas():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 6, 3)).astype(np.uint8)

    class One:
        def __len__(self):
            return 1

        def image(self, index):
            return Image.fromarray(pixels)

    found = pixels_of(Split(("a",), np.zeros(1, np.int64), One()), 2).reshape(2, 2, 3) * 255
    wanted = pixels.reshape(2, 3, 2, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(found, wanted, atol=0.6)  # Pillow rounds


def test_a_decoder_of_colours_beats_the_mean_image(tmp_path):
    scores = Bench(tiny_lineup(), Store(tmp_path), progress=False).scores(Cell(SMALL, "clip", "cifar10"))
    assert scores.outcomes.shape == (1, 53)
    assert scores.outcomes.mean() < 0.3 * scores.chance


def test_texts_and_rows_that_do_not_fit_are_refused(tmp_path):
    source = LineupSource(tiny_lineup(), Store(tmp_path), progress=False)
    with pytest.raises(Unmeasured, match=r"expected the encoders in the order image; got clip_t \(text\)"):
        pictures.gather(source, Cell(SMALL, "clip_t", "cifar10"))
    x = np.ones((3, 2), np.float32)
    with pytest.raises(BadDataset, match="the train split has 3 rows of features and 2 pictures"):
        Pictures(x, x[:2], x, x).check()
