"""Error pages."""

from __future__ import annotations

from starlette.responses import HTMLResponse

from dlt_bunce.workbench.pages import render


class ErrorPage(Exception):  # noqa: N818, named for what it shows
    """Request that cannot be served: a status, a headline, and a sentence with the remedy."""

    def __init__(self, status: int, headline: str, text: str) -> None:
        self.status, self.headline, self.text = status, headline, text
        super().__init__(headline)


def error_page(error: ErrorPage, root: str) -> HTMLResponse:
    """Return the response that shows an ErrorPage; `root` is the workbench's path."""
    page = render("error_page.html", root=root, headline=error.headline, text=error.text)
    return HTMLResponse(page, error.status)
