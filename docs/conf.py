"""Sphinx configuration: `make docs` builds the site into build/docs."""

from __future__ import annotations

import re
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "dlt-bunce"
copyright = "the authors of dlt-bunce, Apache-2.0"  # noqa: A001, Sphinx's name
release = version = installed("dlt-bunce")

extensions = ["myst_parser"]
exclude_patterns = ["generate"]
nitpicky = True

myst_heading_anchors = 3
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "dlt-bunce"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}

_ROOT = Path(__file__).parent.parent
_SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_PAGE = re.compile(r"\]\(([\w/-]+)\.md\)")


def _contents(_app: Sphinx, name: str, source: list[str]) -> None:
    """Add hidden toctrees made from the links in index.md, which needs no visible ones."""
    if name != "index":
        return
    for caption, text in _SECTION.findall(source[0]):
        pages = dict.fromkeys(_PAGE.findall(text))
        lines = ["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"]
        source[0] += "\n" + "\n".join(lines) + "\n"


def setup(app: Sphinx) -> None:
    """Register the extension; Sphinx calls this first."""
    app.connect("source-read", _contents)
