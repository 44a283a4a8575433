"""The configured rules for values, and the parser that they make of each field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.fields.devices import parse_devices
from dlt_bunce.records.fields.emails import parse_emails
from dlt_bunce.records.fields.fields import Parser
from dlt_bunce.records.fields.names import parse_names
from dlt_bunce.records.fields.phones import parse_phones
from dlt_bunce.records.text.column import any_true
from dlt_bunce.records.text.spreadsheet_traces import NO_TRACES, Traces


@dataclass(frozen=True)
class Rules:
    """The configured rules for values.

    `default_region` is the ISO code for national phone numbers; `defaults` maps fields to the value
    for rows that have none. `unquote_cells`, `blank_placeholders`, and `trim_phones` are whether
    what spreadsheets and exports add to values is removed.
    """

    default_region: str | None = None
    lowercase_email: bool = True
    strict_devices: bool = False
    unescape_html: bool = False
    version_format: str | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)
    unquote_cells: bool = True
    blank_placeholders: bool = True
    trim_phones: bool = True

    @property
    def traces(self) -> Traces:
        """What is removed from text before it is validated."""
        return Traces(self.unquote_cells, self.blank_placeholders)


def parsers_of(rules: Rules, traces: Traces | None = None) -> Mapping[str, Parser]:
    """Return the parser of each field but the id; `traces` other than those of the rules."""
    traces = rules.traces if traces is None else traces
    names = partial(parse_names, unescape=rules.unescape_html, traces=traces)
    return {
        "email": partial(parse_emails, lowercase=rules.lowercase_email, traces=traces),
        "first_name": names,
        "last_name": names,
        "phone_no": partial(
            parse_phones,
            default_region=rules.default_region,
            trim=rules.trim_phones,
            traces=traces,
        ),
        "devices": partial(parse_devices, strict=rules.strict_devices),
    }


def canonical_defaults(rules: Rules) -> dict[str, str]:
    """Return the defaults as they are sent. Raises ConfigurationError for an invalid one."""
    canonical: dict[str, str] = {}
    parsers = parsers_of(rules, NO_TRACES)  # a default of "-" is meant
    for name, value in rules.defaults.items():
        if name not in parsers:
            raise ConfigurationError(
                f"[destination.bunce.defaults] does not support {name}.",
                remedy=f"Supported fields: {', '.join(parsers)}.",
            )
        # TOML and the environment may give a number for text that looks like one
        parsed = parsers[name](pa.array([None if value is None else str(value)], pa.string()))
        if any_true(parsed.invalid):
            raise ConfigurationError(
                f"The default for {name} under [destination.bunce.defaults] is invalid: "
                f"{parsed.reason[0].as_py()}.",
                remedy="Correct or remove it.",
            )
        if parsed.values[0].is_valid:
            canonical[name] = parsed.values[0].as_py()
    return canonical
