"""The pages, one method each: what to read from the store and which template to render."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dlt_bunce.records.schema import FIELDS
from dlt_bunce.reject_codes import REJECT_CODES
from dlt_bunce.store import links
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
from dlt_bunce.workbench.masking import shown, shown_link
from dlt_bunce.workbench.pages import render, style_sheet
from dlt_bunce.workbench.report import Report

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from dlt_bunce.destination.client import BunceClient

RUNS = 100
PAGE = 50
LINKS = 200
"""The newest links, ended ones included, that their page shows."""
COUNTED = 10_000
"""Dead letters counted for a page; if there are more, it shows "10,000+"."""
_COLUMNS = "id, status, code, field, attempts, last_seen_at, pipeline_name, run_id"
_WAIT_S = 10.0
"""Seconds that a job's page waits for its end before it reports that the job is running."""


@dataclass(frozen=True)
class Store:
    """The store and account that the pages show, with callables that need the configuration.

    `explain` describes an exception in one line, with its remedy and without customer data.
    """

    url: str
    account: str
    requests_per_minute: int
    client: Callable[[], BunceClient]
    explain: Callable[[BaseException], str]

    def read(self) -> Database:
        """Return a read-only connection."""
        return Database(self.url, read_only=True)


@dataclass(frozen=True)
class Views:
    """The pages; each reads the store in a worker thread, because the database calls block."""

    store: Store
    auth: Auth
    jobs: BackgroundJobs

    async def start(self, request: Request) -> Response:
        """Sign a browser in and send it to an address without the token."""
        if not same(request.query_params.get("token"), self.auth.start):
            raise ErrorPage(403, "Not signed in", "Open the address that `dlt-bunce ui` printed.")
        # a page rather than a redirect: browsers withhold a SameSite=Strict cookie from a redirect
        # that began on another site
        answer = HTMLResponse(render("start.html"))
        answer.set_cookie(self.auth.cookie, self.auth.session, httponly=True, samesite="strict")
        return answer

    async def style(self, _request: Request) -> Response:
        """Return the style sheet."""
        return Response(style_sheet(), media_type="text/css")

    async def runs(self, _request: Request) -> Response:
        """Show the report, with links to the dead letters."""

        def build() -> str:
            store = self.store
            with store.read() as db:
                found = history(db, store.account, limit=RUNS)
            report = Report(store.account, found, store.requests_per_minute)
            return self._page("runs.html", "/", report=report)

        return HTMLResponse(await run_in_threadpool(build))

    async def links(self, _request: Request) -> Response:
        """Show the newest links, with their ids masked."""
        return await self._links(values=False)

    async def link_values(self, request: Request) -> Response:
        """Show the newest links with their ids; only the form can request this, not a link."""
        await self._form(request)
        return await self._links(values=True)

    async def letters(self, request: Request) -> Response:
        """Show a page of the dead letters that match the filter, newest first."""
        query = request.query_params
        chosen = filter_of(query)
        before, after = key_of(query, "before"), key_of(query, "after")

        def build() -> str:
            account, selection = self.store.account, chosen.selection
            any_code = Selection(status=selection.status)
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
                codes = count_by_code(db, account, any_code, REJECT_CODES, most=COUNTED + 1)
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

        return HTMLResponse(await run_in_threadpool(build))

    async def letter(self, request: Request) -> Response:
        """Show one dead letter with its values masked."""
        return await self._letter(request, values=False)

    async def values(self, request: Request) -> Response:
        """Show one dead letter with its values; only the form can request this, not a link."""
        await self._form(request)
        return await self._letter(request, values=True)

    async def confirm(self, request: Request) -> Response:
        """Show what is about to happen, and to how many dead letters."""
        bulk_action = bulk_action_of(await self._form(request))

        def build() -> str:
            with self.store.read() as db:
                matching = count(db, self.store.account, bulk_action.selection)
            if not matching:
                raise ErrorPage(
                    409, "Nothing to do", "None of the selected dead letters is open any more."
                )
            return self._page("confirm.html", "/letters", bulk_action=bulk_action, count=matching)

        return HTMLResponse(await run_in_threadpool(build))

    async def act(self, request: Request) -> Response:
        """Start a replay or discard and redirect to its page."""
        bulk_action = bulk_action_of(await self._form(request))
        store, selection = self.store, bulk_action.selection

        def replay() -> Figures:
            return replayed(store.client(), selection)

        discard = partial(discarded, store.url, store.account, selection)
        act = replay if bulk_action.action == "replay" else discard
        job = self.jobs.start(bulk_action.action, bulk_action.filter.address(), act)
        return RedirectResponse(f"/orders/{job.number}", 303)

    async def job(self, request: Request) -> Response:
        """Show the state of a replay or discard, after waiting briefly for it to finish."""
        job = self.jobs.get(request.path_params["number"])
        if job is None:
            raise ErrorPage(
                404, "Unknown job", "This process has no replay or discard with that number."
            )
        await asyncio.wait([asyncio.wrap_future(job.result)], timeout=_WAIT_S)
        ended = job.result.done()
        raised = job.result.exception() if ended else None
        page = self._page(
            "job.html",
            "/letters",
            job=job,
            figures=job.result.result() if ended and raised is None else None,
            error=None if raised is None else self.store.explain(raised),
        )
        return HTMLResponse(page)

    async def _links(self, *, values: bool) -> Response:
        def build() -> str:
            account = self.store.account
            with self.store.read() as db:
                count = links.count(db, account)
                found = links.known(db, account, ended=True, limit=LINKS)
            rows = [shown_link(link, values=values) for link in found]
            return self._page("links.html", "/links", links=rows, count=count, values=values)

        return HTMLResponse(await run_in_threadpool(build))

    async def _letter(self, request: Request, *, values: bool) -> Response:
        letter_id = check_id(request.path_params["letter_id"])

        def build() -> str:
            with self.store.read() as db:
                chosen = Selection(status=None, ids=[letter_id])
                found = next(pages(db, self.store.account, chosen, size=1), None)
            if not found:
                raise ErrorPage(404, "Unknown dead letter", "It may have been purged.")
            return self._page("letter.html", "/letters", letter=shown(found[0], values=values))

        return HTMLResponse(await run_in_threadpool(build))

    async def _form(self, request: Request) -> FormData:
        """Return the submitted form. Raises ErrorPage if its token is not this process's."""
        form = await request.form()
        if not same(form.get("token"), self.auth.form):
            raise ErrorPage(
                403,
                "Form refused",
                "The form is from another session. Go back and reload the page.",
            )
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
