"""The command `dlt-bunce init`."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

import click

from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.printable import echo
from dlt_bunce.errors import UsageError

_PIPELINE = '''"""Load customers into Bunce: python bunce_pipeline.py"""

from collections.abc import Iterator

import dlt

from dlt_bunce import bunce, bunce_adapter, flush_and_run


@dlt.resource(name="customers")
def customers() -> Iterator[dict[str, object]]:
    """Yield customers as dicts or Arrow tables; replace this with your own source."""
    yield {
        "id": 7,
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "phone": "+2348031234567",
        "updated_at": "2026-11-01T09:00:00Z",
    }


if __name__ == "__main__":
    pipeline = dlt.pipeline("customers_to_bunce", destination=bunce())
    summary = flush_and_run(pipeline, bunce_adapter(customers(), version="updated_at"))
    print(f"created {summary.created}, updated {summary.updated}, rejected {summary.rejected}")
    summary.raise_if_rejected(share=0.02)
'''
_CONFIG = """[runtime]
log_level = "WARNING"
dlthub_telemetry = false

[destination.bunce]
# records what Bunce has accepted: keep this file, or share a Postgres database
store_url = "sqlite:///bunce.sqlite"
# country of phone numbers without a country code; without it, they are rejected
# default_region = "NG"
"""
_SECRETS = """[destination.bunce.credentials]
# sk_test_… loads into the sandbox, sk_live_… into the live workspace
api_key = ""
"""
_IGNORED = """.dlt/secrets.toml
bunce.sqlite*
"""
_FILES = {
    "bunce_pipeline.py": (_PIPELINE, 0o666),
    ".dlt/config.toml": (_CONFIG, 0o666),
    ".dlt/secrets.toml": (_SECRETS, 0o600),
    ".gitignore": (_IGNORED, 0o666),
}


@click.command("init")
@click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), required=False
)
def command(folder: Path) -> None:
    """Write a pipeline, its settings, and a place for the API key into FOLDER.

    Nothing is overwritten: if one of the files exists, none is written, except that an existing
    .gitignore is left as it is.

    Example: dlt-bunce init crm_to_bunce
    """
    with reported():
        wanted = {name: made for name, made in _FILES.items() if not _kept(folder / name)}
        for name in wanted:
            if (folder / name).exists():
                raise UsageError(
                    f"{folder / name} already exists.",
                    remedy="Name another folder: dlt-bunce init FOLDER",
                )
        try:
            for name, (text, mode) in wanted.items():
                _write(folder / name, text, mode)
        except OSError as error:
            raise UsageError(f"{folder} cannot be written: {error.strerror}.") from None
        for name in wanted:
            echo(f"Wrote {folder / name}")
        if missing := _not_ignored(folder):
            echo(
                f"Kept {folder / '.gitignore'}. Add to it, so that Git never takes the API key or "
                f"the ledger: {', '.join(missing)}"
            )
        change = "" if folder == Path() else f"cd {quote(str(folder))} && "
        echo(f"Enter the API key in {folder / '.dlt/secrets.toml'}, and run:")
        echo(f"  {change}dlt-bunce doctor && python bunce_pipeline.py")


def _kept(path: Path) -> bool:
    return path.name == ".gitignore" and path.exists()


def _not_ignored(folder: Path) -> list[str]:
    """Return the lines that an existing .gitignore lacks."""
    file = folder / ".gitignore"
    lines = file.read_text("utf-8", "replace").split() if file.is_file() else []
    return [line for line in _IGNORED.split() if line not in lines]


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(
        os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "w", encoding="utf-8"
    ) as file:
        file.write(text)
