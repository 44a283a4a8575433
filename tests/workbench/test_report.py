"""`dlt-bunce report`: runs over time on the terminal, as JSON, and as an HTML page."""

from __future__ import annotations

import cProfile
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from dlt_bunce.model import FATES
from dlt_bunce.store.database import Database
from dlt_bunce.store.runs.history import Run as PastRun
from dlt_bunce.store.runs.history import history
from dlt_bunce.workbench.charts import MAX_BARS, charts
from dlt_bunce.workbench.report import Report, as_html

from .conftest import SECRETS, Loaded, Run


def past(number: int, **changes: Any) -> PastRun:
    """Return a run of two minutes that began `number` hours before a fixed time."""
    started = datetime(2026, 3, 2, tzinfo=timezone.utc) - timedelta(hours=number)
    values: dict[str, Any] = {
        "run_id": f"run-{number}",
        "pipeline_name": "crm",
        "source": None,
        "state": "completed",
        "started_at": started,
        "ended_at": started + timedelta(minutes=2),
        "read": 10,
        "fates": dict.fromkeys(FATES, 0) | {"created": 7, "rejected": 3},
        "reject_codes": {"invalid_email": 3},
        "requests": 100,
        "retries": 0,
        "bytes_sent": 1_234_567,
        "wait_seconds": 1.0,
        "answer_seconds": 25.0,
        "slowest_answer_seconds": 1.5,
    }
    return PastRun(**values | changes)


def test_the_counts_of_a_load_are_the_same_as_text_and_as_json(loaded: Loaded) -> None:
    store = ("--store-url", loaded.store_url)

    shown = loaded.run("report", *store)
    read = loaded.run("report", "--json", *store).json

    (only,) = read["runs"]
    assert (only["read"], only["created"], only["rejected"]) == (5, 1, 4)
    assert {"invalid_phone_no": 3, "email_taken": 1} == only["reject_codes"] == read["rejects"]
    assert only["requests"] > 0
    assert 0 < only["mean_answer_seconds"] <= only["slowest_answer_seconds"]
    assert (read["requests_per_minute"], only["budget"], only["budget_share"]) == (0, None, None)
    assert "latest 1 run" in shown.output
    assert "invalid_phone_no" in shown.output


def test_the_budget_covers_the_duration_of_the_run() -> None:
    run = past(1)

    assert (run.budget(500), run.budget_share(500)) == (1_000, 0.1)
    assert run.mean_answer_seconds == 0.25
    assert (run.budget(0), run.budget_share(0)) == (None, None)
    assert past(1, requests=0).mean_answer_seconds is None
    assert past(1, ended_at=None).budget(500) is None


def test_the_file_contains_no_customer_data(loaded: Loaded) -> None:
    result = loaded.run("report", "--html", "runs.html", "--store-url", loaded.store_url)

    page = Path("runs.html").read_text("utf-8")
    assert result.output == "Wrote 1 run to runs.html (counts only, no customer data).\n"
    assert [secret for secret in SECRETS if secret in page] == []
    assert "invalid_phone_no" in page


def test_a_file_is_replaced_only_with_overwrite(loaded: Loaded) -> None:
    Path("runs.html").write_text("mine")
    store = ("--store-url", loaded.store_url)

    refused = loaded.run("report", "--html", "runs.html", *store)
    kept = Path("runs.html").read_text()
    result = loaded.run("report", "--html", "runs.html", "--overwrite", *store)
    wrong = loaded.run("report", "--html", "runs.pdf", *store)
    nowhere = loaded.run("report", "--html", "no/such/runs.html", *store)

    assert (refused.code, kept, result.code) == (2, "mine", 0)
    assert "runs.html already exists" in refused.errors
    assert (wrong.code, "does not end in .html" in wrong.errors) == (2, True)
    assert (nowhere.code, "cannot be written: No such file" in nowhere.errors) == (2, True)
    assert list(Path().glob(".runs*")) == [], "no partial file is left behind"


def test_an_account_without_runs_has_an_empty_report(run: Run) -> None:
    with Database("sqlite:///bunce.sqlite"):
        pass

    shown = run("report")
    result = run("report", "--html", "runs.html")

    assert "has no recorded runs" in shown.output
    assert (result.code, run("report", "--json").json["runs"]) == (0, [])
    assert "No run has been recorded" in Path("runs.html").read_text("utf-8")


def test_the_table_shows_a_thousand_runs_and_charts_the_latest() -> None:
    runs = [past(n) for n in range(1_000)]

    page = as_html(Report("default", runs, 500))

    table = page.partition('id="runs-table"')[2].partition("</table>")[0]
    assert len(re.findall(r"</tr>", table)) - 1 == 1_000
    fates = charts(runs, 500)[0]
    assert [len(line.values) for line in fates.series] == [MAX_BARS, MAX_BARS]
    assert f"Charts show the last {MAX_BARS} runs" in page


def test_a_report_costs_by_the_number_of_runs() -> None:
    def calls(count: int) -> int:
        report = Report("default", [past(n) for n in range(count)], 500)
        with cProfile.Profile() as profile:
            as_html(report)
        return sum(entry.callcount for entry in profile.getstats())

    as_html(Report("default", [past(0)], 500))  # compiles the templates
    once, thrice = calls(100), calls(300)

    assert thrice < 3.2 * once


@pytest.mark.parametrize(
    "run",
    [
        past(0),
        past(0, state="running", ended_at=None),
        past(0, read=0, fates=dict.fromkeys(FATES, 0), reject_codes={}, requests=0),
        past(0, pipeline_name="p" * 300, run_id="r" * 300),
        past(0, pipeline_name="<script>alert(1)</script>"),
        past(0, reject_codes={f"code_of_tomorrow_{n}": n for n in range(20)}),
        past(0, ended_at=datetime(2026, 3, 2, tzinfo=timezone.utc)),
    ],
    ids=["usual", "running", "empty", "long", "markup", "codes", "instant"],
)
def test_any_run_can_be_rendered(run: PastRun) -> None:
    page = as_html(Report("default", [run], 500))

    assert "<script" not in page
    assert run.run_id in page


def test_each_chart_has_a_description_and_a_link_to_its_table() -> None:
    page = as_html(Report("default", [past(n) for n in range(3)], 500))

    drawn = re.findall(r'<svg[^>]*aria-labelledby="(\S+) (\S+)"', page)
    assert len(drawn) == 8, "each for a wide and a narrow screen"
    for title, description in drawn:
        assert f'id="{title}"' in page
        assert f'id="{description}"' in page
    targets = set(re.findall(r'<figcaption><a href="#([\w-]+)"', page))
    assert targets == {target for target in targets if f'id="{target}"' in page} != set()


def test_runs_of_other_accounts_are_not_shown(loaded: Loaded) -> None:
    with Database(loaded.store_url) as db:
        db.execute("UPDATE bunce_runs SET account = 'other'")
        found = [len(history(db, account, limit=9)) for account in ("default", "other")]

    assert found == [0, 1]


@pytest.mark.parametrize(
    ("words", "module", "remedy"),
    [
        (["report", "--html", "r.html"], "pygal", "pip install 'dlt-bunce[report]'"),
        (["report", "--html", "r.html"], "jinja2", "pip install 'dlt-bunce[report]'"),
        (["ui", "--no-browser"], "starlette", "pip install 'dlt-bunce[ui]'"),
        (["ui", "--no-browser"], "uvicorn", "pip install 'dlt-bunce[ui]'"),
        (["ui", "--no-browser"], "pygal", "pip install 'dlt-bunce[ui]'"),
    ],
)
def test_a_missing_extra_is_reported_with_its_remedy(
    words: list[str], module: str, remedy: str
) -> None:
    with Database("sqlite:///bunce.sqlite"):
        pass
    code = (
        f"import sys; sys.modules[{module!r}] = None; "
        f"from dlt_bunce.cli import main; main({words!r})"
    )
    if module == "pygal" and words[0] == "report":
        with Database("sqlite:///bunce.sqlite") as db:
            db.execute(
                "INSERT INTO bunce_runs (run_id, pipeline_name, account, state, started_at, "
                "ended_at) VALUES ('1', 'crm', 'default', 'completed', $1, $1)",
                (datetime.now(timezone.utc).isoformat(),),
            )

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )

    assert result.returncode == 2
    assert remedy in result.stderr
    assert "Traceback" not in result.stderr


def test_drawing_leaves_no_import_hook_behind(loaded: Loaded) -> None:
    code = (
        "import sys; from dlt_bunce.cli import main; "
        "main(['report', '--html', 'r.html'], standalone_mode=False); "
        "assert 'pygal' in sys.modules; "
        "assert not [f for f in sys.meta_path if 'pygal' in type(f).__module__]"
    )
    environ = os.environ | {"DESTINATION__BUNCE__STORE_URL": loaded.store_url}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env=environ)
