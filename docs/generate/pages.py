"""The generated pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generate import called, emulator, probe, rows, settings, written

PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings.settings,
    "columns.md": rows.columns,
    "fates.md": rows.fates,
    "reject-codes.md": rows.reject_codes,
    "warnings.md": rows.warnings,
    "store.md": written.store,
    "log-events.md": written.log_events,
    "command-line.md": called.command_line,
    "exit-codes.md": called.exit_codes,
    "python.md": called.python_api,
    "emulator.md": emulator.emulator,
    "probe.md": probe.probe,
}


def write(folder: Path) -> None:
    """Write every page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), "utf-8")


def stale(folder: Path) -> list[str]:
    """Return the names of pages whose file says something else than the code."""
    return [name for name, make in PAGES.items() if make() != (folder / name).read_text("utf-8")]
