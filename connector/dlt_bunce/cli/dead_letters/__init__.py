"""The command `dlt-bunce dead-letters`."""

from __future__ import annotations

import click

from dlt_bunce.cli.dead_letters.actions import discard_letters, purge_letters, replay_letters
from dlt_bunce.cli.dead_letters.export import export
from dlt_bunce.cli.dead_letters.view import group_letters, list_letters, show


@click.group("dead-letters")
def command() -> None:
    """Inspect, export, correct, replay, or discard rows that could not be loaded."""


for subcommand in (
    list_letters,
    group_letters,
    show,
    export,
    replay_letters,
    discard_letters,
    purge_letters,
):
    command.add_command(subcommand)
