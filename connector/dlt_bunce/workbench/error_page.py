"""What cannot be answered, as a plain page."""

from __future__ import annotations

from starlette.responses import HTMLResponse

from dlt_bunce.workbench.pages import render


class ErrorPage(Exception):  # noqa: N818, most are no errors of ours
    """A request that is not answered: a status, a headline, and a sentence with the remedy."""

    def __init__(self, status: int, headline: str, text: str) -> None:
        self.status, self.headline, self.text = status, headline, text
        super().__init__(headline)


def error_page(refused: ErrorPage) -> HTMLResponse:
    """The page of a error_page."""
    page = render("error_page.html", headline=refused.headline, text=refused.text)
    return HTMLResponse(page, refused.status)
