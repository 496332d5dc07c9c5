"""Captioning tables that the thesis reprints in chapter 3, used by its claims and those on the Latent CycleGAN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmbench.claims.claim import Place, Printed, Table
from mmbench.conditions import Linear, printed
from mmbench.protocol import PRINTED, Cell

COCO_NOCAPS = ("BLEU-4", "METEOR", "CIDEr", "SPICE", "NoCaps in", "NoCaps near", "NoCaps out", "NoCaps overall")
PARAMETERS = "parameters in M"
Rows = Mapping[tuple[str, str], Sequence[float | None]]  # (model, setting) to one number a column


def fig_3_14(model: str, setting: str, score: str) -> Linear:
    """A number of Fig. 3.14 (SimVLM): model, setting (supervised, zero-shot, few-shot, fine-tuned), score."""
    return printed(model, f"{score}, {setting} (Fig. 3.14)")


def fig_3_23(model: str, data: str, score: str) -> Linear:
    """A number of Fig. 3.23 (ClipCap): model, data (COCO, or CC for Conceptual Captions), score or cost."""
    return printed(model, f"{score}, {data} (Fig. 3.23)")


def _cells(figure: str, columns: Sequence[str], rows: Rows) -> dict[Cell, Printed]:
    return {
        Cell(PRINTED, model, f"{score}, {setting} ({figure})"): Printed(value, exact=score == PARAMETERS)
        for (model, setting), row in rows.items()
        for score, value in zip(columns, row, strict=True)
        if value is not None
    }


FIG_3_14 = Table(
    "Fig. 3.14",
    Place("bielawski2022", "3.3 SimVLM", "Fig. 3.14"),
    _cells(
        "Fig. 3.14",
        COCO_NOCAPS,
        {
            ("butd", "supervised"): (36.3, 27.7, 120.1, 21.4, None, None, None, None),
            ("aoanet", "supervised"): (39.5, 29.3, 129.3, 23.2, None, None, None, None),
            ("m2_transformer", "supervised"): (39.1, 29.2, 131.2, 22.6, 81.2, None, 69.4, 75.0),
            ("simvlm_base", "zero-shot"): (9.5, 11.5, 24.0, 7.5, 83.2, 84.1, 82.5, 83.5),
            ("simvlm_large", "zero-shot"): (10.5, 12.0, 24.9, 8.3, 97.6, 96.5, 96.3, 96.6),
            ("simvlm_huge", "zero-shot"): (11.2, 14.7, 32.2, 8.5, 101.2, 100.4, 102.3, 101.4),
            ("simvlm_base", "few-shot"): (34.7, 29.2, 118.7, 21.9, 95.0, 91.9, 98.5, 93.7),
            ("simvlm_large", "few-shot"): (35.4, 30.2, 124.1, 22.7, 102.5, 100.9, 106.0, 102.2),
            ("simvlm_huge", "few-shot"): (36.8, 31.5, 131.3, 24.0, 111.8, 110.6, 111.0, 110.4),
            ("oscar", "fine-tuned"): (41.7, 30.6, 140.0, 24.5, 85.4, 84.0, 80.3, 83.4),
            ("vinvl", "fine-tuned"): (41.0, 31.1, 140.9, 25.2, 103.7, 95.6, 83.8, 94.3),
            ("simvlm_huge", "fine-tuned"): (40.6, 33.7, 143.3, 25.4, 113.7, 110.9, 115.2, 112.2),
        },
    ),
    note="scores times 100, no spread; the few-shot overall of 110.4 is below each of its three parts, as printed",
)

_COSTS = (PARAMETERS, "training hours")  # hours were measured once, on different GPUs: no exact numbers
_CC = _cells(
    "Fig. 3.23",
    ("ROUGE-L", "CIDEr", "SPICE", *_COSTS),
    {
        ("vlp", "CC"): (24.35, 77.57, 16.59, 115, 1200),
        ("clipcap_mlp", "CC"): (26.71, 87.26, 18.5, 156, 80),
        ("clipcap_transformer", "CC"): (25.12, 71.82, 16.07, 43, 72),
    },
)
_COCO = _cells(
    "Fig. 3.23",
    ("BLEU-4", "METEOR", "CIDEr", "SPICE", *_COSTS),
    {
        ("butd", "COCO"): (36.2, 27.0, 113.5, 20.3, 52, 960),
        ("vlp", "COCO"): (36.5, 28.4, 117.7, 21.3, 115, 48),
        ("oscar", "COCO"): (36.58, 30.4, 124.12, 23.17, 135, 74),
        ("clipcap_transformer", "COCO"): (33.53, 27.45, 113.08, 21.05, 43, 6),
        ("clipcap_mlp", "COCO"): (32.15, 27.1, 108.35, 20.12, 156, 7),
    },
)
FIG_3_23 = Table(
    "Fig. 3.23",
    Place("bielawski2022", "3.5 ClipClap", "Fig. 3.23"),
    _CC | _COCO,
    note="scores times 100, no spread; hours were spent on different GPUs (V100, GTX1080, M40)",
)
