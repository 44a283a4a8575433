"""Sends dead letters again, through today's mapping and rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dlt_bunce.api.pacing import BatchSize
from dlt_bunce.client import BunceClient
from dlt_bunce.load import Load, Settings, recorded
from dlt_bunce.model import RunSummary
from dlt_bunce.records import rows as source_rows
from dlt_bunce.records.mapping import resolve_mapping
from dlt_bunce.records.prepare import Rules
from dlt_bunce.store import dead_letters, runs
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.ledger import Job
from dlt_bunce.summary import add_up


@dataclass(frozen=True)
class _Letters:
    """Stored rows as a source."""

    rows: Sequence[dict[str, Any]]

    @property
    def row_count(self) -> int | None:
        return len(self.rows)

    def chunks(self, rows: int) -> Iterator[pa.Table]:
        for start in range(0, len(self.rows), rows):
            yield source_rows.arrow_table(list(self.rows[start : start + rows]))


def replay(
    client: BunceClient,
    *,
    codes: Sequence[str] = (),
    ids: Sequence[str] = (),
    mapping: Mapping[str, str] | None = None,
) -> RunSummary:
    """Loads the stored rows of open letters again; resolves those that are accepted now.

    `mapping` (field to column) goes before the configuration's, which goes before the mapping of
    the run that wrote the letter. A customer of whom Bunce has accepted something since is never
    overwritten. Letters without a stored row (dead_letter_rows = "keys") are left alone.
    """
    account = client.preflight()
    started = utc_now()
    found: list[RunSummary] = []
    with client.database() as db:
        groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for page in dead_letters.select(db, account.name, codes=codes, ids=ids):
            for letter in page:
                if letter["source_row"] is not None:
                    groups[letter["run_id"], letter["pipeline_name"]].append(letter)
        for number, ((run_id, pipeline_name), letters) in enumerate(groups.items()):
            rows = [source_rows.decode(letter["source_row"]) for letter in letters]
            columns = list(dict.fromkeys(name for row in rows for name in row))
            known = runs.mapping_of(db, run_id, pipeline_name)
            wanted = {**known, **(client.config.mapping or {}), **(mapping or {})}
            job = Job(
                account=account.name,
                run_id=f"replay-{started}-{number}",
                pipeline_name=pipeline_name,
                table_name=letters[0]["table_name"],
                job_id="replay",
                disposition="merge",
                letter_rows=client.config.dead_letter_rows,
            )
            settings = Settings(
                mapping=resolve_mapping(
                    columns,
                    config={f: c for f, c in wanted.items() if c in columns},
                    defaults=client.config.defaults or {},
                ),
                rules=Rules(
                    default_region=client.config.default_region,
                    lowercase_email=client.config.lowercase_email,
                    defaults=client.config.defaults or {},
                ),
                email_key=account.email_key,
                concurrency=client.config.concurrency,
                check_mapping=False,
            )
            chosen = [letter["id"] for letter in letters]
            found.append(_run(client, db, job, settings, rows, chosen, started))
    return add_up(found, "replay")


def _run(
    client: BunceClient,
    db: Database,
    job: Job,
    settings: Settings,
    rows: list[dict[str, Any]],
    ids: list[str],
    started: str,
) -> RunSummary:
    dead_letters.release(db, job.account, ids)
    runs.begin(db, job, recorded(settings.mapping))
    size = BatchSize(client.config.batch_size, client.config.max_batch_size)
    state = "failed"
    try:
        with closing(client.session()) as session:
            counts = Load(_Letters(rows), job, settings, db, session, size).run()
        bad = counts["rejected"] + counts["held"]
        dead_letters.close_unseen(
            db, job.account, ids, started, "superseded" if bad else "resolved"
        )
        state = "completed"
    finally:
        with db.transaction():
            runs.finish(db, job.run_id, job.pipeline_name, job.account, state)
    return runs.summaries(db, job.account, run_ids=[job.run_id])[0]
