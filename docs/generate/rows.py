"""Pages about rows: columns, fates, reject codes, and warnings."""

from __future__ import annotations

from dlt_bunce.model import FATE_MEANINGS, VALUE_FATE_MEANINGS
from dlt_bunce.records.mapping.exports import EXPORTS, Export
from dlt_bunce.records.mapping.schema import ALIASES, EXPORT_ALIASES, FIELDS, FULL_NAME, REQUIRED
from dlt_bunce.records.text.spreadsheet_traces import PLACEHOLDERS
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
                for f in (*FIELDS, FULL_NAME)
            ],
        ),
        "Case, accents, blanks, and the signs `- _ . : * #` are ignored. Name other columns with "
        '`bunce_adapter(data, email="mail2")`, in `[destination.bunce.mapping]`, or with '
        "`--map email=mail2`; case and signs are ignored there, too, unless two columns differ in "
        "nothing else. Two columns with an equal right to a field, or none for a required field, "
        "are an error before the first request.",
        "The order is: `bunce_adapter` or `--map`; the configuration; a column with the field's "
        "own name; the columns of a [known export](#known-exports); the names in the table above, "
        "of which those that only exports use, from the end of each list, count where none of the "
        "others is there. `dlt-bunce check` shows which column each field got, and how.",
        "## What a mapping can say",
        table(
            ("to map", "on the command line", "in the configuration", "in Python"),
            [
                [
                    "the first column that is filled in a row",
                    "`--map phone_no=mobile --map phone_no=home_phone`",
                    '`phone_no = ["mobile", "home_phone"]`',
                    '`phone_no=["mobile", "home_phone"]`',
                ],
                [
                    "one column with both names",
                    "`--map full_name=Name`",
                    '`full_name = "Name"`',
                    '`full_name="Name"`',
                ],
                [
                    "one column to two fields",
                    "`--map customer_id=Email`",
                    '`customer_id = "Email"`',
                    '`customer_id="Email"`',
                ],
                [
                    "a value for blank cells",
                    "`--default last_name=-`",
                    '`last_name = "-"` under `[destination.bunce.defaults]`',
                    '`bunce(defaults={"last_name": "-"})`',
                ],
                [
                    "the country of national numbers",
                    "`--default-region NG`",
                    '`default_region = "NG"`',
                    '`bunce(default_region="NG")`',
                ],
            ],
        ),
        "A column is filled if its cell is neither null nor blank nor a "
        "[word for nothing](#traces-of-spreadsheets). An invalid value is filled: its row is "
        "rejected rather than sent with another value. `version`, `devices`, `device_type`, and "
        "`device_token` take one column each.",
        "`full_name` gives a row the names that it has in no column of their own. The first word "
        "is the first name, all others are the last name: Ada Maria Obi is Ada and Maria Obi. In "
        "`Obi, Ada` the comma decides, unless a title such as Jr. or PhD follows it. A single word "
        "is a first name; such a row is rejected as `missing_last_name`, or gets the default. A "
        "column called `name` is taken for a full name only if no column is a first or a last "
        "name.",
        "If one column is both the id and the email, a person who changes the email becomes "
        "another customer in Bunce, and the old one stays. `check` warns about it. Use it only for "
        "exports without an id.",
        "## Traces of spreadsheets",
        table(
            ("in the cell", "is read as", "unless"),
            [
                [
                    "`'+2348031234567`, `'00123`: an apostrophe before a digit or plus",
                    "`+2348031234567`, `00123`",
                    "`unquote_cells = false`",
                ],
                ['`="00123"`', "`00123`", "`unquote_cells = false`"],
                [
                    f"{', '.join(map(code, PLACEHOLDERS))}: a whole id, name, email, or phone",
                    "blank, counted as `placeholders_blank`; a default applies",
                    "`blank_placeholders = false`",
                ],
                [
                    "`tel:`, `p:`, `whatsapp:`, `mobile:` and the like before a phone number",
                    "the number",
                    "`trim_phones = false`: rejected",
                ],
                [
                    "`x123`, `ext. 5`, a second number after a phone number",
                    "the number, counted as `phones_shortened`",
                    "`trim_phones = false`: rejected",
                ],
            ],
        ),
        "Names that people have, such as Null, Nan, and NA, are kept.",
        "## Known exports",
        "A table is recognized as one of these exports if it has all of the marks. Of several "
        "columns for a field, the first that is filled in a row counts; of several ids, the first "
        "that the table has. A table that could be two of them is recognized as neither; a list in "
        "a language gives way to a program's export.",
        table(
            ("export", "marks", "columns"),
            [[e.name, ", ".join(map(code, e.marks)), _columns_of(e)] for e in EXPORTS],
        ),
        "## Values inside columns, devices, and versions",
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


def _columns_of(export: Export) -> str:
    return "; ".join(
        f"{code(field)}: {', '.join(map(code, columns))}"
        for field, columns in export.columns.items()
    )
