"""The page of settings: the fields of the configuration and their docstrings."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable

from dlt_bunce.destination.settings.configuration import BunceConfiguration, BunceCredentials
from docs.generate.markdown import code, page, sentence


def documented(spec: type) -> Iterable[tuple[str, str, str, str]]:
    """Yield the name, type, default, and docstring of each field that a class declares."""
    [cls] = ast.parse(inspect.cleandoc("\n" + inspect.getsource(spec))).body
    assert isinstance(cls, ast.ClassDef)  # noqa: S101, the source is that of a class
    for node, after in zip(cls.body, [*cls.body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            docstring = after.value if isinstance(after, ast.Expr) else None
            text = docstring.value if isinstance(docstring, ast.Constant) else ""
            default = ast.unparse(node.value) if node.value else ""
            yield node.target.id, _kind(node.annotation), default, str(text)


def _kind(annotation: ast.expr) -> str:
    """Return a type without Optional, which the empty default already implies."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Optional":
        annotation = annotation.slice
    return ast.unparse(annotation)


def _as_toml(default: str) -> str:
    """Return a default as it is written in config.toml."""
    value = ast.literal_eval(default)
    if value is None:
        return ""
    return f'`"{value}"`' if isinstance(value, str) else code(str(value).lower())


def _section(name: str, kind: str, default: str, text: str) -> str:
    """Return the section of a setting: meaning, type, default, and environment variable."""
    facts = [f"Type {code(kind)}", f"default {default}" if default else "no default"]
    variable = code(f"DESTINATION__BUNCE__{name.upper().replace('.', '__')}")
    return f"## {name}\n\n{text}\n\n{', '.join(facts)}; environment variable {variable}."


def settings() -> str:
    """Return the page of settings."""
    key = _section("credentials.api_key", "str", "", sentence(BunceCredentials.__doc__))
    return page(
        "Settings",
        "These settings are in the section `[destination.bunce]` of dlt's configuration. Put them "
        "into `.dlt/config.toml`, or into a `config.toml` in the directory where you run "
        "`dlt-bunce`, and the API key into `.dlt/secrets.toml`. Environment variables take "
        "precedence over files, and arguments of `bunce(…)` or the command line take precedence "
        "over both. To set a dictionary in the environment, use a JSON object, such as "
        '`{"email": "contact_mail"}`. A setting outside of the section is an error, since '
        "dlt would read it all the same: a variable `ACCOUNT`, or a line above "
        "`[destination.bunce]`.",
        key,
        *(
            _section(name, kind, _as_toml(default), sentence(text).replace("&", "&amp;"))
            for name, kind, default, text in documented(BunceConfiguration)
            if name not in ("destination_type", "credentials")
        ),
    )
