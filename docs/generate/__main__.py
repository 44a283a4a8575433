"""Write the pages of docs/reference: `python -m docs.generate`.

With `--check` nothing is written; the command fails where a page says something else than the code.
"""

from __future__ import annotations

import sys
from pathlib import Path

from docs.generate import pages

FOLDER = Path(__file__).parent.parent / "reference"

if sys.argv[1:] == ["--check"]:
    if stale := pages.stale(FOLDER):
        sys.exit(f"Stale: {', '.join(stale)}. To write them, run: python -m docs.generate")
else:
    pages.write(FOLDER)
    sys.stdout.write(f"{len(pages.PAGES)} pages written to {FOLDER}\n")
