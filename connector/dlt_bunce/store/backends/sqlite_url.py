"""URLs of embedded stores, and the files that they name."""

from __future__ import annotations

from pathlib import Path

SCHEME = "sqlite:///"


def file_of(store_url: str) -> Path | None:
    """Return the file of an embedded store, as its URL names it; None for a server."""
    return Path(store_url.removeprefix(SCHEME)) if store_url.startswith(SCHEME) else None


def moved_to(path: Path) -> Path:
    """Return the name that the file of a store gets when its rows are moved to Postgres."""
    return path.with_name(f"{path.stem}.moved{path.suffix}")
