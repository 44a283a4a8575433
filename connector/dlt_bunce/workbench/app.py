"""The workbench as an ASGI application: which address leads to which page, and what else can be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from dlt_bunce.workbench.auth import Auth, Guarded
from dlt_bunce.workbench.background_jobs import BackgroundJobs
from dlt_bunce.workbench.error_page import ErrorPage, error_page
from dlt_bunce.workbench.views import Store, Views

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(store: Store, auth: Auth, jobs: BackgroundJobs) -> ASGIApp:
    """The application behind its auth."""
    views = Views(store, auth, jobs)
    answers: list[tuple[str, str, Endpoint]] = [
        ("GET", "/start", views.start),
        ("GET", "/style.css", views.style),
        ("GET", "/", views.runs),
        ("GET", "/letters", views.letters),
        ("GET", "/letters/{letter_id}", views.letter),
        ("POST", "/letters/{letter_id}/values", views.values),
        ("POST", "/confirm", views.confirm),
        ("POST", "/act", views.act),
        ("GET", "/orders/{number:int}", views.work),
    ]
    routes = [
        Route(path, _told(endpoint, store), methods=[method]) for method, path, endpoint in answers
    ]
    return Guarded(Starlette(routes=routes, exception_handlers={HTTPException: _unknown}), auth)


def _told(endpoint: Endpoint, store: Store) -> Endpoint:
    """Every failure becomes a plain page here: a server would log it with its values."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ErrorPage as refused:
            return error_page(refused)
        except HTTPException as error:
            return await _unknown(request, error)
        except Exception as error:  # noqa: BLE001, explained without any value
            return error_page(ErrorPage(500, "That did not work", store.explain(error)))

    return answered


async def _unknown(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101, it is registered for these
    return error_page(ErrorPage(error.status_code, error.detail, "Go back, or begin at the runs."))
