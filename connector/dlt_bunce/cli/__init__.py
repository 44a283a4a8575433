"""The command line `dlt-bunce`. Each command is imported only when it is called."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import cleandoc
from typing import Any

import click

from dlt_bunce.cli.plain_settings import AIRFLOW_SECRETS

COMMANDS = {
    "init": ("init", "Write a pipeline, its settings, and a place for the API key."),
    "check": ("check", "Show what a load would do, without sending or writing anything."),
    "doctor": ("doctor", "Check the API key, host, store, versions, clock, and rate limit."),
    "probe": ("probe", "Find out with test customers how this Bunce behaves."),
    "load": ("load", "Load customers from a file or a database into Bunce."),
    "status": ("status", "Show the ledger, open dead letters, and the latest runs."),
    "dead-letters": (
        "dead_letters",
        "Inspect rows that could not be loaded; replay or discard them.",
    ),
    "rejected-values": (
        "rejected_values",
        "List attribute values and segment members that are rejected; have them sent again.",
    ),
    "report": ("report", "Show run history, or write it to an HTML file."),
    "ui": ("ui", "Browse runs and dead letters in a web browser; replay or discard."),
    "adopt": ("adopt", "Add customers that already exist in Bunce to the ledger."),
    "erase": ("erase", "Erase customers from the ledger, dead letters, and dlt's folders."),
    "store": ("store", "Move the store from SQLite to Postgres."),
    "links": ("links", "Show or remove links to customers that Bunce has under another id."),
    "account": ("account", "List the accounts in the store, or switch one to a new API key."),
    "emulator": ("emulator", "Run an emulator of Bunce's API on this machine."),
    "demo": ("demo", "Load 10,000 sample customers into a local emulator, three times."),
}


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    """Shorten usage errors to one line, like any other failure; a bare group shows its help."""
    try:
        yield
    except click.UsageError as error:
        if error.ctx is None or type(error).show is not click.UsageError.show:
            raise
        path = error.ctx.command_path
        raise click.UsageError(f"{error.format_message()} See: {path} --help") from None


class _Commands(click.Group):
    """A group that lists its commands without importing them, so that help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{COMMANDS[cmd_name][0]}").command
        return _with_whole_lines(command)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _in_one_line():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _with_whole_lines(command: click.Command) -> click.Command:
    """Return a command whose help neither wraps examples, which are there to be pasted, nor cuts
    the descriptions of subcommands.
    """
    text = cleandoc(command.help or "")
    command.short_help = " ".join(text.partition("\n\n")[0].split())
    # click wraps no paragraph that begins with this character
    command.help = re.sub("(?m)^Example: ", "\b\nExample:\n  ", text)
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            _with_whole_lines(subcommand)
    return command


@click.group("dlt-bunce", cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dlt-bunce")
def main() -> None:
    """Load customers into Bunce, and send only those that are new or have changed.

    The API key comes from DESTINATION__BUNCE__CREDENTIALS__API_KEY, dlt's secrets.toml, or a
    prompt; settings come from config.toml or DESTINATION__BUNCE__… variables. Exit codes:
    0 success, 1 failure, 2 usage error, 3 loaded but over a threshold.
    """
    # at its default level dlt prints stack traces of failed jobs; users get one clear line
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    if not any(name.startswith("AIRFLOW_CTX_") for name in os.environ):
        # outside of a task there are no variables to read, and importing Airflow takes seconds
        os.environ.setdefault(AIRFLOW_SECRETS, "false")
