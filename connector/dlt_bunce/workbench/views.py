"""The pages, one method each: what to read from the store and which template to render."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dlt_bunce.records.mapping.schema import FIELDS
from dlt_bunce.records.text.text import without_invisible
from dlt_bunce.reject_codes import REJECT_CODES
from dlt_bunce.store.letters import dead_letter_query
from dlt_bunce.store.letters.selection import STATUSES, Selection
from dlt_bunce.store.runs.history import Run, find, history
from dlt_bunce.workbench.auth import Auth, same
from dlt_bunce.workbench.background_jobs import (
    BackgroundJobs,
    Figures,
    corrected,
    discarded,
    replayed,
)
from dlt_bunce.workbench.bulk_actions import bulk_action_of
from dlt_bunce.workbench.corrections import changes_of
from dlt_bunce.workbench.error_page import ErrorPage
from dlt_bunce.workbench.filters import (
    ANY,
    Given,
    check_id,
    filter_of,
    key_of,
    key_text,
    page_number,
)
from dlt_bunce.workbench.forms import form_of
from dlt_bunce.workbench.link_page import links_shown
from dlt_bunce.workbench.masking import LISTED, listed, rejected_of, shown
from dlt_bunce.workbench.pages import render, style_sheet
from dlt_bunce.workbench.report import Report
from dlt_bunce.workbench.store import Store

RUNS, PAGE = 25, 50
"""Runs, and dead letters, on a page."""
COUNTED = 10_000
"""Dead letters counted for a page; if there are more, it shows "10,000+"."""
_WAIT_S = 10.0
"""Seconds that a job's page waits for its end before it reports that the job is running."""


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
        answer = HTMLResponse(render("start.html", root=self.auth.root))
        answer.set_cookie(
            self.auth.cookie,
            self.auth.session,
            path=f"{self.auth.root}/",
            httponly=True,
            samesite="strict",
        )
        return answer

    async def style(self, _request: Request) -> Response:
        """Return the style sheet."""
        return Response(style_sheet(), media_type="text/css")

    async def runs(self, request: Request) -> Response:
        """Show the runs, newest first, with their totals and charts."""
        page = page_number(request.query_params.get("page", "1"))

        def build() -> str:
            with self.store.read() as db:
                offset = (page - 1) * RUNS
                found = history(db, self.store.account, limit=RUNS + 1, offset=offset)
            return self.page(
                "runs.html",
                "/",
                report=self._report(found[:RUNS]),
                page=page,
                more=len(found) > RUNS,
            )

        return HTMLResponse(await run_in_threadpool(build))

    async def links(self, _request: Request) -> Response:
        """Show the newest links, with their ids masked."""
        return await self._links(values=False)

    async def link_values(self, request: Request) -> Response:
        """Show the newest links with their ids; only the form can request this, not a link."""
        await form_of(request, self.auth)
        return await self._links(values=True)

    async def run(self, request: Request) -> Response:
        """Show everything that is recorded about one run."""

        def build() -> str:
            with self.store.read() as db:
                found = find(db, self.store.account, [request.path_params["run_id"]])
            if not found:
                raise ErrorPage(404, "Unknown run", "It may have been purged.")
            return self.page("run.html", "/", report=self._report(found))

        return HTMLResponse(await run_in_threadpool(build))

    def _report(self, runs: Sequence[Run]) -> Report:
        return Report(self.store.account, runs, self.store.requests_per_minute)

    async def letters(self, request: Request) -> Response:
        """Show a page of the dead letters that match the filter, newest first."""
        return await self._letters(request.query_params, values=False)

    async def letters_with_values(self, request: Request) -> Response:
        """Show the same page with customer ids and Bunce's messages; only a form can request it."""
        return await self._letters(await form_of(request, self.auth), values=True)

    async def _letters(self, given: Given, *, values: bool) -> Response:
        chosen = filter_of(given)
        before, after = key_of(given, "before"), key_of(given, "after")

        def build() -> str:
            account, selection = self.store.account, chosen.selection
            any_code = Selection(status=selection.status)
            with self.store.read() as db:
                found = dead_letter_query.list_recent(
                    db,
                    account,
                    selection,
                    before=before,
                    after=after,
                    limit=PAGE + 1,
                    columns=LISTED,
                )
                matching = dead_letter_query.count(db, account, selection, most=COUNTED + 1)
                codes = dead_letter_query.count_by_code(
                    db, account, any_code, REJECT_CODES, most=COUNTED + 1
                )
                more = len(found) > PAGE
                rows = found[-PAGE:] if after else found[:PAGE]
                runs = find(db, account, {row["run_id"] for row in rows if row["run_id"]})
            older = bool(rows) and (more or after is not None)
            newer = bool(rows) and (before is not None or (more and after is not None))
            return self.page(
                "letters.html",
                "/letters",
                filter=chosen,
                letters=[listed(row, values=values) for row in rows],
                runs={run.run_id: run.name for run in runs},
                values=values,
                place={name: given[name] for name in ("before", "after") if name in given},
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
        await form_of(request, self.auth)
        return await self._letter(request, values=True)

    async def correct(self, request: Request) -> Response:
        """Send the row of a dead letter with the values of the form that differ from its own."""
        form = await form_of(request, self.auth)
        letter_id = check_id(request.path_params["letter_id"])
        store, changes = self.store, changes_of(form)
        if not changes:
            raise ErrorPage(409, "Nothing is changed", "Go back and correct a value.")

        def send() -> Figures:
            return corrected(store, letter_id, changes)

        job = self.jobs.start("correction", f"/letters/{letter_id}", send)
        return RedirectResponse(f"{self.auth.root}/orders/{job.number}", 303)

    async def find(self, request: Request) -> Response:
        """Find dead letters by their own id or their customer's, which stays out of the URL."""
        given = (await form_of(request, self.auth)).get("wanted", "")
        text = without_invisible(str(given))

        def build() -> Response:
            with self.store.read() as db:
                found = dead_letter_query.found_by(db, self.store.account, text, limit=PAGE)
                rejected = rejected_of(db, self.store.account, text)
            if not found and not rejected:
                raise ErrorPage(
                    404,
                    "Nothing found",
                    "No dead letter has this id, and no customer with this id has one.",
                )
            if len(found) == 1 and not rejected:
                return RedirectResponse(f"{self.auth.root}/letters/{found[0]['id']}", 303)
            shown = {"letters": found, "rejected": rejected}
            return HTMLResponse(self.page("found.html", "/letters", **shown))

        return await run_in_threadpool(build)

    async def confirm(self, request: Request) -> Response:
        """Show what is about to happen, and to how many dead letters."""
        bulk_action = bulk_action_of(await form_of(request, self.auth))

        def build() -> str:
            with self.store.read() as db:
                matching = dead_letter_query.count(db, self.store.account, bulk_action.selection)
            if not matching:
                raise ErrorPage(
                    409, "Nothing to do", "None of the selected dead letters is open any more."
                )
            return self.page("confirm.html", "/letters", bulk_action=bulk_action, count=matching)

        return HTMLResponse(await run_in_threadpool(build))

    async def act(self, request: Request) -> Response:
        """Start a replay or discard and redirect to its page."""
        bulk_action = bulk_action_of(await form_of(request, self.auth))
        store, selection = self.store, bulk_action.selection

        def replay() -> Figures:
            return replayed(store, selection)

        discard = partial(discarded, store.url, store.account, selection)
        act = replay if bulk_action.action == "replay" else discard
        job = self.jobs.start(bulk_action.action, bulk_action.filter.address(), act)
        return RedirectResponse(f"{self.auth.root}/orders/{job.number}", 303)

    async def job(self, request: Request) -> Response:
        """Show the state of a replay or discard, after waiting briefly for it to finish."""
        job = self.jobs.get(request.path_params["number"])
        if job is None:
            raise ErrorPage(404, "Unknown job", "This process has no action with that number.")
        await asyncio.wait([asyncio.wrap_future(job.result)], timeout=_WAIT_S)
        ended = job.result.result() if job.result.done() else None
        error = self.store.explain(ended) if isinstance(ended, BaseException) else None
        page = self.page(
            "job.html",
            "/values" if job.action == "retry" else "/letters",
            job=job,
            figures=ended,
            error=error,
        )
        return HTMLResponse(page)

    async def _links(self, *, values: bool) -> Response:
        def build() -> str:
            found = links_shown(self.store.url, self.store.account, values=values)
            return self.page("links.html", "/links", **found)

        return HTMLResponse(await run_in_threadpool(build))

    async def _letter(self, request: Request, *, values: bool) -> Response:
        letter_id = check_id(request.path_params["letter_id"])

        def build() -> str:
            with self.store.read() as db:
                chosen = Selection(status=None, ids=[letter_id])
                found = next(dead_letter_query.pages(db, self.store.account, chosen, size=1), None)
            if not found:
                raise ErrorPage(404, "Unknown dead letter", "It may have been purged.")
            return self.page("letter.html", "/letters", letter=shown(found[0], values=values))

        return HTMLResponse(await run_in_threadpool(build))

    def page(self, template: str, here: str, **values: Any) -> str:
        """Return a template as a page; `here` is its place in the navigation."""
        return render(
            template,
            root=self.auth.root,
            here=here,
            has_values=self.store.has_values(),
            account=self.store.account,
            form_token=self.auth.form,
            running=self.jobs.running,
            **values,
        )
