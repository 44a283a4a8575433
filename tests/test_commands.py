"""Commands in messages: whoever pastes one reaches the account that the message is about."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import dlt_bunce
from dlt_bunce.cli import COMMANDS, main
from dlt_bunce.commands import completed, naming
from dlt_bunce.errors import StoreError
from dlt_bunce.store.database import Database

PACKAGE = Path(dlt_bunce.__file__).parent
NAMED = re.compile(r"dlt-bunce ((?:[a-z]+-)?[a-z]+)(?: ((?:[a-z]+-)?[a-z]+))?(?![\w:])")
# the account is named beside the command, or the command needs none of the failed one
COMPLETE = {"account list", "doctor", "load", "ui"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run dlt-bunce adopt first", "run dlt-bunce adopt --account 'a b' first"),
        (
            "dlt-bunce dead-letters list --status all. Or dlt-bunce status",
            (
                "dlt-bunce dead-letters list --account 'a b' --status all. "
                "Or dlt-bunce status --account 'a b'"
            ),
        ),
        ("dlt-bunce adopt --account x, and go on", "dlt-bunce adopt --account x, and go on"),
        (
            "dlt-bunce dead-letters list --run 1 --account x",
            "dlt-bunce dead-letters list --run 1 --account x",
        ),
        ("dlt-bunce emulator --port 0", "dlt-bunce emulator --port 0"),
        ("dlt-bunce account list", "dlt-bunce account list"),
    ],
)
def test_a_command_gets_the_account_once(text: str, expected: str) -> None:
    assert completed(text, "a b") == expected


def test_a_command_gets_the_store_once() -> None:
    text = "dlt-bunce account list, dlt-bunce adopt, or dlt-bunce status --store-url URL"

    assert completed(text, "x", "sqlite:///a b.sqlite") == (
        "dlt-bunce account list --store-url 'sqlite:///a b.sqlite', "
        "dlt-bunce adopt --account x --store-url 'sqlite:///a b.sqlite', "
        "or dlt-bunce status --account x --store-url URL"
    )


def test_every_command_in_a_message_exists_and_gets_the_account_if_it_takes_one() -> None:
    named = {found for file in PACKAGE.rglob("*.py") for found in _commands_in(file)}
    incomplete = {
        words
        for words in named - COMPLETE
        if _takes_account(words) and completed(f"dlt-bunce {words}", "x") == f"dlt-bunce {words}"
    }

    assert incomplete == set()
    assert {"adopt", "dead-letters list", "rejected-values list", "status"} <= named


def test_the_remedy_for_a_replaced_store_names_the_account_of_the_program() -> None:
    with Database("sqlite:///bunce.sqlite"):
        pass
    replaced = Database("sqlite:///bunce.sqlite", expected="the one of before")

    with pytest.raises(StoreError) as caught, naming("shop"), replaced:
        pass

    assert "run dlt-bunce adopt --account shop first" in str(caught.value)
    assert str(caught.value).endswith(str(caught.value.remedy))


def _commands_in(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text("utf-8"))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            for group, subcommand in NAMED.findall(node.value):
                if group in COMMANDS:
                    yield f"{group} {subcommand}" if _is_group(group) else group


def _is_group(name: str) -> bool:
    return isinstance(main.get_command(click.Context(main), name), click.Group)


def _takes_account(words: str) -> bool:
    command: click.Command | None = main
    for word in words.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None, words
    return any(parameter.name == "account" for parameter in command.params)
