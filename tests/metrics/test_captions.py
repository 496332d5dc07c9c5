"""Caption scores against pycocoevalcap, recorded and live, and answers that are known."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.errors import BadItem, Unmeasured
from mmbench.metrics import METRICS, caption_tokens, captions, meteor

pytest.importorskip("pycocoevalcap")  # of the extra captions
JAVA = shutil.which("java") is not None
needs_java = pytest.mark.skipif(not JAVA, reason="no Java on this machine")
FIXED = json.loads((Path(__file__).parent / "captions_file.json").read_text())
SCORES = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider")


def arrays(rows, field):
    """Candidates ``[1, n]`` and references ``[n, most]``, as their tokens or as they were written."""
    most = max(len(references) for _, references in rows)
    references = np.array([[*found, *[""] * (most - len(found))] for _, found in rows])
    return np.array([[candidate for candidate, _ in rows]]), references


WRITTEN = [(row["candidate"], row["references"]) for row in FIXED["captions"]]
TOKENS = list(zip(FIXED["tokens"]["candidates"], FIXED["tokens"]["references"], strict=True))


@pytest.fixture
def as_tokens(monkeypatch):
    """Texts are taken for tokens with spaces between them, as the recorded ones are."""
    monkeypatch.setattr(caption_tokens, "tokenized", lambda texts: tuple(texts))


@pytest.mark.parametrize("name", SCORES)
def test_scores_are_the_recorded_ones(name, as_tokens):
    found = METRICS.get(name).outcome(*arrays(TOKENS, name))
    assert found.mean() == pytest.approx(FIXED["scores"][name], rel=1e-6)


@needs_java
def test_tokens_are_the_recorded_ones():
    candidates, references = arrays(WRITTEN, "")
    assert list(caption_tokens.candidates_of(candidates)[0]) == FIXED["tokens"]["candidates"]
    assert caption_tokens.references_of(references) == FIXED["tokens"]["references"]


@needs_java
def test_scores_and_tokens_are_pycocoevalcaps(capfd):
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenize = PTBTokenizer().tokenize
    known = tokenize({i: [{"caption": text} for text in found] for i, (_, found) in enumerate(WRITTEN)})
    said = tokenize({i: [{"caption": text}] for i, (text, _) in enumerate(WRITTEN)})
    live = dict(zip(SCORES[:4], Bleu(4).compute_score(known, said, verbose=0)[0], strict=True))
    live |= {"rouge_l": Rouge().compute_score(known, said)[0], "cider": Cider().compute_score(known, said)[0]}
    for name, value in live.items():
        assert METRICS.get(name).outcome(*arrays(WRITTEN, name)).mean() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("name", [name for name in SCORES if name != "rouge_l"])  # that is a mean of single scores
def test_leaving_an_image_out_is_scoring_the_others(name, as_tokens):
    """Also CIDEr's, whose weights are those of all references."""
    texts, references = arrays(TOKENS, name)
    metric = METRICS.get(name).outcome
    without = metric.leave_one_out(texts, references)[0]
    for row in range(len(references)):
        if name == "cider":
            parts = captions.cider_parts(texts, references)[:, :, 0]
            expected = np.delete(parts, row, axis=1).mean()
        else:
            expected = metric.statistic(np.delete(texts, row, axis=1), np.delete(references, row, axis=0))[0]
        assert without[row] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_a_perfect_caption_is_best_and_one_without_a_common_word_scores_nothing(name, as_tokens):
    references = np.array([["a red fish swims in the sea"], ["two green birds sit on a branch"]])
    best = METRICS.get(name).outcome(references[None, :, 0], references).mean()
    none = METRICS.get(name).outcome(np.array([["u v w x y z"] * 2]), references).mean()
    assert best == pytest.approx(10.0 if name == "cider" else 1.0, abs=1e-6)
    assert none == pytest.approx(0.0, abs=1e-6)


words = st.text("abcdefgh", min_size=1, max_size=8)
plain = st.lists(words | st.from_regex(r"[a-z]+-[a-z]+", fullmatch=True) | st.integers(0, 999).map(str), min_size=1)


@needs_java
@settings(max_examples=1, deadline=None)
@given(st.lists(plain.map(" ".join), min_size=150, max_size=150), st.data())
def test_plain_captions_are_read_as_the_tokenizer_reads_them(texts, data):
    marks = data.draw(st.lists(st.sampled_from(["", ".", " .", "!", ", x", ": x", " & x", "; x?"]), min_size=150))
    texts = [text + mark for text, mark in zip(texts, marks, strict=False)]
    ours = [caption_tokens.plain_words(text) for text in texts]
    read = [(text, words) for text, words in zip(texts, ours, strict=True) if words is not None]
    assert len(read) > 50
    assert [words for _, words in read] == caption_tokens.by_java([text for text, _ in read])


@pytest.mark.parametrize("text", ["Mr.", "a photo of st.", "I cannot go", "it's", "a (b)", "x...", "naïve", "plan b."])
def test_what_is_not_plain_is_left_to_the_tokenizer(text):
    assert caption_tokens.plain_words(text) is None


def test_an_image_without_a_reference_is_named():
    with pytest.raises(BadItem, match="image 1 has no reference with a word"):
        caption_tokens.references_of(np.array([["a", "b"], ["", "."]]))


def test_without_java_plain_captions_are_scored_and_others_say_what_is_missing(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    references = np.array([["a red fish"], ["two birds"]])
    assert METRICS.get("bleu1").outcome(references[None, :, 0], references).mean() == pytest.approx(1.0)
    with pytest.raises(Unmeasured, match="there is no program 'java' on this machine; install a Java runtime"):
        METRICS.get("bleu1").outcome(np.array([["it's", "x"]]), references)
    with pytest.raises(Unmeasured, match=r"METEOR runs in Java, and there is no program 'java'"):
        METRICS.get("meteor").outcome(references[None, :, 0], references)
    assert meteor._KEPT == []


def test_without_pycocoevalcap_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(caption_tokens.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unmeasured, match=r"pip install 'mmbench\[captions\]'"):
        METRICS.get("cider").outcome(np.array([["a", "b"]]), np.array([["a"], ["b"]]))


class TestClipScore:
    def test_known_angles(self):
        image = np.array([[1.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
        caption = np.array([[3.0, 0.0], [-1.0, 0.0], [0.6, 0.8]])
        references = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [9.0, 9.0]], [[0.0, 1.0], [0.6, 0.8]]])
        clip, ref = captions.clip_scores(image, caption, references, np.array([2, 1, 1]))
        assert clip.tolist() == pytest.approx([2.5, 0.0, 1.5])
        assert ref.tolist() == pytest.approx([2 * 2.5 / 3.5, 0.0, 2 * 1.5 * 0.8 / 2.3])  # padding does not count

    def test_scores_of_two_spaces_are_refused(self):
        found = np.zeros((1, 2), [("text", "<U3"), ("clip", "f4"), ("ref", "f4")])
        found["clip"] = np.nan
        with pytest.raises(Unmeasured, match="of one space"):
            METRICS.get("clip_score").outcome(found, np.array([["a"], ["b"]]))


@needs_java
@pytest.mark.slow
class TestMeteor:
    """Its program reads tables for seconds, so the tests share one process where they may."""

    def test_it_is_the_recorded_one_also_without_an_image(self):
        texts, references = arrays(WRITTEN, "meteor")
        found = METRICS.get("meteor").outcome(texts, references)
        assert found.mean() == pytest.approx(FIXED["scores"]["meteor"], rel=1e-6)
        without = meteor.meteor_without(texts, references)[0]
        for row in (0, 3):  # the fourth caption is its reference
            left = meteor.meteor(np.delete(texts, row, axis=1), np.delete(references, row, axis=0))[0]
            assert without[row] == pytest.approx(left, abs=1e-9)
        perfect = np.array([["a red fish swims", "two green birds"]])
        assert meteor.meteor(perfect, perfect[0][:, None])[0] == pytest.approx(1.0)

    def test_a_process_that_dies_is_said_and_gone(self):
        with meteor.running() as program:
            process = program.meteor_p
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        texts, references = arrays(WRITTEN, "meteor")
        with pytest.raises(Unmeasured, match="METEOR's Java process ended with -9 before it had answered"):
            meteor.meteor(texts[:, 1:], references[1:])
        assert meteor._KEPT == []
        assert process.poll() is not None

    def test_an_error_inside_ends_it(self):
        seen = []

        def interrupted():
            with meteor.running() as program:
                seen.append(program.meteor_p)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert seen[0].poll() is not None

    def test_it_ends_some_time_after_the_last_use(self, monkeypatch):
        monkeypatch.setattr(meteor, "IDLE", 0.05)
        with meteor.running() as program:
            process = program.meteor_p
        process.wait(timeout=20)
        assert process.poll() is not None

    def test_ctrl_c_leaves_no_process(self):
        script = (
            "import sys, time\n"
            "from mmbench.metrics import meteor\n"
            "with meteor.running() as program:\n"
            "    print(program.meteor_p.pid, flush=True)\n"
            "    time.sleep(60)\n"
        )
        command = [sys.executable, "-c", script]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            pid = int(child.stdout.readline())
            assert not gone(pid)
            child.send_signal(signal.SIGINT)
            assert child.wait(timeout=30) != 0
        for _ in range(600):  # a busy machine takes its time to end a process that nobody waits for
            if gone(pid):
                return
            time.sleep(0.05)
        pytest.fail(f"process {pid} is still there")


def gone(pid):
    """Whether the process has ended, though its new parent may not have asked for its exit status yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/status")
    return status.is_file() and "\nState:\tZ" in status.read_text()
