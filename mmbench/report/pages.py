"""Write a run: its record, and the pages rendered from it."""

from __future__ import annotations

import sys
from pathlib import Path

from mmbench.errors import MissingExtra
from mmbench.records.files import save_record
from mmbench.records.provenance import machine_folder
from mmbench.records.schema import Record


def write_run(record: Record, folder: Path) -> tuple[Path, ...]:
    """Save the record under ``folder/runs/<machine>/`` and render ``folder/<label>.md`` and ``.html`` from it."""
    folder.mkdir(parents=True, exist_ok=True)
    keep_out_of_git(folder)
    saved = save_record(record, folder / "runs" / machine_folder(record.machine.model_dump()))
    try:
        return (saved, *write_pages(record, folder))
    except MissingExtra as error:
        print(f"mmbench: {error}; the record is kept, and mmbench report renders it later", file=sys.stderr)
        return (saved,)


def write_pages(record: Record, folder: Path) -> tuple[Path, Path]:
    """``folder/<label>.md`` and ``folder/<label>.html``, and the figures that the Markdown page shows."""
    from mmbench.report.attack_figure import attack_figures
    from mmbench.report.figures import figures_of, file_name
    from mmbench.report.matrices import matrices_figure
    from mmbench.report.render import render_html, render_markdown
    from mmbench.report.similarity import similarity_figures

    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "figures"
    figures = (
        *figures_of(record, place),
        *attack_figures(record, place),
        *matrices_figure(record, place),
        *similarity_figures(record, place),
    )
    for figure in figures:
        (folder / "figures").mkdir(exist_ok=True)
        (folder / "figures" / file_name(record, figure.name)).write_text(figure.svg + "\n", encoding="utf-8")
    markdown, html = folder / f"{record.stem}.md", folder / f"{record.stem}.html"
    markdown.write_text(render_markdown(record, figures), encoding="utf-8")
    html.write_text(render_html(record, figures), encoding="utf-8")
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
    path.write_text(render_latex(record), encoding="utf-8")
    return path
