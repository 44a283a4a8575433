"""What is set: the fields of the configuration, with their docstrings."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable

from dlt_bunce.destination.configuration import BunceConfiguration, BunceCredentials
from docs.generate.markdown import code, page, sentence


def _fields(spec: type) -> Iterable[tuple[str, str, str, str]]:
    """Name, type, default, and docstring of the settings that a class declares."""
    [cls] = ast.parse(inspect.cleandoc("\n" + inspect.getsource(spec))).body
    assert isinstance(cls, ast.ClassDef)  # noqa: S101, it is the source of a class
    for node, after in zip(cls.body, [*cls.body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            told = after.value if isinstance(after, ast.Expr) else None
            text = told.value if isinstance(told, ast.Constant) else ""
            default = ast.unparse(node.value) if node.value else ""
            yield node.target.id, _kind(node.annotation), default, str(text)


def _kind(annotation: ast.expr) -> str:
    """A type without Optional, which the empty default tells already."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Optional":
        annotation = annotation.slice
    return ast.unparse(annotation)


def _told(default: str) -> str:
    """A default as config.toml would have it."""
    value = ast.literal_eval(default)
    if value is None:
        return ""
    return f'`"{value}"`' if isinstance(value, str) else code(str(value).lower())


def _told_of(name: str, kind: str, default: str, text: str) -> str:
    """A section: what the setting means, and how it is written in a file and elsewhere."""
    facts = [f"Type {code(kind)}", f"default {default}" if default else "no default"]
    variable = code(f"DESTINATION__BUNCE__{name.upper().replace('.', '__')}")
    return f"## {name}\n\n{text}\n\n{', '.join(facts)}; in the environment {variable}."


def settings() -> str:
    """Every setting, with its name in the environment."""
    key = _told_of("credentials.api_key", "str", "", sentence(BunceCredentials.__doc__))
    return page(
        "Settings",
        "Section `[destination.bunce]` of dlt's configuration. In a file, a setting stands in "
        "`.dlt/config.toml`, or in a `config.toml` beside which `dlt-bunce` is started, and the "
        "key in `.dlt/secrets.toml`. What is in the environment goes before; what is given to "
        "`bunce(…)` or on the command line goes before both. A dictionary in the environment is a "
        'JSON object, such as `{"email": "contact_mail"}`.',
        key,
        *(
            _told_of(name, kind, _told(default), sentence(text).replace("&", "&amp;"))
            for name, kind, default, text in _fields(BunceConfiguration)
            if name not in ("destination_type", "credentials")
        ),
    )
