"""What a record says of captions: printed scores beside measured ones, and the first captions as they were written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmbench.claims import CLAIMS, Printed
from mmbench.inputs.translated import DIRECT, TRUE_TEXT
from mmbench.probes.written_captions import SCORES, WrittenCaptionsSettings
from mmbench.protocol import PROTOCOLS
from mmbench.records.schema import CellPart, Record

PROBE = "written_captions"
WORDS = {
    DIRECT: "direct",
    "latent_cyclegan": "textualised (Latent CycleGAN)",
    "latent_cycle_alone": "cycle loss alone",
    "latent_identity_alone": "identity loss alone",
    "latent_cyclegan_unrelated": "Latent CycleGAN, unrelated texts",
    "latent_cyclegan_sixteenth": "Latent CycleGAN, a sixteenth of the data",
    "mean_shift": "shift of the mean",
    "moment_map": "map of moments",
    "orthogonal_map": "orthogonal map of axes",
    "paired_map": "linear map, from pairs",
    TRUE_TEXT: "vectors of true captions",
}

Entry = tuple[Printed | None, CellPart | None]


@dataclass(frozen=True)
class CaptionTable:
    """Scores (columns) by translation (rows), printed and measured, for the same models, dataset and reading."""

    models: tuple[str, ...]
    dataset: str
    reading: str
    scores: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Entry, ...]], ...]


@dataclass(frozen=True)
class CaptionStrip:
    """The first images of the test split by id, each with a reference and the caption behind each translation."""

    models: tuple[str, ...]
    dataset: str
    reading: str
    ways: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]


def caption_tables_of(record: Record) -> tuple[CaptionTable, ...]:
    """One table for each models, dataset and reading with captions in the record."""
    printed = {
        (cell.protocol.name, tuple(cell.models), cell.dataset): number
        for claim in CLAIMS
        for table in claim.published
        for cell, number in table.cells.items()
        if cell.protocol.probe == PROBE
    }
    tables = []
    for (models, dataset, reading), cells in _by_place(record).items():
        found = {(_way(cell), cell.metric): cell for cell in cells}
        ways = [way for way in WORDS if any(way == known for known, _ in found)]
        rows = []
        for way in ways:
            names = {score: f"captions_{way}_{score}" for score in SCORES}
            known = {score: printed.get((name, models, dataset)) for score, name in names.items()}
            entries = tuple((known[score] if reading == "paper" else None, found.get((way, score))) for score in SCORES)
            rows.append((WORDS[way], entries))
        tables.append(CaptionTable(models, dataset, reading, SCORES, tuple(rows)))
    return tuple(tables)


def caption_strips_of(record: Record) -> tuple[CaptionStrip, ...]:
    """One strip for each models, dataset and reading; none from a record that keeps no captions."""
    strips = []
    for (models, dataset, reading), cells in _by_place(record).items():
        shown: dict[str, Mapping[str, Any]] = {}
        for cell in cells:
            if found := cell.made_of.get("shown"):
                shown.setdefault(_way(cell), found)
        ways = [way for way in WORDS if way in shown]
        if not ways:
            continue
        first = shown[ways[0]]
        rows = tuple(
            (name, reference, tuple(shown[way]["captions"][place] for way in ways))
            for place, (name, reference) in enumerate(zip(first["ids"], first["references"], strict=True))
        )
        strips.append(CaptionStrip(models, dataset, reading, tuple(WORDS[way] for way in ways), rows))
    return tuple(strips)


def _by_place(record: Record) -> dict[tuple[tuple[str, ...], str, str], list[CellPart]]:
    found: dict[tuple[tuple[str, ...], str, str], list[CellPart]] = {}
    for cell in record.cells:
        if cell.probe == PROBE and cell.protocol in PROTOCOLS:
            found.setdefault((tuple(cell.models), cell.dataset, cell.reading), []).append(cell)
    return found


def _way(cell: CellPart) -> str:
    """The translation of the cell's protocol as the paper reads it."""
    settings = PROTOCOLS.get(cell.protocol).settings
    assert isinstance(settings, WrittenCaptionsSettings)
    return settings.translation
