"""One method a page: what to read from the store, and which template shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dlt_bunce.model import REJECT_CODES
from dlt_bunce.records.schema import FIELDS
from dlt_bunce.store.database import Database
from dlt_bunce.store.dead_letter_query import (
    STATUSES,
    Selection,
    count,
    count_by_code,
    list_recent,
    pages,
)
from dlt_bunce.store.history import history
from dlt_bunce.workbench.auth import Auth, same
from dlt_bunce.workbench.background_jobs import BackgroundJobs, Figures, discarded, replayed
from dlt_bunce.workbench.bulk_actions import bulk_action_of
from dlt_bunce.workbench.error_page import ErrorPage
from dlt_bunce.workbench.filters import ANY, check_id, filter_of, key_of, key_text
from dlt_bunce.workbench.masking import shown
from dlt_bunce.workbench.pages import render, style_sheet
from dlt_bunce.workbench.report import Report

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from dlt_bunce.destination.client import BunceClient

RUNS = 100
PAGE = 50
COUNTED = 10_000
"""Letters that are counted for a page; beyond them it says "10,000+"."""
_COLUMNS = "id, status, code, field, attempts, last_seen_at, pipeline_name, run_id"
_WAIT_S = 10.0
"""So long the page of a replay waits for its end, before it says that it goes on."""


@dataclass(frozen=True)
class Store:
    """What the pages are about; `client` and `explain` come from whoever knows the configuration.

    `explain` puts an exception into one line with its remedy and without any value.
    """

    url: str
    account: str
    requests_per_minute: int
    client: Callable[[], BunceClient]
    explain: Callable[[BaseException], str]

    def read(self) -> Database:
        """A connection that changes nothing."""
        return Database(self.url, read_only=True)


@dataclass(frozen=True)
class Views:
    """The pages; each reads the store in a thread of its own, since the store blocks."""

    store: Store
    auth: Auth
    jobs: BackgroundJobs

    async def start(self, request: Request) -> Response:
        """Lets a browser in, and leads it to an address without the token."""
        if not same(request.query_params.get("token"), self.auth.start):
            raise ErrorPage(
                403, "Not signed in", "Open the address that `dlt-bunce ui` has printed."
            )
        # a page, not a redirect: that would count as coming from where the address was clicked,
        # and a strict cookie does not go along then
        answer = HTMLResponse(render("start.html"))
        answer.set_cookie(self.auth.cookie, self.auth.session, httponly=True, samesite="strict")
        return answer

    async def style(self, _request: Request) -> Response:
        """The style sheet."""
        return Response(style_sheet(), media_type="text/css")

    async def runs(self, _request: Request) -> Response:
        """The report, with links."""

        def made() -> str:
            store = self.store
            with store.read() as db:
                found = history(db, store.account, limit=RUNS)
            report = Report(store.account, found, store.requests_per_minute)
            return self._page("runs.html", "/", report=report)

        return HTMLResponse(await run_in_threadpool(made))

    async def letters(self, request: Request) -> Response:
        """A page of letters that match the filter, newest first."""
        query = request.query_params
        chosen = filter_of(query)
        before, after = key_of(query, "before"), key_of(query, "after")

        def made() -> str:
            account, selection = self.store.account, chosen.selection
            alike = Selection(status=selection.status)
            with self.store.read() as db:
                found = list_recent(
                    db,
                    account,
                    selection,
                    before=before,
                    after=after,
                    limit=PAGE + 1,
                    columns=_COLUMNS,
                )
                matching = count(db, account, selection, most=COUNTED + 1)
                codes = count_by_code(db, account, alike, REJECT_CODES, most=COUNTED + 1)
            more = len(found) > PAGE
            rows = found[-PAGE:] if after else found[:PAGE]
            older = bool(rows) and (more or after is not None)
            newer = bool(rows) and (before is not None or (more and after is not None))
            return self._page(
                "letters.html",
                "/letters",
                filter=chosen,
                letters=rows,
                count=matching,
                counted=COUNTED,
                codes=codes,
                older=chosen.address(before=key_text(rows[-1])) if older else None,
                newer=chosen.address(after=key_text(rows[0])) if newer else None,
                first=chosen.address() if before or after else None,
                choices={"status": (*STATUSES, ANY), "code": [*REJECT_CODES], "field": FIELDS},
            )

        return HTMLResponse(await run_in_threadpool(made))

    async def letter(self, request: Request) -> Response:
        """One letter, masked."""
        return await self._letter(request, values=False)

    async def values(self, request: Request) -> Response:
        """One letter with its values: asked for by a form, so that no address does it."""
        await self._form(request)
        return await self._letter(request, values=True)

    async def confirm(self, request: Request) -> Response:
        """What is about to happen, and to how many letters."""
        order = bulk_action_of(await self._form(request))

        def made() -> str:
            with self.store.read() as db:
                matching = count(db, self.store.account, order.selection)
            if not matching:
                raise ErrorPage(
                    409, "Nothing to do", "None of the chosen letters is open any more."
                )
            return self._page("confirm.html", "/letters", order=order, count=matching)

        return HTMLResponse(await run_in_threadpool(made))

    async def act(self, request: Request) -> Response:
        """Begins a replay or a discard, and leads to its page."""
        order = bulk_action_of(await self._form(request))
        store, selection = self.store, order.selection

        def replay() -> Figures:
            return replayed(store.client(), selection)

        discard = partial(discarded, store.url, store.account, selection)
        act = replay if order.action == "replay" else discard
        begun = self.jobs.start(order.action, order.filter.address(), act)
        return RedirectResponse(f"/orders/{begun.number}", 303)

    async def work(self, request: Request) -> Response:
        """What has become of a replay or discard; waits a while for its end."""
        begun = self.jobs.get(request.path_params["number"])
        if begun is None:
            raise ErrorPage(404, "Unknown number", "This process keeps no such replay or discard.")
        await asyncio.wait([asyncio.wrap_future(begun.result)], timeout=_WAIT_S)
        ended = begun.result.done()
        raised = begun.result.exception() if ended else None
        page = self._page(
            "work.html",
            "/letters",
            work=begun,
            figures=begun.result.result() if ended and raised is None else None,
            error=None if raised is None else self.store.explain(raised),
        )
        return HTMLResponse(page)

    async def _letter(self, request: Request, *, values: bool) -> Response:
        one = check_id(request.path_params["letter_id"])

        def made() -> str:
            with self.store.read() as db:
                chosen = Selection(status=None, ids=[one])
                found = next(pages(db, self.store.account, chosen, size=1), None)
            if not found:
                raise ErrorPage(404, "Unknown letter", "It may have been purged meanwhile.")
            return self._page("letter.html", "/letters", letter=shown(found[0], values=values))

        return HTMLResponse(await run_in_threadpool(made))

    async def _form(self, request: Request) -> FormData:
        """The form, if it is one of ours. Raises ErrorPage."""
        form = await request.form()
        if not same(form.get("token"), self.auth.form):
            raise ErrorPage(403, "Form refused", "It is none of this process. Go back and reload.")
        return form

    def _page(self, template: str, here: str, **values: Any) -> str:
        return render(
            template,
            here=here,
            account=self.store.account,
            form_token=self.auth.form,
            running=self.jobs.running,
            **values,
        )
