"""The workbench as an ASGI application: its routes and its error handling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from dlt_bunce.workbench.auth import Auth, Guarded
from dlt_bunce.workbench.background_jobs import BackgroundJobs
from dlt_bunce.workbench.error_page import ErrorPage, error_page
from dlt_bunce.workbench.store import Store
from dlt_bunce.workbench.value_views import ValueViews
from dlt_bunce.workbench.views import Views

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(store: Store, auth: Auth, jobs: BackgroundJobs) -> ASGIApp:
    """Return the application, guarded by `auth`."""
    views = Views(store, auth, jobs)
    value_views = ValueViews(views)
    endpoints: list[tuple[str, str, Endpoint]] = [
        ("GET", "/start", views.start),
        ("GET", "/style.css", views.style),
        ("GET", "/", views.runs),
        ("GET", "/runs/{run_id}", views.run),
        ("GET", "/links", views.links),
        ("POST", "/links", views.link_values),
        ("GET", "/letters", views.letters),
        ("GET", "/letters/{letter_id}", views.letter),
        ("GET", "/values", value_views.values),
        ("POST", "/values", value_views.values_with_customers),
        ("POST", "/values/retry", value_views.retry),
        ("POST", "/letters/values", views.letters_with_values),
        ("POST", "/letters/{letter_id}/values", views.values),
        ("POST", "/letters/{letter_id}/correct", views.correct),
        ("POST", "/find", views.find),
        ("POST", "/confirm", views.confirm),
        ("POST", "/act", views.act),
        ("GET", "/orders/{number:int}", views.job),
    ]
    routes = [
        Route(auth.root + path, _with_error_pages(endpoint, store, auth.root), methods=[method])
        for method, path, endpoint in endpoints
    ]
    handlers = {HTTPException: partial(_http_error, auth.root)}
    return Guarded(Starlette(routes=routes, exception_handlers=handlers), auth)


def _with_error_pages(endpoint: Endpoint, store: Store, root: str) -> Endpoint:
    """Turn every failure into an error page; the server would log it with its values."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ErrorPage as refused:
            return error_page(refused, root)
        except HTTPException as error:
            return await _http_error(root, request, error)
        except Exception as error:  # noqa: BLE001, explain() drops the values
            return error_page(ErrorPage(500, "The request failed", store.explain(error)), root)

    return answered


async def _http_error(root: str, _request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101, registered for this class
    return error_page(
        ErrorPage(error.status_code, error.detail, "Go back, or open the list of runs."), root
    )
