"""A store filled by a real load, the workbench that serves it, and a browser."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import Run, people, program, run, write

from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database
from dlt_bunce.workbench.auth import Auth

from .browser import chromium
from .serving import workbench

if TYPE_CHECKING:
    # takes a tenth of the time of collecting all tests
    from playwright.sync_api import Browser, Page

__all__ = ["program", "run"]

SQLITE = "sqlite:///bunce.sqlite"

SCRIPT = "<script>document.title = 'taken over'</script><img src=x onerror=alert(1)>"
SECRETS = ("c1@example.com", "call me", "Ọbí", "+2348100000003", SCRIPT)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A store of either kind; both must behave the same."""
    if request.param == "sqlite":
        return SQLITE
    return str(request.getfixturevalue("postgres_store"))


@dataclass
class Loaded:
    """A store after a load of one good customer and four bad ones."""

    store_url: str
    run: Run

    def letters(self) -> dict[str, dict[str, Any]]:
        """Return every dead letter by customer id."""
        with Database(self.store_url, read_only=True) as db:
            rows = db.rows("SELECT * FROM bunce_dead_letters")
        return {row["customer_id"]: row for row in rows}

    def statuses(self) -> dict[str, str]:
        """Return the status of each customer's dead letter."""
        return {customer: row["status"] for customer, row in sorted(self.letters().items())}


@dataclass
class FirstLoad:
    """What the first load into SQLite has left in the store and in Bunce, for later tests."""

    store: Path
    customers: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="session")
def _first_load(tmp_path_factory: pytest.TempPathFactory) -> FirstLoad:
    return FirstLoad(tmp_path_factory.mktemp("loaded") / "bunce.sqlite")


@pytest.fixture
def loaded(store_url: str, run: Run, emulator: Emulator, _first_load: FirstLoad) -> Loaded:
    """2: an invalid phone; 3: another customer's email; 4 and 5: markup that must not run."""
    file = Path("bunce.sqlite")
    if _first_load.customers and store_url == SQLITE:
        shutil.copy(_first_load.store, file)
        emulator.seed(_first_load.customers)
        return Loaded(store_url, run)
    write(
        [
            *people(1),
            *people(2, mobile="call me"),
            *people(3, email="c1@example.com"),
            *people(4, 5, mobile=SCRIPT),
        ]
    )
    assert run("load", "customers.parquet", "--store-url", store_url).code == 0
    if store_url == SQLITE:
        with (
            closing(sqlite3.connect(file)) as store,
            closing(sqlite3.connect(_first_load.store)) as copy,
        ):
            store.backup(copy)
        _first_load.customers = [*emulator.customers.values()]
    return Loaded(store_url, run)


@dataclass
class Visit:
    """A browser window that records its requests and its errors."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text))

    def text(self) -> str:
        """Return the whole HTML of the page."""
        return self.page.content()

    def press(self, name: str) -> None:
        """Click the button with this name and wait for the next page."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        """Click the link with this name and wait for the next page."""
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=name).click()


@pytest.fixture
def window(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open windows that share no cookies or storage."""
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
    """The workbench, serving the loaded store."""
    with workbench(loaded.store_url) as auth:
        yield auth


@pytest.fixture
def visit(auth: Auth, window: Callable[..., Visit]) -> Visit:
    """A window that is signed in."""
    return signed_in(auth, window())


def signed_in(auth: Auth, visit: Visit) -> Visit:
    """Open the sign-in address and wait for the redirect."""
    visit.page.goto(auth.address)
    visit.page.wait_for_url(at(auth, "/"))
    return visit


def at(auth: Auth, path: str) -> str:
    """Return the URL of a page."""
    return f"http://127.0.0.1:{auth.port}{auth.root}{path}"


def violations(page: Page) -> list[str]:
    """Return the accessibility violations that axe finds, by rule and element."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {json.dumps([node['target'] for node in rule['nodes']])}" for rule in found
    ]
