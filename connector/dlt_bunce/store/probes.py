"""What a probe found about the API of an account: one row for each account."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dlt_bunce.store.database import Database

_PUT = """
INSERT INTO bunce_probes (account, host, probed_at, answers, figures, report)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account) DO UPDATE SET host = excluded.host, probed_at = excluded.probed_at,
  answers = excluded.answers, figures = excluded.figures, report = excluded.report,
  contradicted = NULL
"""


@dataclass(frozen=True)
class Probed:
    """What is remembered of a probe: the answer to each question, and the figures that loads use.

    `contradicted` names what a load has found to be otherwise since.
    """

    host: str
    probed_at: str
    answers: Mapping[str, str]
    figures: Mapping[str, Any]
    contradicted: frozenset[str] = frozenset()


def put_probe(db: Database, account: str, report: Mapping[str, Any]) -> None:
    """Remember a probe of the account, given as its report; it replaces an earlier one."""
    answers = {each["question"]: each["answer"] for each in report["answers"]}
    figures = json.dumps(report["figures"])
    row = (json.dumps(answers), figures, json.dumps(report))
    db.execute(_PUT, (account, report["host"], report["probed_at"], *row))


def latest_probe(db: Database, account: str, *, host: str) -> Probed | None:
    """Return the last probe of the account at this host, None if there is none."""
    rows = db.rows("SELECT * FROM bunce_probes WHERE account = $1 AND host = $2", (account, host))
    if not rows:
        return None
    row = rows[0]
    return Probed(
        row["host"],
        row["probed_at"],
        json.loads(row["answers"]),
        json.loads(row["figures"]),
        frozenset(json.loads(row["contradicted"] or "[]")),
    )


def contradict_probe(db: Database, account: str, names: Iterable[str]) -> None:
    """Remember what a load has found to be otherwise than the probe did."""
    with db.transaction():
        rows = db.rows("SELECT contradicted FROM bunce_probes WHERE account = $1", (account,))
        for row in rows:
            known = json.loads(row["contradicted"] or "[]")
            db.execute(
                "UPDATE bunce_probes SET contradicted = $1 WHERE account = $2",
                (json.dumps(sorted({*known, *names})), account),
            )
