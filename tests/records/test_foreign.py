"""Records and known outcomes may be anybody's files: bounded, checked, and shown with escapes."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import mmbench
from mmbench import files
from mmbench.errors import BadSpec
from mmbench.records.cells import scores_of
from mmbench.records.expected import Known, read_expected, write_expected
from mmbench.records.files import read_record, save_record
from mmbench.records.outcome_codec import pack
from mmbench.records.schema import BadRecord

OLD = json.loads((Path(mmbench.__file__).parents[1] / "reports" / "gate" / "base.json").read_text())
KNOWN = Known("a", "measured", "inconclusive", 1.0, -2.0, 3.0)


def changed(path, change):
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def test_an_outcome_is_one_of_four_words(make_record, tmp_path):
    """A page shows it in a place where markup would be taken as markup."""
    path = save_record(make_record(), tmp_path)

    def scripted(raw):
        raw["verdicts"][0]["outcome"] = 'supported"><script>alert(1)</script>'
        return raw

    changed(path, scripted)
    with pytest.raises(BadRecord, match=r"field verdicts\.0\.outcome: Input should be 'supported', 'refuted', 'in"):
        read_record(path)


def test_a_record_of_others_shows_no_control_characters(make_record, tmp_path):
    path = save_record(make_record(), tmp_path)
    changed(path, lambda raw: raw | {"label": "\x1b[2Jone\ntwo\ud800"})
    assert read_record(path).label == r"\x1b[2Jone\ntwo\ud800"


def test_a_record_that_is_no_file_or_has_no_end_is_refused_at_once(tmp_path, monkeypatch):
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for kind, said in (("folder", "a folder"), ("pipe", "a pipe"), ("zero", "a device")):
        with pytest.raises(BadRecord, match=f"{said} stands there and not a plain file"):
            read_record(tmp_path / f"{kind}.json")
    monkeypatch.setattr("mmbench.records.files.MOST_BYTES", 10)
    (tmp_path / "long.json").write_text("[" * 20)
    with pytest.raises(BadRecord, match="it has 20 bytes, and no more than 10 are read"):
        read_record(tmp_path / "long.json")


def test_a_deeply_nested_record_is_refused_in_one_line(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(BadRecord, match=r"deep\.json is not a record: it is nested too deeply$"):
        read_record(path)


def test_what_a_killed_run_left_beside_records_is_removed(make_record, tmp_path):
    (tmp_path / f"{files.TEMPORARY}{files._machine()}-999999999-00-").write_bytes(b"half")
    save_record(make_record(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0001_made.json"]


def test_outcomes_that_unpack_to_more_than_the_cell_says_are_refused_before(tmp_path):
    """A short text can unpack to a gigabyte."""
    path = tmp_path / "0001_old.json"
    bomb = pack(np.zeros((10, 50_000), np.float32))
    assert len(bomb) < 2000
    path.write_text(json.dumps(OLD | {"cells": [OLD["cells"][0] | {"outcomes": bomb}], "verdicts": []}))
    (part,) = read_record(path).cells
    with pytest.raises(BadRecord, match="packed are 10 trials on 50000 examples, and the cell says"):
        scores_of(part)
    cells = [cell | {"examples": 1 << 27} for cell in OLD["cells"][:2]]
    path.write_text(json.dumps(OLD | {"cells": cells, "verdicts": []}))
    with pytest.raises(BadRecord, match=r"its cells have [\d,]+ outcomes, and no more than 268,435,456 are read"):
        read_record(path)


ENTRY = '[[outcome]]\nclaim = "a"\nevidence = "measured"\nverdict = "refuted"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("outcome = 3", "outcome is no array of tables"),
        ("outcome = [1]", "outcome is no array of tables"),
        (ENTRY.replace('"a"', '["a"]'), r"outcome 1: claim is \['a'\]"),
        (ENTRY + 'low = "x"', "low is 'x' and should be a finite number"),
        (ENTRY + "low = nan", "low is nan and should be a finite number"),
        ("x = " + "[" * 100_000, "is not readable TOML: "),
    ],
)
def test_what_is_no_known_outcome_is_refused_by_its_place(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadSpec, match=said) as caught:
        read_expected(path)
    assert str(caught.value).startswith(str(path))


def test_known_outcomes_that_were_cut_short_between_two_entries_are_refused(tmp_path):
    """Else the outcomes that are lost would count as new, and a changed verdict would pass."""
    path = tmp_path / "mine.toml"
    write_expected(path, [KNOWN, Known("b", "measured", "refuted", reason="why")])
    assert len(read_expected(path)) == 2
    text = path.read_text()
    path.write_text(text[: text.rindex("[[outcome]]")])
    with pytest.raises(BadSpec, match="says that it has 2 outcomes and holds 1: it was cut short or changed by hand"):
        read_expected(path)


def test_reasons_of_a_person_survive_a_full_disk(tmp_path, monkeypatch):
    path = tmp_path / "mine.toml"
    write_expected(path, [Known("b", "measured", "refuted", reason="three days of thought")])
    before = path.read_bytes()

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_expected(path, [KNOWN])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["mine.toml"]
