"""What becomes of a row: columns, fates, and reject codes."""

from __future__ import annotations

from dlt_bunce.model import FATE_MEANINGS, REJECT_CODES
from dlt_bunce.records.schema import ALIASES, FIELDS, REQUIRED
from dlt_bunce.run_warnings import WARNINGS
from docs.generate.markdown import code, page, table


def reject_codes() -> str:
    """Every reject code."""
    return page(
        "Reject codes",
        "A row that cannot go becomes a dead letter with one of these codes. Rows are stopped "
        "before anything is sent (`normalize`), or refused by Bunce (`api`).",
        table(
            ("code", "field", "stage", "meaning", "remedy"),
            [
                [code(c.code), code(c.field), code(c.stage), c.meaning, c.remedy]
                for c in REJECT_CODES.values()
            ],
        ),
    )


def warnings() -> str:
    """Every warning."""
    return page(
        "Warnings",
        "A run that went through may still be worth a look. `RunSummary.warnings`, the command "
        "line, and the log event `run.warnings` count its rows by these codes.",
        table(
            ("code", "meaning", "remedy"),
            [[code(w.code), w.meaning, w.remedy] for w in WARNINGS.values()],
        ),
        "`no_rows`, `discarded_rows`, and `deleted_at_source` are known to the process that read "
        "the source: its summary and log tell them, and `dlt-bunce status` does not.",
    )


def fates() -> str:
    """The nine fates."""
    return page(
        "Fates",
        "Every row read ends in exactly one of them. `read` is their sum, or the run fails.",
        table(("fate", "meaning"), [[code(f), text] for f, text in FATE_MEANINGS.items()]),
    )


def columns() -> str:
    """Bunce's fields and the columns that feed them."""
    return page(
        "Columns",
        table(
            ("Bunce field", "required", "columns that map by themselves, besides its own name"),
            [
                [code(f), "yes" if f in REQUIRED else "no", ", ".join(map(code, ALIASES[f]))]
                for f in FIELDS
            ],
        ),
        "Case, blanks, `-`, and `_` do not matter. Others are named by "
        '`bunce_adapter(data, email="mail2")`, by `[destination.bunce.mapping]`, or by '
        "`--map email=mail2`. Two columns for one field, or none for a required one, are refused "
        "before the first request.",
        "A column may also be a path into a nested one: `properties.email` is the member `email` "
        "of a struct, an object, or JSON text, and `phones.0.number` that of the first item of a "
        "list. A column of that whole name goes first.",
        "`device_type` and `device_token` are one device a row, where no column holds `devices`. "
        "They map by these names where there are both, and like any field.",
        "An id counts once in a run. Of several rows with one id the one with the largest version "
        "is taken, wherever in the run they lie; without a version, or of equal ones, the last. "
        "dlt may write a run into several files (`file_max_items`) and does not keep the order of "
        "rows then: instead of the last, one is taken by its content, the same each time. The "
        "others are counted as `superseded`, and ids of which nothing but this tells the newer row "
        "as `ids_repeated`. "
        "This holds for one table; two tables with one id are two sources, and the later load of "
        "that id is what Bunce has.",
        "`version` is no field of Bunce's but names a column that grows whenever a row changes: "
        "the newest row of a customer wins, within a run and against what Bunce has.",
    )
