"""`dlt-bunce`: load, look, replay. Commands are imported when they are called."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click

COMMANDS = {
    "check": ("check", "Tell what a load will do, without sending or writing anything."),
    "doctor": ("doctor", "Look whether key, host, store, versions, clock, and budget are well."),
    "load": ("load", "Load customers from a file or a database into Bunce."),
    "status": ("status", "Show the ledger, open dead letters, and the last runs."),
    "dead-letters": ("dead_letters", "Look at rows that could not go; replay or discard them."),
    "report": ("report", "Show the runs over time, or write them as an HTML file."),
    "ui": ("ui", "Look at runs and dead letters in a browser; replay or discard."),
    "adopt": ("adopt", "Take customers whom Bunce has already into the ledger."),
    "erase": ("erase", "Forget customers: in the ledger, the dead letters, and dlt's folders."),
    "account": ("account", "Show the accounts of the store, or give one a new API key."),
    "emulator": ("emulator", "Run a stand-in for Bunce's API on this machine."),
    "demo": ("demo", "Watch 10,000 customers go through the whole story, locally."),
}


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    """Wrong use is told in one line, as every other failure; a bare group still shows its help."""
    try:
        yield
    except click.UsageError as error:
        if error.ctx is None or type(error).show is not click.UsageError.show:
            raise
        path = error.ctx.command_path
        raise click.UsageError(f"{error.format_message()} See: {path} --help") from None


class _Commands(click.Group):
    """Lists every command without importing any: help must be quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{COMMANDS[cmd_name][0]}").command
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _in_one_line():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group("dlt-bunce", cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dlt-bunce")
def main() -> None:
    """Customers into Bunce, each exactly as often as needed.

    The API key comes from DESTINATION__BUNCE__CREDENTIALS__API_KEY, dlt's secrets.toml, or a
    prompt; settings from config.toml or DESTINATION__BUNCE__…. Exit codes: 0 well, 1 failed,
    2 wrong use, 3 loaded but over a threshold.
    """
    # dlt prints stack traces of failed jobs at its default level; a user gets one clear line
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
