"""Write the pages of docs/reference: `python -m docs.generate`."""

from __future__ import annotations

import sys
from pathlib import Path

from docs.generate import pages

FOLDER = Path(__file__).parent.parent / "reference"

pages.write(FOLDER)
sys.stdout.write(f"{len(pages.PAGES)} pages written to {FOLDER}\n")
