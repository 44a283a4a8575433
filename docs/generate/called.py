"""Pages about the interfaces: the command line, its exit codes, and the Python API."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import click

import dlt_bunce
from dlt_bunce import errors, scripts, sources, testing
from dlt_bunce.cli import main
from dlt_bunce.cli.failures import EXIT_CODES
from docs.generate.markdown import code, page, sentence, table

_WIDTH = 100
_COMPLETE = "_DLT_BUNCE_COMPLETE"
_TERMINAL = (
    "## Output",
    """Tables fit the terminal: sentences wrap between words, numbers and ids never do, and columns
that are empty in all rows are left out. Where a table does not fit, each row is printed as a
record, one value per line. In a pipe or a file, each row stays on one line. `NO_COLOR=1`
turns colors off, and `LC_ALL=C` draws tables in ASCII. With `--json`, each document is one
line, so the output of several commands can be appended to one file. Times are UTC.""",
    "## Completion",
    "To complete commands, options, and files with Tab, add a line to the shell's startup file:",
    table(
        ("shell", "file", "line"),
        [
            ["bash", code("~/.bashrc"), code(f'eval "$({_COMPLETE}=bash_source dlt-bunce)"')],
            ["zsh", code("~/.zshrc"), code(f'eval "$({_COMPLETE}=zsh_source dlt-bunce)"')],
            [
                "fish",
                code("~/.config/fish/completions/dlt-bunce.fish"),
                code(f"{_COMPLETE}=fish_source dlt-bunce | source"),
            ],
        ],
    ),
)


def _commands(command: click.Command, context: click.Context) -> Iterable[tuple[str, str]]:
    """Yield the path and the --help text of a command and of all its subcommands."""
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            assert subcommand is not None  # noqa: S101, it was listed
            below = click.Context(subcommand, info_name=name, parent=context)
            yield from _commands(subcommand, below)


def command_line() -> str:
    """Return the page with the --help text of each command."""
    context = click.Context(main, info_name="dlt-bunce", terminal_width=_WIDTH)
    context.help_option_names = ["-h", "--help"]
    parts: list[str] = []
    for path, text in _commands(main, context):
        parts += [f"## {path}", f"```text\n{text}\n```"]
    return page("Command line", "The `--help` text of each command.", *_TERMINAL, *parts)


def exit_codes() -> str:
    """Return the page of exit codes and errors."""
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
        "In Python, every exception that dlt-bunce raises deliberately is a subclass of "
        "`BunceError`; all of them can be imported from `dlt_bunce`. `flush_and_run` raises it "
        "without dlt's wrapper. Its attribute `remedy` holds the remedy, if there is a single "
        "known one.",
        table(
            ("error", "base class", "meaning"),
            [
                [code(cls.__name__), code(cls.__mro__[1].__name__), sentence(cls.__doc__)]
                for cls in kinds
            ],
        ),
    )


def python_api() -> str:
    """Return the page of all names in `dlt_bunce` and its modules `sources` and `scripts`."""
    parts = _public(dlt_bunce, "##")
    parts += ["## Testing", *_plugin(inspect.cleandoc(testing.__doc__ or ""))]
    parts += ["## Sources", inspect.cleandoc(sources.__doc__ or ""), *_public(sources, "###")]
    parts += ["## Scripts", inspect.cleandoc(scripts.__doc__ or ""), *_public(scripts, "###")]
    return page(
        "Python",
        "The public API: `from dlt_bunce import …`, the ready-made [sources](#sources), and what "
        "[scripts](#scripts) need. For exceptions, see [Errors](exit-codes.md#errors).",
        *parts,
    )


def _plugin(text: str) -> Iterable[str]:
    """Yield the paragraphs of a docstring, with its indented ones as code."""
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("    "):
            yield f"```python\n{textwrap.dedent(paragraph)}\n```"
        else:
            yield paragraph


def _public(module: ModuleType, level: str) -> list[str]:
    """Return a section for each name in `__all__`, with headings of the given level."""
    parts: list[str] = []
    for name in module.__all__:
        thing = getattr(module, name)
        if name != "BunceError" and hasattr(errors, name):
            continue  # on the page of errors
        parts.append(f"{level} {name}")
        if not (inspect.isclass(thing) and issubclass(thing, Exception)):
            parts.append(f"```python\n{_signature(name, thing)}\n```")
        parts.append(inspect.cleandoc(thing.__doc__ or ""))
        if name == "RunSummary":
            parts += _methods(thing)
    return parts


def _signature(name: str, thing: Any) -> str:
    """Return the signature of a name as written in its source, one argument per line."""
    [node] = ast.parse(inspect.cleandoc("\n" + inspect.getsource(_called(thing)))).body
    arrow = ""
    if isinstance(node, ast.ClassDef):
        arguments = [ast.unparse(n) for n in node.body if isinstance(n, ast.AnnAssign)]
    else:
        assert isinstance(node, ast.FunctionDef)  # noqa: S101, everything else is a class
        arguments = _arguments(node.args)
        if node.returns and node.name != "__init__":
            arrow = f" -> {ast.unparse(node.returns)}"
    return "\n".join([f"{name}(", *(f"    {argument}," for argument in arguments), f"){arrow}"])


def _called(thing: Any) -> Any:
    if inspect.isclass(thing):
        return thing.__init__ if "__init__" in vars(thing) and not _is_data(thing) else thing
    return getattr(thing, "__wrapped__", thing)


def _is_data(thing: type) -> bool:
    return hasattr(thing, "__dataclass_fields__")


def _arguments(found: ast.arguments) -> list[str]:
    positional = [argument for argument in found.args if argument.arg != "self"]
    defaults = [*[None] * (len(positional) - len(found.defaults)), *found.defaults]
    texts = list(map(_argument, positional, defaults))
    if found.kwonlyargs:
        texts.append("*")
        texts += map(_argument, found.kwonlyargs, found.kw_defaults)
    if found.kwarg:
        texts.append(f"**{ast.unparse(found.kwarg)}")
    return texts


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default else "")


def _methods(cls: type) -> list[str]:
    parts = []
    for name, member in vars(cls).items():
        target = member.fget if isinstance(member, property) else member
        if name[0] != "_" and inspect.isfunction(target):
            parameters = [p for p in inspect.signature(target).parameters if p != "self"]
            call = "" if isinstance(member, property) else f"({', '.join(parameters)})"
            parts.append(f"**`.{name}{call}`** {sentence(target.__doc__)}")
    return parts
