"""Accessibility of the pages: axe's rules, both color schemes, and a phone's width."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlt_bunce.workbench.auth import Auth

from .conftest import Loaded, Visit, at, signed_in, violations


@pytest.fixture(params=["sqlite"])
def store_url(request: pytest.FixtureRequest) -> str:
    """One kind of store is enough: it does not change how a page looks."""
    return "sqlite:///bunce.sqlite"


def _walk(visit: Visit, auth: Auth, loaded: Loaded, check: Callable[[str], None]) -> None:
    """Open every kind of page and check it."""
    page, letter = visit.page, loaded.letters()["3"]
    check("runs")
    for path in (
        f"/runs/{letter['run_id']}",
        "/letters",
        "/letters?code=refused&status=any",
        f"/letters/{letter['id']}",
    ):
        page.goto(at(auth, path))
        check(path)
    visit.press("Show values")
    check("values")
    visit.press("Replay")
    check("confirm")
    page.goto(at(auth, "/letters?code=invalid_phone_no"))
    visit.press("Discard all 3")
    check("confirm all")
    visit.press("Discard 3 dead letters")
    page.get_by_role("heading", name="Discard finished").wait_for()
    check("done")
    page.goto(at(auth, "/letters/nothing"))
    check("error_page")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violations_on_any_page(
    scheme: str, auth: Auth, loaded: Loaded, window: Callable[..., Visit]
) -> None:
    visit = signed_in(auth, window(color_scheme=scheme))
    found: dict[str, list[str]] = {}

    def check(name: str) -> None:
        if wrong := violations(visit.page):
            found[name] = wrong

    _walk(visit, auth, loaded, check)

    assert found == {}


def test_no_page_is_wider_than_a_phone(
    auth: Auth, loaded: Loaded, window: Callable[..., Visit]
) -> None:
    visit = signed_in(auth, window(viewport={"width": 360, "height": 740}))
    widths: dict[str, int] = {}

    def check(name: str) -> None:
        widths[name] = visit.page.evaluate("document.documentElement.scrollWidth")

    _walk(visit, auth, loaded, check)

    assert dict.fromkeys(widths, 360) == widths


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_is_one_file_that_loads_nothing_else_and_logs_no_errors(
    scheme: str, width: int, loaded: Loaded, window: Callable[..., Visit]
) -> None:
    assert loaded.run("report", "--html", "report.html").code == 0
    report = Path("report.html").absolute().as_uri()
    visit = window(color_scheme=scheme, viewport={"width": width, "height": 800})

    visit.page.goto(report)
    visit.page.wait_for_load_state("networkidle")

    assert [report] == [url for url in visit.requests if not url.startswith("data:")]
    assert visit.errors == []
    assert violations(visit.page) == []
    assert width == visit.page.evaluate("document.documentElement.scrollWidth")
    assert visit.page.locator("script, [src], [onclick]").count() == 0
    assert visit.page.get_by_role("img").count() == 4
