"""Template rendering, with everything escaped except this package's own markup."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timezone
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dlt_bunce.model import FATE_MEANINGS, VALUE_FATE_MEANINGS
from dlt_bunce.reject_codes import REJECT_CODES, VALUE_CODES
from dlt_bunce.run_warnings import WARNINGS

_NONE = "\N{EN DASH}"


@lru_cache(maxsize=1)
def style_sheet() -> str:
    """Return the style sheet that all pages share."""
    return files("dlt_bunce.workbench").joinpath("style.css").read_text("utf-8")


def policy_of_file() -> str:
    """Return a Content-Security-Policy for a file with its style inside and no other resources."""
    digest = base64.b64encode(hashlib.sha256(style_sheet().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'"


def render(template: str, **values: Any) -> str:
    """Render a template. Values are escaped, except the `svg` of charts and the style sheet."""
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dlt_bunce.workbench"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "amount": amount,
        "duration": duration,
        "minute": minute,
        "moment": moment,
        "plain": lambda text: text.replace("`", ""),
        "share": share,
        "size": size,
    }
    environment.globals |= {
        "fate_meanings": FATE_MEANINGS,
        "reject_codes": REJECT_CODES,
        "value_codes": VALUE_CODES,
        "value_fate_meanings": VALUE_FATE_MEANINGS,
        "warnings": WARNINGS,
        "style": lambda: Markup(style_sheet()),  # noqa: S704, a file of this package
        "policy": policy_of_file,
    }
    return environment


def amount(value: float | None) -> str:
    """Format a number with thousands separators: 12,345."""
    return _NONE if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """Format a fraction as a percentage."""
    return _NONE if value is None else f"{value:,.0%}"


def duration(seconds: float | None) -> str:
    """Format seconds: 0.25 s, 12.4 s, 5 min 3 s, 2 h 4 min."""
    if seconds is None:
        return _NONE
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def size(count: int) -> str:
    """Format bytes: 12 kB, 3.4 MB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:,.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"


def minute(value: datetime | str) -> str:
    """Format a time in UTC, to the minute."""
    return moment(value)[:-3]


def moment(value: datetime | str | None) -> str:
    """Format a time in UTC, to the second."""
    if value is None:
        return _NONE
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return f"{value.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}"
