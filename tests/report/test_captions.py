"""Tables and strips of captions: printed beside measured, first captions as they come."""

from types import SimpleNamespace

from mmbench.inputs.translated import DIRECT
from mmbench.report.captions import caption_strips_of, caption_tables_of

MODELS = ("captioned_clip", "captioned_clip_t", "writer")


def part(how, score, mean, reading="paper", shown=None, probe="written_captions"):
    made_of = {"shown": shown} if shown else {}
    return SimpleNamespace(
        probe=probe,
        protocol=f"captions_{how}_{score}",
        models=MODELS,
        dataset="coco_captions",
        reading=reading,
        metric=score,
        mean=mean,
        made_of=made_of,
    )


def shown(*captions):
    return {"ids": ["b", "a"], "references": ["a fish", "two birds"], "captions": list(captions)}


RECORD = SimpleNamespace(
    cells=[
        part("mean_shift", "bleu4", 0.2),
        part(DIRECT, "bleu1", 0.01, shown=shown("", "x")),
        part("latent_cyclegan", "bleu1", 0.4, shown=shown("a fish", "birds")),
        part("latent_cyclegan", "bleu1", 0.3, reading="code"),
        part(DIRECT, "bleu1", 9.0, probe="another"),
    ]
)


def test_printed_numbers_stand_beside_those_of_the_same_translation_and_score():
    paper, code = caption_tables_of(RECORD)
    rows = dict(paper.rows)
    assert list(rows) == ["direct", "textualised (Latent CycleGAN)", "shift of the mean"]
    printed, found = rows["direct"][0]
    assert (printed.value, found.mean) == (0.281, 0.01)
    printed, found = rows["textualised (Latent CycleGAN)"][6]  # CIDEr, printed alone
    assert (printed.value, found) == (0.247, None)
    printed, found = rows["shift of the mean"][3]
    assert (printed, found.mean) == (None, 0.2)
    assert code.reading == "code"
    assert [entry[0] for _, entries in code.rows for entry in entries] == [None] * 7  # the paper prints no such numbers


def test_captions_stand_in_the_order_of_the_test_split():
    (strip,) = caption_strips_of(RECORD)
    assert strip.ways == ("direct", "textualised (Latent CycleGAN)")
    assert strip.rows == (("b", "a fish", ("", "a fish")), ("a", "two birds", ("x", "birds")))


def test_a_record_without_captions_has_neither():
    record = SimpleNamespace(cells=[part(DIRECT, "bleu1", 9.0, probe="another")])
    assert caption_tables_of(record) == caption_strips_of(record) == ()
