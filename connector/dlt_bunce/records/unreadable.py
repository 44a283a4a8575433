"""Lines of a file that a reader could not split into columns, on their way to dead letters."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.fields.emails import parse_emails
from dlt_bunce.records.fingerprint import text_digests
from dlt_bunce.records.text.text import flat

UNREADABLE = "unreadable_line"
"""Column that holds such a line as a struct (LINE); it is null in every other row."""
LINE = pa.struct(
    [("file", pa.string()), ("row", pa.int64()), ("reason", pa.string()), ("text", pa.string())]
)
CODE = "unreadable_row"
_EMAIL = re.compile(r"[^\s@,;|\"'<>()\[\]{}:]+@[^\s@,;|\"'<>()\[\]{}:]+\.[^\s@,;|\"'<>()\[\]{}:]+")


def is_unreadable_column(name: str, kind: Any) -> bool:
    """Return whether a column holds unreadable lines, and not text of the same name."""
    return (
        name == UNREADABLE
        and pa.types.is_struct(kind)
        and all(kind.get_field_index(part) >= 0 for part in ("reason", "text"))
    )


def lines_of(source: pa.Table) -> pa.Array | None:
    """Return the unreadable lines (LINE) of a table, null for other rows; None if it has none."""
    if UNREADABLE not in source.column_names:
        return None
    column = flat(source.column(UNREADABLE))
    is_lines = is_unreadable_column(UNREADABLE, column.type) and column.null_count < len(column)
    return column if is_lines else None


def text_of(lines: pa.Array) -> pa.Array:
    """Return the texts of lines; empty for null."""
    return pc.fill_null(pc.struct_field(lines, "text").cast(pa.string()), "")


def with_unreadable(rejected: pa.Table, source: pa.Table) -> pa.Table:
    """Return the rejected rows, with the code, reason, and digest of those that are unreadable
    lines of `source`.

    The digest is that of the line's text, so the same line is the same dead letter wherever it is
    in the file. A line that contains one email address keeps it, since an accepted row with that
    address is the corrected line.
    """
    lines = lines_of(source)
    if lines is None:
        return rejected
    lines = lines.take(rejected.column("row").combine_chunks())
    unreadable = pc.is_valid(lines)
    texts = text_of(lines)
    found = pc.struct_field(lines, "reason").cast(pa.string())
    emails = parse_emails(pa.array(map(_only_email, texts.to_pylist()), pa.string())).values
    own = {
        "code": pa.scalar(CODE),
        "field": pa.scalar(None, pa.string()),
        "message": pc.fill_null(found, "the line cannot be read"),
        "fingerprint": text_digests(texts),
        "email": emails,
    }
    for name, values in own.items():
        index = rejected.schema.get_field_index(name)
        column = pc.if_else(unreadable, values, rejected.column(name))
        rejected = rejected.set_column(index, rejected.schema.field(index), column)
    return rejected


def _only_email(text: str) -> str | None:
    found = {email.strip(".").lower() for email in _EMAIL.findall(text)}
    return found.pop() if len(found) == 1 else None
