"""The two detectors and the reader: what their networks give is decoded as other implementations do."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.datasets import _east, _pp_ocr
from mmbench.datasets._east import EastBoxes, decoded, kept
from mmbench.datasets._pp_ocr import PaddleBoxes, enclosing, read, spelt
from mmbench.errors import CorruptAsset, MissingAsset

cv2 = pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")


def written(words, size=(120, 320), at=(20, 70), scale=1.2, shade=0, ground=255):
    """Words in OpenCV's own font on one colour, RGB."""
    pixels = np.full((*size, 3), ground, np.uint8)
    return cv2.putText(pixels, words, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (shade,) * 3, 2, cv2.LINE_AA)


# -- PP-OCR --------------------------------------------------------------------------------------------------------


def test_words_are_found_and_read():
    pixels = written("HELLO WORLD")
    boxes = PaddleBoxes(side=320).boxes(pixels)
    ink = np.argwhere(pixels[..., 0] < 128)
    assert len(boxes) == 1
    left, top, right, bottom = boxes[0]
    assert (top, left) <= tuple(ink.min(axis=0))
    assert (bottom, right) > tuple(ink.max(axis=0))
    assert (right - left) * (bottom - top) < 0.6 * pixels[..., 0].size  # and not simply the whole image
    assert read([pixels[top:bottom, left:right]]) == ["HELLO WORLD"]


def test_the_same_boxes_come_again():
    pixels = written("again", ground=200)
    first, second = (PaddleBoxes(side=160).boxes(pixels) for _ in range(2))
    assert len(first)
    assert first.tolist() == second.tolist()


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (7, 3)])
def test_an_image_of_one_colour_has_no_text_however_small(size):
    for shade in (0, 128, 255):
        found = PaddleBoxes(side=160).boxes(np.full((*size, 3), shade, np.uint8))
        assert found.shape == (0, 4)


def maps(seed):
    """A map of probabilities with blurred, turned bars: what the finder gives for lines of text."""
    rng = np.random.default_rng(seed)
    found = np.zeros((160, 192), np.float32)
    for _ in range(rng.integers(1, 5)):
        bar = cv2.boxPoints(
            ((rng.uniform(20, 170), rng.uniform(20, 140)), (rng.uniform(4, 70), rng.uniform(2, 18)), rng.uniform(0, 90))
        )
        cv2.fillPoly(found, [bar.astype(np.int32)], float(rng.uniform(0.35, 1.0)))
    return cv2.GaussianBlur(found, (5, 5), 0) + rng.uniform(0, 0.02, found.shape).astype(np.float32)


@pytest.mark.parametrize("seed", range(12))
def test_rectangles_are_those_of_rapidocr(seed):
    """Within the whole pixels to which RapidOCR's clipping library rounds, at every corner."""
    other = pytest.importorskip("rapidocr.ch_ppocr_det.utils").DBPostProcess(0.3, 0.5, 1000, 1.6, "fast", True)
    probability = maps(seed)
    above = cv2.dilate((probability > 0.3).astype(np.uint8), np.ones((2, 2), np.uint8))
    theirs, _ = other.boxes_from_bitmap(probability, above, 192, 160)
    ours = [cv2.boxPoints(found) for found in PaddleBoxes().rectangles(probability)]
    bounds = [(*points.min(axis=0), *points.max(axis=0)) for points in ours]
    clipped = np.clip(np.array(bounds).reshape(-1, 4), 0, (192, 160, 192, 160))
    expected = [(*points.min(axis=0), *points.max(axis=0)) for points in theirs]
    assert len(clipped) == len(expected)
    assert len(expected) or seed not in (0, 1, 2)
    np.testing.assert_allclose(sorted(map(tuple, clipped)), sorted(expected), atol=2.5)


@pytest.mark.parametrize("seed", range(5))
def test_letters_are_those_of_rapidocr(seed):
    other = pytest.importorskip("rapidocr.ch_ppocr_rec.utils").CTCLabelDecode(character=list("abc"))
    chances = np.random.default_rng(seed).dirichlet(np.full(5, 0.3), size=30).astype(np.float32)
    (theirs, _), *_ = other(chances[None], False)[0]
    assert spelt(chances, [*"abc", " "]) == theirs
    assert theirs


def test_a_repeated_letter_needs_a_gap():
    steps = np.eye(3, dtype=np.float32)[[1, 1, 0, 1, 2, 2, 0]]
    assert spelt(steps, ["a", "b"]) == "aab"


def test_boxes_are_cut_at_the_edges_and_dropped_outside():
    square = np.array([[0, 0], [4, 0], [4, 3], [0, 3]])
    found = enclosing([square - 2, square + np.array([8.4, 7.5]), square + 20, square - 9], 10, 9)
    assert found.tolist() == [[0, 0, 2, 1], [8, 7, 10, 9]]
    assert found.dtype == np.int32
    assert enclosing([], 10, 9).shape == (0, 4)


def test_the_network_sees_blue_green_and_red_from_minus_one_to_one_at_the_side_asked_for(monkeypatch):
    """The order in which PaddleOCR reads images; the longer side is as asked, both are multiples of 32."""
    seen = []

    class Finder:
        def get_inputs(self):
            return [type("Input", (), {"name": "x"})]

        def run(self, _, inputs):
            seen.append(inputs["x"])
            return [np.zeros((1, 1, *inputs["x"].shape[2:]), np.float32)]

    monkeypatch.setattr(_pp_ocr, "_session", lambda *_: Finder())
    pixels = np.zeros((50, 100, 3), np.uint8)
    pixels[...] = (255, 51, 0)
    assert PaddleBoxes(side=160).boxes(pixels).shape == (0, 4)
    (given,) = seen
    assert given.shape == (1, 3, 64, 160)  # 80 rounds to 64, as Python's round has it: to even
    assert given.dtype == np.float32
    np.testing.assert_allclose(given[0, :, 30, 80], (-1.0, -0.6, 1.0), atol=1e-6)


def test_another_network_under_the_name_is_refused(monkeypatch):
    _pp_ocr._session.cache_clear()
    monkeypatch.setattr(_pp_ocr, "read_member", lambda *_: b"another network")
    digest = hashlib.sha256(b"another network").hexdigest()
    with pytest.raises(CorruptAsset, match=f"det_infer.onnx of asset 'rapidocr' has sha256 {digest}, expected d2a77"):
        PaddleBoxes().boxes(written("x"))


# -- EAST ----------------------------------------------------------------------------------------------------------


def network_outputs(boxes, shape=(80, 80)):
    """Scores and geometry as EAST gives them for upright boxes (left, top, right, bottom) in pixels of its input.

    Every cell inside a box holds its distances to the edges; the score is the highest in the middle.
    """
    scores, geometry = np.zeros(shape, np.float32), np.zeros((5, *shape), np.float32)
    for left, top, right, bottom in boxes:
        for row in range(-(-top // 4), min(bottom // 4 + 1, shape[0])):
            for column in range(-(-left // 4), min(right // 4 + 1, shape[1])):
                x, y = column * 4, row * 4
                geometry[:, row, column] = (y - top, right - x, bottom - y, x - left, 0)
                far = abs(x - (left + right) / 2) / (right - left) + abs(y - (top + bottom) / 2) / (bottom - top)
                scores[row, column] = 0.9 - 0.5 * far
    return scores, geometry


def test_boxes_planted_in_the_networks_outputs_come_back():
    planted = [(16, 20, 120, 52), (8, 100, 300, 140), (200, 220, 260, 236)]
    found = kept(*decoded(*network_outputs(planted), 0.3), 0.3)
    assert sorted(map(tuple, found.tolist())) == sorted(planted)


def test_the_angle_moves_the_end_and_turns_nothing():
    """By hand: the cell at x = 40, y = 20 with edges 3 above, 5 right, 7 below and 2 left, at 30 degrees."""
    scores, geometry = np.zeros((20, 20), np.float32), np.zeros((5, 20, 20), np.float32)
    scores[5, 10], geometry[:, 5, 10] = 0.5, (3, 5, 7, 2, np.pi / 6)
    boxes, found = decoded(scores, geometry, 0.0001)
    end_x, end_y = 40 + 5 * np.cos(np.pi / 6) + 7 * 0.5, 20 - 5 * 0.5 + 7 * np.cos(np.pi / 6)  # 47.83, 23.56
    assert (end_x, end_y) == (pytest.approx(47.83, abs=0.01), pytest.approx(23.56, abs=0.01))
    assert boxes.tolist() == [[40, 13, 47, 23]]
    assert found.tolist() == [0.5]


@pytest.mark.parametrize(("threshold", "boxes"), [(0.0001, 3), (0.5, 2), (0.95, 0)])
def test_a_cell_counts_from_the_threshold_on(threshold, boxes):
    scores = np.zeros((4, 4), np.float32)
    scores[0, 0], scores[1, 1], scores[2, 2], scores[3, 3] = 0.0001, 0.5, 0.9, 0.00009
    assert len(decoded(scores, np.ones((5, 4, 4), np.float32), threshold)[0]) == boxes


boxes_of = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 30), st.integers(0, 30)).map(
        lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
    ),
    min_size=1,
    max_size=12,
)


def shared(one, other):
    """Pixels in both boxes, by counting them."""
    drawn = np.zeros((2, 100, 100), bool)
    for layer, (left, top, right, bottom) in zip(drawn, (one, other), strict=True):
        layer[top : bottom + 1, left : right + 1] = True
    return int((drawn[0] & drawn[1]).sum()), int(drawn[1].sum())


@settings(deadline=None, max_examples=60)
@given(boxes=boxes_of, seed=st.integers(0, 1000))
def test_what_is_kept_shares_little_and_covers_what_is_not(boxes, seed):
    scores = np.random.default_rng(seed).permutation(len(boxes)).astype(np.float32)
    by_score = dict(zip(map(tuple, boxes), scores, strict=True))  # of equal boxes, any score names them
    found = list(map(tuple, kept(np.array(boxes), scores, 0.3).tolist()))
    assert found[0] == boxes[int(scores.argmax())]
    for at, weaker in enumerate(found):
        for stronger in found[:at]:
            both, area = shared(stronger, weaker)
            assert both <= 0.3 * area
    for box in by_score:
        if box not in found:
            assert any(both > 0.3 * area for both, area in (shared(stronger, box) for stronger in found))


class Network:
    """Gives planted outputs in place of EAST, whose file is not here, and keeps what it was given."""

    def __init__(self, outputs):
        self.outputs = outputs

    def setInput(self, blob):
        self.blob = blob

    def forward(self, layers):
        assert layers == ("feature_fusion/Conv_7/Sigmoid", "feature_fusion/concat_3")
        scores, geometry = self.outputs
        return scores[None, None], geometry[None]


def test_boxes_are_scaled_to_the_image_and_the_network_sees_rgb_less_its_mean(monkeypatch, tmp_path):
    network = Network(network_outputs([(32, 64, 160, 96), (280, 300, 330, 340)]))
    monkeypatch.setattr(_east, "_network", lambda path: network)
    pixels = np.zeros((900, 600, 3), np.uint8)
    pixels[...] = (250, 100, 50)
    found = EastBoxes(tmp_path / "east.pb").boxes(pixels)
    assert sorted(map(tuple, found.tolist())) == [(60, 180, 301, 271), (525, 843, 600, 900)]
    assert network.blob.shape == (1, 3, 320, 320)
    np.testing.assert_allclose(network.blob[0, :, 0, 0], (250 - 123.68, 100 - 116.78, 50 - 103.94), rtol=1e-5)


def field(number, value):
    """One field of a protocol buffer: an integer, or bytes behind their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value):
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def node(name, op, inputs=(), **attributes):
    """A node of a TensorFlow graph."""
    written = b"".join(field(5, field(1, key) + field(2, value)) for key, value in attributes.items())
    return field(1, field(1, name) + field(2, op) + b"".join(field(3, each) for each in inputs) + written)


def constant(name, values):
    shape = b"".join(field(2, field(1, length)) for length in values.shape)
    tensor = field(1, 1) + field(2, shape) + field(4, values.astype("<f4").tobytes())
    return node(name, "Const", dtype=field(6, 1), value=field(8, tensor))


def graph(scores, geometry, last="feature_fusion/concat_3"):
    """A frozen graph with the layers of EAST that OpenCV is asked for: 1 x 1 convolutions of stride 4 of the image."""
    how = {
        "T": field(6, 1),
        "strides": field(1, b"".join(field(3, step) for step in (1, 4, 4, 1))),
        "padding": field(2, "VALID"),
        "data_format": field(2, "NHWC"),
    }
    return (
        node("input_images", "Placeholder", dtype=field(6, 1))
        + constant("a", scores[None, None])
        + node("conv", "Conv2D", ("input_images", "a"), **how)
        + node("feature_fusion/Conv_7/Sigmoid", "Sigmoid", ("conv",), T=field(6, 1))
        + constant("b", geometry[None, None])
        + node(last, "Conv2D", ("input_images", "b"), **how)
    )


def test_opencv_reads_a_frozen_graph_with_the_layers_of_east(tmp_path):
    """EAST's own file is not here; this graph has its layers' names and form, and outputs that numpy knows."""
    scores, geometry = np.array([[0.02], [0.03], [-0.01]]), np.abs(np.random.default_rng(0).normal(size=(3, 5))) / 20
    geometry[:, 4] = 0
    (tmp_path / "east.pb").write_bytes(graph(scores, geometry))
    pixels = np.zeros((320, 320, 3), np.uint8)
    pixels[40:80, 60:140] = (255, 200, 180)
    east = EastBoxes(tmp_path / "east.pb", threshold=0.5)
    cells = pixels[::4, ::4].astype(np.float64) - (123.68, 116.78, 103.94)
    chances = 1 / (1 + np.exp(-cells @ scores[:, 0]))
    expected = kept(*decoded(chances.astype(np.float32), (cells @ geometry).transpose(2, 0, 1), 0.5), 0.3)
    assert len(expected) > 1
    assert east.boxes(pixels).tolist() == [[left, top, right + 1, bottom + 1] for left, top, right, bottom in expected]


def test_another_network_of_tensorflow_is_refused(tmp_path):
    (tmp_path / "east.pb").write_bytes(graph(np.ones((3, 1)), np.ones((3, 5)), last="head"))
    with pytest.raises(CorruptAsset, match=r"but not EAST: it has no layer feature_fusion/concat_3; expected frozen"):
        EastBoxes(tmp_path / "east.pb").boxes(written("x"))


def test_without_its_file_east_says_which_is_needed(tmp_path):
    east = EastBoxes(tmp_path / "east.pb")
    wanted = (
        r"east.pb does not exist; the detector EAST needs OpenCV's file frozen_east_text_detection.pb: put it there"
    )
    for ask in (lambda: east.boxes(written("x")), east.identity):
        with pytest.raises(MissingAsset, match=wanted):
            ask()


@pytest.mark.parametrize("content", [b"", b"no network", b"\x0a\x04name" * 40])
def test_a_file_that_is_no_network_is_refused(tmp_path, content):
    (tmp_path / "east.pb").write_bytes(content)
    with pytest.raises(CorruptAsset, match=r"east\.pb is (not the|a) network"):
        EastBoxes(tmp_path / "east.pb").boxes(written("x"))


def test_a_folder_is_no_network(tmp_path):
    with pytest.raises(CorruptAsset, match=r"cannot be read as the network frozen_east_text_detection\.pb: .*a folder"):
        EastBoxes(tmp_path).boxes(written("x"))


def test_the_file_of_east_is_part_of_its_identity(tmp_path):
    found = []
    for content in (b"one", b"two"):
        (tmp_path / "east.pb").write_bytes(content)
        found.append(EastBoxes(tmp_path / "east.pb").identity())
    assert found[0] != found[1]
    assert found[1] != EastBoxes(tmp_path / "east.pb", threshold=0.5).identity()
