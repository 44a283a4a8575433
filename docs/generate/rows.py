"""Pages about rows: columns, fates, reject codes, and warnings."""

from __future__ import annotations

from dlt_bunce.model import FATE_MEANINGS, VALUE_FATE_MEANINGS
from dlt_bunce.records.schema import ALIASES, EXPORT_ALIASES, FIELDS, REQUIRED
from dlt_bunce.reject_codes import REJECT_CODES, VALUE_CODES
from dlt_bunce.run_warnings import WARNINGS
from docs.generate.markdown import code, page, table


def reject_codes() -> str:
    """Return the page of reject codes."""
    return page(
        "Reject codes",
        "A row that cannot be sent, or that Bunce rejects, becomes a dead letter with one of these "
        "codes. The stage is `normalize` if the row was rejected before it was sent, and `api` if "
        "Bunce rejected it.",
        table(
            ("code", "field", "stage", "meaning", "remedy"),
            [
                [code(c.code), code(c.field), code(c.stage), c.meaning, c.remedy]
                for c in REJECT_CODES.values()
            ],
        ),
        "## Values",
        "An attribute value or segment member that is rejected is listed in the table "
        "`bunce_rejected_values`. Its row is loaded all the same.",
        table(
            ("code", "stage", "meaning", "remedy"),
            [[code(c.code), code(c.stage), c.meaning, c.remedy] for c in VALUE_CODES.values()],
        ),
    )


def warnings() -> str:
    """Return the page of warnings."""
    return page(
        "Warnings",
        "A run that succeeded may still have problems. `RunSummary.warnings`, the command line, "
        "and the log event `run.warnings` count the affected rows by these codes.",
        table(
            ("code", "meaning", "remedy"),
            [[code(w.code), w.meaning, w.remedy] for w in WARNINGS.values()],
        ),
        "`no_rows`, `discarded_rows`, and `deleted_at_source` are known only to the process that "
        "read the source: its summary and log include them, but `dlt-bunce status` does not.",
    )


def fates() -> str:
    """Return the page of the nine fates."""
    return page(
        "Fates",
        "Every row read ends in exactly one of these fates. Their sum is `read`, or the run fails.",
        table(("fate", "meaning"), [[code(f), text] for f, text in FATE_MEANINGS.items()]),
        "## Values",
        "Every attribute value and segment member of every row read ends in exactly one of these. "
        "Their sum is the number of values read, or the run fails.",
        table(("fate", "meaning"), [[code(f), text] for f, text in VALUE_FATE_MEANINGS.items()]),
    )


def columns() -> str:
    """Return the page of Bunce's fields and the columns that map to them."""
    return page(
        "Columns",
        table(
            ("Bunce field", "required", "other column names that are mapped automatically"),
            [
                [
                    code(f),
                    "yes" if f in REQUIRED else "no",
                    ", ".join(map(code, (*ALIASES[f], *EXPORT_ALIASES.get(f, ())))),
                ]
                for f in FIELDS
            ],
        ),
        "Case, blanks, `-`, and `_` are ignored. Names that only exports of CRMs use, "
        "from the end of each list, count where none of the others is there. "
        "Name other columns with "
        '`bunce_adapter(data, email="mail2")`, in `[destination.bunce.mapping]`, or with '
        "`--map email=mail2`. Two columns for one field, or none for a required field, are an "
        "error before the first request.",
        "A column may also be a path into a nested column: `properties.email` is the member "
        "`email` of a struct, an object, or JSON text, and `phones.0.number` is the member "
        "`number` of the first item in a list. A column whose full name matches the path takes "
        "precedence.",
        "If no column holds `devices`, `device_type` and `device_token` describe one device per "
        "row. They are mapped by these names if both exist, or like any other field.",
        "Each id counts once in a run. If several rows have the same id, the one with the largest "
        "version is used, wherever it is in the run; without a version, or with equal versions, "
        "the last row. dlt may write a run into several files (`file_max_items`) and then does "
        "not keep the order of rows: instead of the last row, one is chosen by its content, the "
        "same one each time. The other rows are counted as `superseded`; ids for which nothing "
        "else shows which row is newer are counted as `ids_repeated`. This applies within one "
        "table. Two tables with the same id are two sources, and Bunce has the content of the "
        "later load.",
        "`version` is not a Bunce field: it names a column that increases whenever a row changes. "
        "The newest row of a customer wins, both within a run and compared with what Bunce has.",
    )
