"""A headless Chromium, as installed on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# where there are windows, each would load the suggestions of an address bar that nobody sees: half
# of the browser's CPU time
_UNUSED = "WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser for the block; fail with the remedy if none is installed."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, _NAMES)), None)
    assert path, "Chromium is not installed. Install it with: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", f"--disable-features={_UNUSED}"]
        )
        try:
            yield browser
        finally:
            browser.close()
