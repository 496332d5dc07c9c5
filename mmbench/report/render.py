"""Records as pages: Markdown, and one self-contained HTML page. Text from data is escaped in both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import MissingExtra
from mmbench.report.record import Record
from mmbench.report.views import view_of

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


class Ready(str):
    """Markdown that is ready to be written: already escaped, or made by us."""


def render_markdown(record: Record) -> str:
    """The record as one Markdown page."""
    environment = _environment(autoescape=False, finalize=escape_markdown)
    text = environment.get_template("report.md").render(page=view_of(record))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def render_html(record: Record) -> str:
    """The record as one HTML page that needs no other file."""
    text = _environment(autoescape=True).get_template("report.html").render(page=view_of(record))
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


def escape_markdown(value: Any) -> str:
    """Text that Markdown shows as it is, also inside a table: no markup, no HTML, no line break."""
    if isinstance(value, Ready):
        return value
    text = "" if value is None else str(value)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*_\[\]|#])", r"\\\1", text)
    return " ".join(text.split())


def number(value: float | None, *, signed: bool = False) -> str:
    """Three significant digits as papers print them; an em dash where there is none."""
    if value is None:
        return "—"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    return number(value, signed=True)


def _environment(**options: Any) -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise MissingExtra("jinja2", "embedded", "a report page") from None
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **options
    )
    environment.filters |= {"number": number, "signed": signed, "ready": Ready}
    return environment
