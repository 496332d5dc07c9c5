"""Records as pages: Markdown, and one self-contained HTML page. Text from data is escaped in both."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import MissingExtra
from mmbench.records.schema import Record, RowPart, VerdictPart, slug
from mmbench.report.figures import Figure
from mmbench.report.views import view_of
from mmbench.report.words import COLUMN_WORDS, UNINFORMATIVE, UNITS, chance_words, flags, p_value, readings_words

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


class Ready(str):
    """Markdown that is ready to be written: already escaped, or made by us."""


def render_markdown(record: Record, figures: tuple[Figure, ...] = ()) -> str:
    """The record as one Markdown page; figures are linked as ``figures/<label>-<name>.svg`` beside it."""
    environment = _environment(autoescape=False, finalize=escape_markdown)
    text = environment.get_template("report.md").render(page=view_of(record, figures))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def render_html(record: Record, figures: tuple[Figure, ...] = ()) -> str:
    """The record as one HTML page that needs no other file; figures are inline."""
    text = _environment(autoescape=True).get_template("report.html").render(page=view_of(record, figures))
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


def margin(verdict: VerdictPart) -> str:
    """A verdict's margin with its unit, which records of before lack."""
    return f"{signed(verdict.estimate)} {verdict.unit}".rstrip()


def by_place(rows: Iterable[RowPart]) -> list[tuple[tuple[str, str], list[RowPart]]]:
    """A verdict's rows, together where protocol and dataset are the same, in the order in which these come first."""
    found: dict[tuple[str, str], list[RowPart]] = {}
    for row in rows:
        found.setdefault((row.protocol, row.dataset), []).append(row)
    return list(found.items())


def bar(verdict: VerdictPart, width: int = 120) -> str:
    """The margin and its bounds as a small SVG: zero in the middle, the claim's side on the right."""
    from markupsafe import Markup

    numbers = [verdict.estimate, verdict.low, verdict.high]
    known = [abs(x) for x in numbers if x is not None]
    if verdict.estimate is None or not known:
        return ""
    reach, middle = max([*known, 1e-12]), width / 2
    at = [middle + (middle - 6) * x / reach if x is not None else None for x in numbers]
    # An unknown bound is drawn open to the edge.
    low, high = at[1] if at[1] is not None else 0, at[2] if at[2] is not None else width
    return Markup(
        f'<svg class="bar {verdict.outcome}" width="{width}" height="14" role="img" aria-label="margin '
        f'{signed(verdict.estimate)}, bounds {signed(verdict.low)} to {signed(verdict.high)}">'
        f'<line x1="{middle}" y1="0" x2="{middle}" y2="14" class="zero"/>'
        f'<line x1="{low:.1f}" y1="7" x2="{high:.1f}" y2="7" class="span"/>'
        f'<circle cx="{at[0]:.1f}" cy="7" r="3.5"/></svg>'
    )


def _environment(**options: Any) -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise MissingExtra("jinja2", "embedded", "a report page") from None
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **options
    )
    environment.filters |= {
        "number": number,
        "signed": signed,
        "margin": margin,
        "ready": Ready,
        "bar": bar,
        "by_place": by_place,
        "p_value": p_value,
        "slug": slug,
        "flags": flags,
        "chance_words": chance_words,
        "readings_words": readings_words,
    }
    environment.globals |= {"columns": COLUMN_WORDS, "what_uninformative_means": UNINFORMATIVE, "units": UNITS}
    return environment
