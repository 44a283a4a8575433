"""The pages of runs in a browser: one table with paging, a page for each run, and charts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from dlt_bunce.store.database import Database
from dlt_bunce.workbench.auth import Auth
from dlt_bunce.workbench.report import Report, as_html

from .conftest import SECRETS, Loaded, Visit, at, signed_in
from .test_report import past


@pytest.fixture
def store_url() -> str:
    """One kind of store is enough: the queries are those of the report."""
    return "sqlite:///bunce.sqlite"


def _add_runs(store_url: str, count: int) -> None:
    rows = [
        {
            "run_id": f"old-{n}",
            "pipeline_name": "bunce_load_e8e0ecaa86_63412d",
            "source": "crm_export.csv",
            "account": "default",
            "state": "completed",
            "started_at": f"2026-03-01T03:{n:02d}:00.000000+00:00",
            "ended_at": f"2026-03-01T03:{n:02d}:30.000000+00:00",
        }
        for n in range(count)
    ]
    with Database(store_url) as db:
        db.ingest("bunce_given", pa.Table.from_pylist(rows))
        columns = ", ".join(rows[0])
        db.execute(f"INSERT INTO bunce_runs ({columns}) SELECT {columns} FROM bunce_given")


def test_runs_are_one_table_on_pages_that_link_to_each_other(
    visit: Visit, auth: Auth, loaded: Loaded
) -> None:
    _add_runs(loaded.store_url, 27 - 1)
    page = visit.page
    page.goto(at(auth, "/"))
    rows = page.get_by_role("table", name="Runs, newest first").get_by_role("row")
    newest = rows.all_inner_texts()
    tables, height = page.get_by_role("table").count(), page.evaluate("document.body.scrollHeight")
    visit.follow("Older")
    page.wait_for_url(at(auth, "/?page=2"))
    oldest = rows.all_inner_texts()
    page.goto(at(auth, "/?page=0"))

    assert "customers.parquet" in newest[1]
    assert [len(newest) - 1, len(oldest) - 1] == [25, 2]
    assert not set(newest[1:]) & set(oldest[1:])
    assert (tables, height < 3_500) == (2, True), "the runs, and the reject codes"
    assert page.get_by_role("heading", name="Unknown page").count() == 1


def test_a_run_has_a_page_with_everything_else(visit: Visit, auth: Auth, loaded: Loaded) -> None:
    page = visit.page
    page.goto(at(auth, "/"))
    visit.follow("customers.parquet")
    shown = page.locator("main").inner_text()
    visit.follow("email_taken")
    letters = page.get_by_role("row").count() - 1
    page.goto(at(auth, "/runs/none"))

    assert "customers.parquet completed" in shown
    for text in ("Created\t1", "Rejected\t4", "invalid_phone_no\t3", "phone_no\nmobile", "Waited"):
        assert text in shown
    assert [secret for secret in SECRETS if secret in shown] == []
    assert letters == 1
    assert page.get_by_role("heading", name="Unknown run").count() == 1


def test_a_list_shows_why_at_once_and_customers_only_when_asked(
    visit: Visit, auth: Auth, loaded: Loaded
) -> None:
    with Database(loaded.store_url) as db:
        db.execute("UPDATE bunce_dead_letters SET customer_id = 'C-' || customer_id")
    page = visit.page
    page.goto(at(auth, "/letters?code=email_taken"))
    masked = visit.text()
    visit.press("Show customers and messages")
    asked, address = visit.text(), page.url
    visit.follow("Mask values")
    page.wait_for_url(at(auth, "/letters?code=email_taken"))

    assert "the email belongs to another customer in Bunce" in masked
    assert "customers.parquet" in masked, "the run it is from"
    assert [secret for secret in (*SECRETS, "C-3") if secret in masked] == []
    assert "C-3" in asked
    assert "C-" not in address
    assert "C-3" not in visit.text()


_OVERLAPS = """charts => charts.flatMap(chart => {
    const boxes = [...chart.querySelectorAll('.axis.x text')].map(t => t.getBoundingClientRect());
    const frame = chart.getBoundingClientRect();
    const wrong = boxes.filter(box => box.left < frame.left || box.right > frame.right);
    boxes.sort((one, other) => one.left - other.left);
    return boxes.length ? wrong.concat(boxes.slice(1).filter((box, i) => box.left < boxes[i].right))
        : ['no label'];
})"""


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize(
    ("count", "apart"),
    [
        (1, timedelta(days=1)),
        (2, timedelta(0)),
        (12, timedelta(minutes=5)),
        (27, timedelta(hours=1)),
        (41, timedelta(days=1)),
        (40, timedelta(days=30)),
    ],
)
def test_labels_of_charts_never_overlap_and_the_newest_run_is_in_sight(
    width: int, count: int, apart: timedelta, window: Callable[..., Visit]
) -> None:
    newest = past(0).started_at
    runs = [past(n, started_at=newest - n * apart, ended_at=newest) for n in range(count)]
    Path("report.html").write_text(as_html(Report("default", runs, 500)), "utf-8")
    page = window(viewport={"width": width, "height": 800}).page
    page.goto(Path("report.html").absolute().as_uri())

    charts = page.locator("svg:visible")
    last = [labels[-1] for labels in (c.locator(".axis.x text").all() for c in charts.all())]
    rights = [box["x"] + box["width"] for label in last if (box := label.bounding_box())]

    assert charts.count() == 4
    assert charts.evaluate_all(_OVERLAPS) == []
    assert {label.text_content() for label in last} <= {"02 Mar", "02 Mar 00:00"}
    assert [right for right in rights if right > width] == []


def test_in_a_file_a_run_has_a_page_too(window: Callable[..., Visit]) -> None:
    runs = [past(n, source=f"export-{n}.csv") for n in range(3)]
    Path("report.html").write_text(as_html(Report("default", runs, 500)), "utf-8")
    visit = window()
    page = visit.page
    page.goto(Path("report.html").absolute().as_uri())
    before = page.get_by_role("heading", level=1).all_inner_texts()
    visit.follow("export-1.csv")
    on_page = page.get_by_role("heading", level=1).all_inner_texts()
    visit.follow("Runs")

    assert (before, on_page) == (["Runs"], ["export-1.csv completed"])
    assert page.get_by_role("heading", level=1).all_inner_texts() == before


def test_a_phone_shows_a_run_without_scrolling_sideways(
    auth: Auth, loaded: Loaded, window: Callable[..., Visit]
) -> None:
    visit = signed_in(auth, window(viewport={"width": 360, "height": 740}))
    run_id = loaded.letters()["2"]["run_id"]
    visit.page.goto(at(auth, f"/runs/{run_id}"))

    assert visit.page.evaluate("document.documentElement.scrollWidth") == 360
