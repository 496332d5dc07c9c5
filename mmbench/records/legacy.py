"""Records of schemas 1 and 2 in today's form: outcomes inside the JSON, rows and comparisons repeated by verdict."""

from __future__ import annotations

import functools
from typing import Any

from mmbench.records.outcome_codec import unpack
from mmbench.records.outcomes import Outcomes
from mmbench.records.verdicts import rounded

Raw = dict[str, Any]
FINDING = (
    "reading", "outcome", "estimate", "low", "high", "point", "truth", "p_support", "p_refute",
    "binding", "missing", "settle", "note",
)  # fmt: skip
COMPARISON = ("label", "outcome", "estimate", "low", "high")


def upgraded(raw: Raw) -> Raw:
    """Values for ``Record.model_validate``. Raises KeyError, TypeError or ValueError where the old form is not met."""
    return raw | {
        "cells": [_cell(cell) for cell in raw.get("cells", ())],
        "verdicts": [_verdict(part) for part in raw.get("verdicts", ())],
        "costs": [cost for cost in raw.get("costs", ()) if cost["kind"] != "cell"],
    }


def _with_models(part: Raw) -> Raw:
    """Joined roles were one text, ``clip+clip_t``."""
    if "model" not in part:
        return part
    return {name: value for name, value in part.items() if name != "model"} | {"models": part["model"].split("+")}


def _cell(part: Raw) -> Raw:
    seconds = part.get("seconds")
    text = part.get("outcomes")
    if isinstance(text, str) and "trials" in part and "examples" in part:
        shape = len(part["trials"]), part["examples"]  # unpacked when first asked for, to the size that the cell says
        part = part | {"outcomes": Outcomes(functools.partial(unpack, text, shape))}
    return _with_models(part) | {"seconds": seconds if seconds is None else float(f"{seconds:.4g}")}


def _verdict(part: Raw) -> Raw:
    details, other = part.get("details") or {}, part.get("other_reading")
    kept = {name: value for name, value in part.items() if name not in ("explanation", "details", "other_reading")}
    found = {name: details[name] for name in (*FINDING, "says", "expected") if name in details}
    return (
        found
        | kept
        | {
            "rows": [_with_models(row) for row in details.get("rows", ())],
            "parts": [{name: rounded(piece[name]) for name in COMPARISON} for piece in details.get("parts", ())],
            "other_reading": other and {name: other[name] for name in FINDING if name in other},
        }
    )
