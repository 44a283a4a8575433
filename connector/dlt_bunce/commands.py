"""Commands in messages, so that they reach the store and account of what failed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote

from dlt_bunce.errors import BunceError

_COMMAND = re.compile(
    r"dlt-bunce (?:account (?:forget-versions|list|rotate)|adopt|check"
    r"|dead-letters (?:list|replay|show)|links list|probe"
    r"|rejected-values (?:export|list|waiting)|status)\b(?: --account \S*[\w'])?"
)
"""Those that ask a store about an account, with the account if they name one."""


def completed(text: str, account: str | None, store_url: str | None = None) -> str:
    """Add --account and --store-url to the commands in a text that lack them: without, a command
    that is pasted would look into the configured account and store.
    """

    def with_options(found: re.Match[str]) -> str:
        words, rest = [found[0]], text[found.end() :].partition("dlt-bunce ")[0]
        is_of_all = found[0] == "dlt-bunce account list"
        if account and not is_of_all and " --account " not in found[0] + rest:
            words.append(f"--account {quote(account)}")
        if store_url and "store-url" not in rest[:12]:
            words.append(f"--store-url {quote(store_url)}")
        return " ".join(words)

    return _COMMAND.sub(with_options, text)


def name_account(error: BaseException, account: str) -> None:
    """Name the account in the commands of an error's remedy, unless it is the default one: it may
    be set in a program, where a command does not see it.
    """
    if isinstance(error, BunceError) and error.remedy and account != "default":
        error.remedy = completed(error.remedy, account)
        error.args = (f"{error.message} {error.remedy}",)


@contextmanager
def naming(account: str) -> Iterator[None]:
    """Name the account in the commands of what the block raises."""
    try:
        yield
    except BunceError as error:
        name_account(error, account)
        raise
