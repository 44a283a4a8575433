"""Commands in messages, so that they reach the store and account of the command that failed."""

from __future__ import annotations

import re
from shlex import quote

import click

_COMMAND = re.compile(
    r"dlt-bunce (?:account (?:forget-versions|rotate)|adopt|dead-letters (?:list|replay)"
    r"|links list|rejected-values (?:list|waiting)|status)\b(?: --account \S*[\w'])?"
)
"""Those that ask a store about an account, with the account if they name one."""


def pasteable(text: str) -> str:
    """Add --store-url and --account to the commands in a text, as given to this command: without
    them, a command that is pasted would look into the configured store and account.
    """
    context = click.get_current_context(silent=True)
    params = {} if context is None else context.params
    store_url, account = params.get("store_url"), params.get("account")

    def completed(found: re.Match[str]) -> str:
        words = [found[0]]
        if account and " --account " not in found[0]:
            words.append(f"--account {quote(account)}")
        if store_url and "store-url" not in text[found.end() :][:12]:
            words.append(f"--store-url {quote(store_url)}")
        return " ".join(words)

    return _COMMAND.sub(completed, text)
