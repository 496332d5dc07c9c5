"""A claim's verdict beside what was recorded for it, and the result of its test that follows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import pytest

from mmbench.records.expected import Known, Standing

if TYPE_CHECKING:
    from mmbench.verdict import Readings, Verdict


@dataclass(frozen=True)
class Judged:
    """A verdict, what was recorded for it before, and the same verdict under the code's reading where that differs."""

    verdict: Verdict
    known: Known | None = None
    standing: Standing = "new"
    code: Verdict | None = None
    readings: Readings | None = None

    @property
    def part(self) -> dict[str, Any]:
        """What the record keeps of it, as plain JSON values."""
        from mmbench.records.verdicts import verdict_part

        reason = self.known.reason if self.known else ""
        return verdict_part(self.verdict, self.code, standing=self.standing, reason=reason, readings=self.readings)

    def result(self, *, strict: bool, gated: bool) -> tuple[Literal["fail", "skip", "xfail"] | None, str]:
        """The result of the claim's test and why; None leaves it to the test's own assertion.

        ``strict``: an inconclusive claim fails. ``gated``: the gate decides the run, so a candidate that refutes a
        claim, perhaps by being better, does not fail it.
        """
        verdict, known = self.verdict, self.known
        if self.standing == "changed":
            return "fail", f"changed verdict: {self.change}\n{verdict.explain()}"
        if verdict.outcome == "unmeasured":
            return "skip", f"unmeasured: {self.missing}"
        if verdict.outcome == "inconclusive":
            if strict:
                return "fail", f"inconclusive, and --mmbench-strict asks for more\n{verdict.explain()}"
            return "xfail", f"inconclusive: {self.settle}"
        if verdict.outcome == "refuted" and known is not None and known.verdict == "refuted":
            return "xfail", f"refuted, as recorded: {known.reason}"
        if verdict.outcome == "refuted" and known is not None and known.verdict == "inconclusive":
            # Another processor adds in another order; a claim at the edge then crosses it, and no run may fail by that.
            return "xfail", f"refuted by a little, within the interval recorded before: {self.change}"
        if verdict.outcome == "refuted" and verdict.evidence == "measured" and gated:
            return "xfail", "refuted; the gate decides this run, and lists the claims that flip"
        return None, ""

    @property
    def change(self) -> str:
        """What the recorded verdict was and what it is now, in one line."""
        assert self.known is not None
        now = _with_numbers(self.verdict.outcome, self.verdict.estimate, self.verdict.low, self.verdict.high)
        before = _with_numbers(self.known.verdict, self.known.estimate, self.known.low, self.known.high)
        return (
            f"{self.verdict.claim} was {before} on {self.verdict.evidence} evidence and is now {now}; look at it, then "
            "record it anew with: mmbench expect RECORD"
        )

    @property
    def missing(self) -> str:
        """What is missing, each thing once; the record names the cells that lack it."""
        return "; ".join(dict.fromkeys(map(without_cell, self.verdict.missing))) or "nothing to judge it on"

    @property
    def settle(self) -> str:
        return self.verdict.settle or "the interval holds values on both sides"


def without_cell(reason: str) -> str:
    """Why a cell is unmeasured, without the cell: pytest's summary prints equal reasons once, with their number."""
    return re.sub(r"^[^\s\[\]]+\[[^\[\]]*\](?: \(\w+\))?: ", "", reason)


def skip(why: str) -> NoReturn:
    """Skip the running test. All skips come from this line: pytest's summary counts those of one line and reason."""
    pytest.skip(why)


def _with_numbers(outcome: str, estimate: float | None, low: float | None, high: float | None) -> str:
    if estimate is None:
        return outcome
    interval = "" if low is None or high is None else f" [{low:.3g}, {high:.3g}]"
    return f"{outcome} at {estimate:.3g}{interval}"
