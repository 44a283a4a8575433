"""The page of rejected values: counted by attribute and code, and listed with masked customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dlt_bunce.store.values import rejected_values
from dlt_bunce.store.values.rejected_values import ValueSelection
from dlt_bunce.workbench.background_jobs import Figures, retried
from dlt_bunce.workbench.filters import Given, page_number
from dlt_bunce.workbench.forms import form_of
from dlt_bunce.workbench.masking import listed_value
from dlt_bunce.workbench.views import PAGE, Views

_NAMES = ("attribute", "segment", "code")


@dataclass(frozen=True)
class ValueFilter:
    """The filter of the page; names and codes are no data of a row, so they may be in a URL."""

    attribute: str = ""
    segment: str = ""
    code: str = ""

    @property
    def selection(self) -> ValueSelection:
        """The matching values."""
        attributes, segments, codes = (
            [text] if text else None for text in (self.attribute, self.segment, self.code)
        )
        return ValueSelection(attributes, segments, codes)

    @property
    def given(self) -> dict[str, str]:
        """The fields that are filled."""
        return {name: value for name in _NAMES if (value := getattr(self, name))}

    def address(self, **more: Any) -> str:
        """Return the address of the page with this filter, below the root."""
        query = urlencode(self.given | more)
        return f"/values?{query}" if query else "/values"


def filter_of_group(group: dict[str, Any]) -> ValueFilter:
    """Return the filter for a row of the counts."""
    name = {"attributes": "attribute", "segments": "segment"}[group["kind"]]
    return ValueFilter(**{name: group["name"], "code": group["code"]})


@dataclass(frozen=True)
class ValueViews:
    """The pages of rejected values, beside all others."""

    views: Views

    async def values(self, request: Request) -> Response:
        """Show what is rejected, with customers and Bunce's messages masked."""
        return await self._values(request.query_params, values=False)

    async def values_with_customers(self, request: Request) -> Response:
        """Show the same page with customers and messages; only a form can request it."""
        return await self._values(await form_of(request, self.views.auth), values=True)

    async def retry(self, request: Request) -> Response:
        """Have the values that match sent again by the next load, and redirect to the job's page.

        Nothing is sent now, so nobody is asked to confirm.
        """
        chosen = _filter_of(await form_of(request, self.views.auth))
        store = self.views.store

        def release() -> Figures:
            return retried(store.url, store.account, chosen.selection)

        job = self.views.jobs.start("retry", chosen.address(), release)
        return RedirectResponse(f"{self.views.auth.root}/orders/{job.number}", 303)

    async def _values(self, given: Given, *, values: bool) -> Response:
        chosen, page = _filter_of(given), page_number(str(given.get("page", "1")))
        store = self.views.store

        def build() -> str:
            account = store.account
            with store.read() as db:
                groups = rejected_values.groups(db, account)
                count = rejected_values.count(db, account, chosen.selection)
                offset = (page - 1) * PAGE
                found = rejected_values.some(
                    db, account, chosen.selection, limit=PAGE, offset=offset
                )
            return self.views.page(
                "values.html",
                "/values",
                filter=chosen,
                groups=[group | {"filter": filter_of_group(group)} for group in groups],
                count=count,
                rejected=[listed_value(row, values=values) for row in found],
                values=values,
                number=page,
                newer=chosen.address(page=page - 1) if page > 1 else None,
                older=chosen.address(page=page + 1) if offset + len(found) < count else None,
            )

        return HTMLResponse(await run_in_threadpool(build))


def _filter_of(given: Given) -> ValueFilter:
    return ValueFilter(**{name: str(given[name]).strip() for name in _NAMES if name in given})
