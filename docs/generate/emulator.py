"""The page of the emulator: every switch of its behavior, and the faults that it can have."""

from __future__ import annotations

import ast
import inspect
import sys
from itertools import pairwise
from typing import get_args

from dlt_bunce.emulator.behavior import Behavior, Fault, FaultKind
from docs.generate.markdown import code, page, sentence, table
from docs.generate.settings import documented


def emulator() -> str:
    """Return the page of the emulator."""
    return page(
        "Emulator",
        "A local stand-in for Bunce's API: `dlt-bunce emulator` on the command line, or "
        "`dlt_bunce.emulator.Emulator` in a test. Wherever Bunce's documentation leaves something "
        "open, a switch chooses how the emulator behaves; the defaults are what is documented. "
        'Pass switches as JSON: `dlt-bunce emulator --behavior \'{"failure": "atomic"}\'`.',
        "## Switches",
        _of(Behavior),
        "## Faults",
        "The switch `faults` is a list of objects with these fields:",
        _of(Fault),
        "The kinds of faults are "
        + ", ".join(code(kind) for kind in get_args(FaultKind))
        + ". `before`, `midway`, and `after` say how much of the batch is stored when it happens.",
        f"```text\n{_kinds()}\n```",
    )


def _of(spec: type) -> str:
    rows = [
        (code(name), code(kind), code(default), sentence(text))
        for name, kind, default, text in documented(spec)
    ]
    return table(("name", "type", "default", "meaning"), rows)


def _kinds() -> str:
    """Return the lines of the docstring of FaultKind that describe each kind."""
    body = ast.parse(inspect.getsource(sys.modules[Behavior.__module__])).body
    for node, after in pairwise(body):
        is_it = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FaultKind"
        if is_it and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            return str(after.value.value).partition("\n\n")[2].strip()
    raise LookupError("FaultKind has no docstring")
