"""What is called: the command line, its exit codes, and the names for Python."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import click

import dlt_bunce
from dlt_bunce import errors, sources
from dlt_bunce.cli import main
from dlt_bunce.cli.failures import EXIT_CODES
from docs.generate.markdown import code, page, sentence, table

_WIDTH = 100


def _commands(command: click.Command, context: click.Context) -> Iterable[tuple[str, str]]:
    """A command and all below it: its words, and what --help prints."""
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            one = command.get_command(context, name)
            assert one is not None  # noqa: S101, it was listed
            below = click.Context(one, info_name=name, parent=context)
            yield from _commands(one, below)


def command_line() -> str:
    """What --help says of each command."""
    context = click.Context(main, info_name="dlt-bunce", terminal_width=_WIDTH)
    context.help_option_names = ["-h", "--help"]
    parts: list[str] = []
    for words, text in _commands(main, context):
        parts += [f"## {words}", f"```text\n{text}\n```"]
    return page("Command line", "What `--help` prints.", *parts)


def exit_codes() -> str:
    """Exit codes, and which error ends in which."""
    kinds = [
        cls
        for cls in vars(errors).values()
        if inspect.isclass(cls) and issubclass(cls, errors.BunceError)
    ]
    rows = [[code(number), meaning] for number, meaning in EXIT_CODES.items()]
    return page(
        "Exit codes and errors",
        table(("code", "meaning"), rows),
        "## Errors",
        "In Python, everything that is raised on purpose is a `BunceError` of "
        "`dlt_bunce.errors`. `flush_and_run` raises it without dlt's wrapping. `remedy` holds what "
        "to do, where one thing is known to help.",
        table(
            ("error", "kind of", "meaning"),
            [
                [code(cls.__name__), code(cls.__mro__[1].__name__), sentence(cls.__doc__)]
                for cls in kinds
            ],
        ),
    )


def python_api() -> str:
    """Everything in `dlt_bunce.__all__` and `dlt_bunce.sources.__all__`."""
    parts = _public(dlt_bunce, "##")
    parts += ["## Sources", inspect.cleandoc(sources.__doc__ or ""), *_public(sources, "###")]
    return page(
        "Python",
        "What is public: `from dlt_bunce import …`, and the ready-made "
        "[sources](#sources): `from dlt_bunce.sources import …`. What is raised: "
        "[errors](exit-codes.md#errors).",
        *parts,
    )


def _public(module: ModuleType, level: str) -> list[str]:
    """Everything in `__all__`, with headings of that level."""
    parts: list[str] = []
    for name in module.__all__:
        thing = getattr(module, name)
        parts.append(f"{level} {name}")
        if not (inspect.isclass(thing) and issubclass(thing, Exception)):
            parts.append(f"```python\n{_signature(name, thing)}\n```")
        parts.append(inspect.cleandoc(thing.__doc__ or ""))
        if name == "RunSummary":
            parts += _methods(thing)
    return parts


def _signature(name: str, thing: Any) -> str:
    """How a name is called, as its source has it: one argument a line."""
    [node] = ast.parse(inspect.cleandoc("\n" + inspect.getsource(_called(thing)))).body
    arrow = ""
    if isinstance(node, ast.ClassDef):
        arguments = [ast.unparse(n) for n in node.body if isinstance(n, ast.AnnAssign)]
    else:
        assert isinstance(node, ast.FunctionDef)  # noqa: S101, all others are classes
        arguments = _arguments(node.args)
        if node.returns and node.name != "__init__":
            arrow = f" -> {ast.unparse(node.returns)}"
    return "\n".join([f"{name}(", *(f"    {one}," for one in arguments), f"){arrow}"])


def _called(thing: Any) -> Any:
    if inspect.isclass(thing):
        return thing.__init__ if "__init__" in vars(thing) and not _is_data(thing) else thing
    return getattr(thing, "__wrapped__", thing)


def _is_data(thing: type) -> bool:
    return hasattr(thing, "__dataclass_fields__")


def _arguments(found: ast.arguments) -> list[str]:
    usual = [one for one in found.args if one.arg != "self"]
    defaults = [*[None] * (len(usual) - len(found.defaults)), *found.defaults]
    texts = list(map(_argument, usual, defaults))
    if found.kwonlyargs:
        texts.append("*")
        texts += map(_argument, found.kwonlyargs, found.kw_defaults)
    if found.kwarg:
        texts.append(f"**{ast.unparse(found.kwarg)}")
    return texts


def _argument(one: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(one) + (f" = {ast.unparse(default)}" if default else "")


def _methods(cls: type) -> list[str]:
    parts = []
    for name, member in vars(cls).items():
        target = member.fget if isinstance(member, property) else member
        if name[0] != "_" and inspect.isfunction(target):
            given = [p for p in inspect.signature(target).parameters if p != "self"]
            call = "" if isinstance(member, property) else f"({', '.join(given)})"
            parts.append(f"**`.{name}{call}`** {sentence(target.__doc__)}")
    return parts
