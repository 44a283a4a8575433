"""Regenerate the pictures in docs/images: `python -m tests.workbench.screenshots`.

All data in them is made up.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from tests.workbench.browser import chromium
from tests.workbench.serving import workbench

from dlt_bunce.model import FATES
from dlt_bunce.reject_codes import REJECT_CODES
from dlt_bunce.store.database import Database
from dlt_bunce.store.letters.dead_letter_query import list_recent
from dlt_bunce.store.letters.selection import Selection
from dlt_bunce.store.runs.history import history
from dlt_bunce.workbench.report import Report, as_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES = Path(__file__).parents[2] / "docs" / "images"
_START = datetime(2026, 3, 2, 4, 0, tzinfo=timezone.utc)
_CODES = {
    "invalid_phone_no": 60,
    "missing_email": 22,
    "email_taken": 12,
    "invalid_email": 9,
    "email_not_updated": 5,
    "missing_last_name": 3,
    "refused": 2,
}


def invent(store_url: str, *, runs: int = 30, seed: int = 3) -> None:
    """Write a month of nightly loads, one of them failed, with their dead letters."""
    chance = random.Random(seed)
    rows, letters = [], []
    for night in range(runs):
        started = _START + timedelta(days=night, seconds=chance.randrange(90))
        first, failed = night == 0, night == 17
        created = 184_000 if first else chance.randrange(900, 3_200)
        changed = 0 if first else chance.randrange(2_000, 9_000)
        known = 0 if first else 184_000 + night * 2_000
        codes = {
            c: n for c, w in _CODES.items() if (n := chance.randrange(w * (6 if first else 1)))
        }
        requests = (created + changed) // 400 + chance.randrange(20, 60)
        if failed:
            created, changed, requests = created // 3, changed // 3, requests // 2
        fates = {
            "created": created,
            "updated": changed,
            "unchanged": known,
            "held": night * 9,
            "superseded": chance.randrange(30),
            "rejected": sum(codes.values()),
            "deferred": 4_100 if failed else 0,
        }
        counts = dict.fromkeys(FATES, 0) | fates
        answers = requests * chance.uniform(0.32, 0.55)
        run_id = f"{started.timestamp():.4f}{chance.randrange(100):02d}"
        rows.append(
            {
                "run_id": run_id,
                "pipeline_name": "bunce_load_e8e0ecaa86_63412d",
                "source": "crm_export.csv",
                "account": "default",
                "table_name": "customers",
                "disposition": "merge",
                "state": "failed" if failed else "completed",
                "read": sum(counts.values()),
                **counts,
                "requests": requests,
                "bulk_requests": requests - 12,
                "retries": chance.randrange(3) + 9 * failed,
                "bytes_sent": (created + changed) * 210,
                "wait_seconds": requests / 30,
                "answer_seconds": answers,
                "slowest_answer_seconds": chance.uniform(1.1, 2.4) + 6 * failed,
                "reject_codes": json.dumps(codes),
                "started_at": started.isoformat(timespec="microseconds"),
                "ended_at": (
                    started + timedelta(seconds=requests * chance.uniform(0.16, 0.3) + 9)
                ).isoformat(timespec="microseconds"),
            }
        )
        for code, count in codes.items():
            letters += [_letter(chance, code, run_id, started) for _ in range(count)]
    with Database(store_url) as db:
        for table, records in (("bunce_runs", rows), ("bunce_dead_letters", letters)):
            db.ingest("bunce_invented", pa.Table.from_pylist(records))
            columns = ", ".join(records[0])
            db.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM bunce_invented")


def _letter(chance: random.Random, code: str, run_id: str, started: datetime) -> dict[str, object]:
    known = REJECT_CODES[code]
    number = chance.randrange(100_000, 999_999)
    row = {
        "id": number,
        "email": f"c{number}@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "mobile": "0803 123 4567",
    }
    seen = (started + timedelta(seconds=chance.uniform(1, 40))).isoformat(timespec="microseconds")
    api = known.stage == "api"
    return {
        "id": f"{chance.getrandbits(96):024x}",
        "account": "default",
        "customer_id": str(number),
        "code": code,
        "field": known.field,
        "message": "The email has already been taken." if api else known.meaning,
        "stage": known.stage,
        "http_status": 422 if api else None,
        "source_row": json.dumps(row),
        "payload": json.dumps(row) if api else None,
        "fingerprint": f"{chance.getrandbits(128):032x}",
        "attempts": 1 + (chance.random() < 0.2),
        "first_seen_at": seen,
        "last_seen_at": seen,
        "status": "open" if chance.random() < 0.7 else "resolved",
        "run_id": run_id,
        "batch_id": "1.0",
        "pipeline_name": "crm_to_bunce",
        "table_name": "customers",
    }


def main(images: Path) -> None:
    """Write the four pictures."""
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        store_url = f"sqlite:///{folder}/bunce.sqlite"
        invent(store_url)
        report = Path(folder) / "report.html"
        with Database(store_url, read_only=True) as db:
            report.write_text(as_html(Report("default", history(db, "default", limit=30), 500)))
        with workbench(store_url) as auth:
            letters = f"http://127.0.0.1:{auth.port}{auth.root}/letters"
            with Database(store_url, read_only=True) as db:
                taken = list_recent(db, "default", Selection(codes=["email_taken"]), limit=1)[0]
            _picture(browser, [auth.address, letters], images / "workbench-light.png")
            letter = f"{letters}/{taken['id']}"
            _picture(browser, [auth.address, letter], images / "workbench-dark.png", scheme="dark")
        _picture(browser, [report.as_uri()], images / "report-light.png", height=1000)
        charts = f"{report.as_uri()}#charts-heading"
        _picture(browser, [charts], images / "report-narrow.png", width=360, height=760)


def _picture(
    browser: Browser,
    addresses: list[str],
    file: Path,
    *,
    scheme: str = "light",
    width: int = 1100,
    height: int = 760,
) -> None:
    page = browser.new_page(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": height},
    )
    for address in addresses:
        page.goto(address)
        page.wait_for_load_state("networkidle")
    page.screenshot(path=file)
    page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else IMAGES)
