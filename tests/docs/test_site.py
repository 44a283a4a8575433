"""The site builds from what is committed, and every link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import DOCS


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    words = ["-W", "-n", "--keep-going", "-q", "-d", tmp_path / "trees", DOCS, tmp_path / "site"]

    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    index = (tmp_path / "site" / "index.html").read_text("utf-8")
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix(".html").as_posix()
        assert name == "index.html" or f'href="{name}"' in index


def test_a_diagram_has_a_name_and_a_description() -> None:
    for drawing in (DOCS / "explanation").glob("*.svg"):
        text = drawing.read_text("utf-8")
        assert re.search("<title[^>]*>.+</title>", text)
        assert re.search("<desc[^>]*>.+</desc>", text, re.DOTALL)
        assert "prefers-color-scheme" in text
