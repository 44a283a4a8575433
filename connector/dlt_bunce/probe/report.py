"""The report of a probe: no key, no id, no value of anybody."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from dlt_bunce.probe.questions import QUESTIONS, UNKNOWN, Finding
from dlt_bunce.probe.value_questions import VALUES

_SECONDS = frozenset({"lag_s", "seconds_per_row"})
FORMAT = 1
"""Version of the report's form."""


@dataclass(frozen=True)
class ProbeReport:
    """What a probe found.

    `requests` were sent, and `customers` is how many test customers may have been created.
    `figures` are the numbers that loads use, by name.
    """

    host: str
    mode: str
    probed_at: str
    version: str
    requests: int
    customers: int
    findings: Sequence[Finding]
    figures: Mapping[str, Any]

    @property
    def answers(self) -> dict[str, str]:
        """The answer to every question, by its name."""
        return {finding.question: finding.answer for finding in self.findings}

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values, to be attached to an issue."""
        answers = [
            asdict(finding)
            | {"title": QUESTIONS[finding.question].title, "meaning": finding.meaning}
            for finding in self.findings
        ]
        given = {name: value for name, value in vars(self).items() if name != "findings"}
        return {"format": FORMAT, **given, "figures": dict(self.figures), "answers": answers}


def read_report(text: str) -> dict[str, Any] | None:
    """Return a report as `as_json` gave it, from its JSON; None for any other text."""
    try:
        report = json.loads(text)
        at = datetime.fromisoformat(report["probed_at"])
        is_whole = (
            report["format"] == FORMAT
            and at.tzinfo is not None
            and isinstance(report["host"], str)
            and all(
                each["question"] in QUESTIONS and isinstance(each["answer"], str)
                for each in report["answers"]
            )
            and all(_is_figure(*each) for each in report["figures"].items())
            and ("largest_batch" in report["figures"]) == ("seconds_per_row" in report["figures"])
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return dict(report) if is_whole else None


def _is_figure(name: str, value: object) -> bool:
    if name == "counts":
        pairs = value.values() if isinstance(value, dict) else [None]
        return all(isinstance(p, list) and [type(n) for n in p] == [int, int] for p in pairs)
    if name in _SECONDS:
        return type(value) in {int, float} and 0 <= value < math.inf  # type: ignore[operator]
    return type(value) is int and value > 0


def all_questions(findings: Mapping[str, Finding], *, values: bool = False) -> list[Finding]:
    """Return a finding for each question, in their order; without an answer it is unknown.

    Questions about attributes and segments are left out unless `values`.
    """
    left_out = frozenset(() if values else (question.name for question in VALUES))
    return [
        findings.get(name) or Finding(name, UNKNOWN, "nothing that decides it")
        for name in QUESTIONS
        if name not in left_out
    ]
