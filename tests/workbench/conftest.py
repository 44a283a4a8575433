"""A store filled by a real load, the workbench over it, and a browser that looks at both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tests.cli.conftest import Run, people, program, run, write

from dlt_bunce.store.database import Database
from dlt_bunce.workbench.auth import Auth

from .browser import chromium
from .serving import workbench

__all__ = ["program", "run"]

SCRIPT = "<script>document.title = 'taken over'</script><img src=x onerror=alert(1)>"
SECRETS = ("c1@example.com", "call me", "Ọbí", "+2348100000003", SCRIPT)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A store of either kind: what is promised of one is promised of both."""
    if request.param == "sqlite":
        return "sqlite:///bunce.sqlite"
    return str(request.getfixturevalue("postgres_store"))


@dataclass
class Loaded:
    """A store after a load of one good customer and four bad ones."""

    store_url: str
    run: Run

    def letters(self) -> dict[str, dict[str, Any]]:
        """Every letter by its customer."""
        with Database(self.store_url, read_only=True) as db:
            rows = db.rows("SELECT * FROM bunce_dead_letters")
        return {row["customer_id"]: row for row in rows}

    def statuses(self) -> dict[str, str]:
        """What has become of each customer's letter."""
        return {customer: row["status"] for customer, row in sorted(self.letters().items())}


@pytest.fixture
def loaded(store_url: str, run: Run) -> Loaded:
    """2: no phone number; 3: another customer's email; 4 and 5: what a page must not run."""
    write(
        [
            *people(1),
            *people(2, mobile="call me"),
            *people(3, email="c1@example.com"),
            *people(4, 5, mobile=SCRIPT),
        ]
    )
    assert run("load", "customers.parquet", "--store-url", store_url).code == 0
    return Loaded(store_url, run)


@dataclass
class Visit:
    """A browser window that keeps what it was asked to fetch and what it complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text))

    def text(self) -> str:
        """All that the page says, in its markup too."""
        return self.page.content()

    def press(self, name: str) -> None:
        """Presses the button of that name, and waits for the page that it leads to."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).click()


@pytest.fixture
def window(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens windows with nothing remembered of one another."""
    opened = []

    def open_window(**options: Any) -> Visit:
        context = browser.new_context(**options)
        opened.append(context)
        context.set_default_timeout(90_000)
        return Visit(context.new_page())

    yield open_window
    for context in opened:
        context.close()


@pytest.fixture
def auth(loaded: Loaded) -> Iterator[Auth]:
    """The workbench is being served over the loaded store."""
    with workbench(loaded.store_url) as auth:
        yield auth


@pytest.fixture
def visit(auth: Auth, window: Callable[..., Visit]) -> Visit:
    """A window that was let in."""
    return signed_in(auth, window())


def signed_in(auth: Auth, visit: Visit) -> Visit:
    """Opens the first address and waits to be led on."""
    visit.page.goto(auth.address)
    visit.page.wait_for_url(at(auth, "/"))
    return visit


def at(auth: Auth, path: str) -> str:
    """The address of a page."""
    return f"http://127.0.0.1:{auth.port}{path}"


def violations(page: Page) -> list[str]:
    """What axe finds against the page's accessibility, by rule and place."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {json.dumps([node['target'] for node in violation['nodes']])}"
        for violation in found
    ]
