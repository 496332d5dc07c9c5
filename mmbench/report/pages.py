"""Write a run: its record, and the pages that are rendered from it."""

from __future__ import annotations

import sys
from pathlib import Path

from mmbench import files
from mmbench.errors import MissingExtra
from mmbench.records.files import save_record
from mmbench.records.provenance import machine_folder
from mmbench.records.schema import Record


def write_record_of(record: Record, folder: Path) -> tuple[Path]:
    """Save the record under ``folder/runs/<machine>/``; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    keep_out_of_git(folder)
    return (save_record(record, folder / "runs" / machine_folder(record.machine.model_dump())),)


def write_pages_of(record: Record, folder: Path) -> tuple[Path, ...]:
    """``write_pages``; none, with a line on standard error, where the library for it is not installed."""
    try:
        return write_pages(record, folder)
    except MissingExtra as error:
        print(f"mmbench: {error}; the record is kept, and mmbench report renders it later", file=sys.stderr)
        return ()


def write_pages(record: Record, folder: Path) -> tuple[Path, Path]:
    """``folder/<label>.md`` and ``folder/<label>.html``, and the figures that the Markdown page shows."""
    from mmbench.report.attack_figure import attack_figures
    from mmbench.report.few_shot_figure import few_shot_figures
    from mmbench.report.figures import figures_of, file_name
    from mmbench.report.masking_figure import masking_figures
    from mmbench.report.matrices import matrices_figure
    from mmbench.report.render import render_html, render_markdown
    from mmbench.report.similarity import similarity_figures

    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "figures"
    figures = (
        *figures_of(record, place),
        *attack_figures(record, place),
        *few_shot_figures(record, place),
        *matrices_figure(record, place),
        *similarity_figures(record, place),
        *masking_figures(record, place),
    )
    for figure in figures:
        (folder / "figures").mkdir(exist_ok=True)
        files.write_whole(folder / "figures" / file_name(record, figure.name), figure.svg + "\n")
    markdown, html = folder / f"{record.stem}.md", folder / f"{record.stem}.html"
    files.write_whole(markdown, render_markdown(record, figures))
    files.write_whole(html, render_html(record, figures))
    return markdown, html


def keep_out_of_git(folder: Path) -> None:
    """A working folder (its name starts with a dot) ignores itself, as .pytest_cache does."""
    mark = folder / ".gitignore"
    if folder.name.startswith(".") and not mark.exists():
        mark.write_text("*\n", encoding="utf-8")


def write_latex(record: Record, folder: Path) -> Path:
    """``folder/<label>.tex``: the claims and their verdicts as one ``longtable``."""
    from mmbench.report.latex import render_latex

    path = folder / f"{record.stem}.tex"
    files.write_whole(path, render_latex(record))
    return path
