"""What a terminal may be shown of text that others wrote."""

from __future__ import annotations

import re

import click

# C0, DEL, C1, line separators, and marks that change the reading direction
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Return text with control characters as `\x1b` or `\u202e`: names of columns and files, and
    values of rows, could otherwise move the cursor, hide text, retitle the window, or begin a line
    that looks like one of ours.
    """
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def echo(text: str, *, err: bool = False) -> None:
    """Print a line on stdout, or on stderr, with control characters escaped."""
    click.echo(printable(text), err=err)
