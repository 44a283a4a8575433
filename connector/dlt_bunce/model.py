"""Types shared by all modules: fates, traffic, and the summary of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Literal

from dlt_bunce.commands import name_account
from dlt_bunce.errors import (
    ConservationError,
    RejectThresholdError,
    ThresholdError,
    TooFewRowsError,
    UsageError,
)
from dlt_bunce.thresholds import Thresholds

Verb = Literal["create", "update"]
"""Operation that a request carries out for a customer."""
Fate = Literal[
    "created",
    "updated",
    "adopted",
    "skipped",
    "unchanged",
    "held",
    "superseded",
    "rejected",
    "deferred",
]
FATE_MEANINGS: Mapping[Fate, str] = MappingProxyType(
    {
        "created": "Bunce accepted the new customer",
        "updated": "Bunce accepted new content for the customer",
        "adopted": "the customer was already in Bunce, with the same content or, under `append`, "
        "with any content",
        "skipped": "changed since Bunce accepted it, but not sent because the disposition is "
        "`append`",
        "unchanged": "identical to what Bunce last accepted; not sent",
        "held": "rejected by an earlier run and unchanged since; not sent",
        "superseded": "older than another version of the same customer",
        "rejected": "written to the dead-letter table",
        "deferred": "not settled; the run fails and the next run retries it",
    }
)
FATES: tuple[Fate, ...] = tuple(FATE_MEANINGS)
VALUE_FATE_MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "written": "Bunce accepted the value",
        "unchanged": "identical to what Bunce last accepted; not sent",
        "blank": "null or blank; not sent, since it would erase nothing",
        "waiting": "its customer is not accepted; sent by the first run that reads the row after "
        "the customer is, or with its dead letter by a replay",
        "skipped": "of a linked customer, whom `append` leaves as Bunce has them; not sent",
        "superseded": "of a row that is older than another version of the same customer",
        "rejected": "refused here or by Bunce, and listed in `bunce_rejected_values`",
        "deferred": "not settled; the run fails and the next run retries it",
    }
)


@dataclass(frozen=True)
class Failure:
    """Why a run failed: the class of the error, one line about it, and the remedy, if known.

    None of them holds customer data or a secret. `is_usage` is true if the caller must change
    something before trying again.
    """

    error_class: str
    error: str
    remedy: str | None = None
    is_usage: bool = False

    def __str__(self) -> str:
        """Return one line: what happened, and the remedy."""
        return " ".join(" ".join(filter(None, (self.error, self.remedy))).split())


@dataclass
class Traffic:
    """HTTP traffic since it was last saved to the store."""

    requests: int = 0
    bulk_requests: int = 0
    lookups: int = 0
    retries: int = 0
    bytes_sent: int = 0
    wait_seconds: float = 0.0
    answer_seconds: float = 0.0
    slowest_answer_seconds: float = 0.0


@dataclass(frozen=True)
class RunSummary:
    """Row counts of one run by fate, with its traffic and duration.

    `requests` counts every HTTP request of the run, `bulk_requests` those that carried customers;
    `linked` counts customers that were found in Bunce under another id and linked to it;
    `seconds` is wall time from the first job to completion; `reject_codes` counts the rows
    rejected in this run by code. `account` is the one that the ledger keeps these rows under;
    `source` names the file, folder, or table that a command loaded.
    `over_thresholds` holds the configured thresholds that the run
    violates: the setting's name, and a clause about it. `warnings` counts rows by code of
    WARNINGS; `notes` adds details by code, such as which column a warning is about. `error` is
    why a run failed, in one line that includes the `remedy`; `error_class` is the name of the
    exception. `flushed` summarizes the rows left over from earlier runs, which
    were loaded first and are not counted here. `attributes` and `segments` count values by
    fate, with `read`; empty without any. They count values, not rows, and no value changes what
    becomes of its row. `rejected_values` counts those rejected in this run by the name of the
    attribute or segment and by code, without those that Bunce refused earlier and that have not
    changed since. `value_rows` counts rows of tables that hold values alone, which are not in
    `read`: a row is `written` once each of its values that changed has a fate. `absent_members`
    counts members who were absent from a table declared whole by `segments_whole`: `read` of them,
    `written` once they are removed from their segment.
    """

    run_id: str | None = None
    pipeline_name: str | None = None
    account: str | None = None
    source: str | None = None
    disposition: str | None = None
    state: str = "completed"
    read: int = 0
    created: int = 0
    updated: int = 0
    adopted: int = 0
    skipped: int = 0
    unchanged: int = 0
    held: int = 0
    superseded: int = 0
    rejected: int = 0
    deferred: int = 0
    requests: int = 0
    bulk_requests: int = 0
    lookups: int = 0
    retries: int = 0
    linked: int = 0
    seconds: float = 0.0
    reject_codes: Mapping[str, int] = field(default_factory=dict)
    over_thresholds: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    attributes: Mapping[str, int] = field(default_factory=dict)
    segments: Mapping[str, int] = field(default_factory=dict)
    rejected_values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    value_rows: Mapping[str, int] = field(default_factory=dict)
    absent_members: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    error_class: str | None = None
    remedy: str | None = None
    flushed: RunSummary | None = None

    @property
    def name(self) -> str | None:
        """What the run loaded; the pipeline's name if it was not started by a command."""
        return self.source or self.pipeline_name

    @property
    def rows_read(self) -> int:
        """All rows read: those of customers, and those of values alone."""
        return self.read + self.value_rows.get("read", 0)

    @property
    def value_counts(self) -> dict[str, Mapping[str, int]]:
        """Those of `attributes`, `segments`, and `absent_members` that have any, by name."""
        names = ("attributes", "segments", "absent_members")
        return {name: counts for name in names if (counts := getattr(self, name))}

    @property
    def fates(self) -> dict[Fate, int]:
        """The nine counts by fate, in reporting order."""
        return {fate: int(getattr(self, fate)) for fate in FATES}

    def as_dict(self) -> dict[str, object]:
        """Return all fields as plain values, for JSON."""
        values: dict[str, object] = {f.name: getattr(self, f.name) for f in fields(self)}
        return values | {
            "reject_codes": dict(self.reject_codes),
            "over_thresholds": dict(self.over_thresholds),
            "warnings": dict(self.warnings),
            "attributes": dict(self.attributes),
            "segments": dict(self.segments),
            "rejected_values": {name: dict(n) for name, n in self.rejected_values.items()},
            "value_rows": dict(self.value_rows),
            "absent_members": dict(self.absent_members),
            "notes": {code: list(sentences) for code, sentences in self.notes.items()},
            "flushed": None if self.flushed is None else self.flushed.as_dict(),
        }

    def raise_if_unbalanced(self) -> None:
        """Raise ConservationError unless the nine fates add up to the rows read."""
        counted = sum(self.fates.values())
        if counted != self.read:
            raise ConservationError(
                f"Run {self.run_id} read {self.read} rows but accounts for {counted}.",
                remedy="This is a bug in dlt-bunce: please report it with the output of "
                "`dlt-bunce status --json`. The source is unchanged; load its rows again.",
            )
        for noun, counts in (
            ("values of attributes", self.attributes),
            ("values of segments", self.segments),
            ("rows of values", self.value_rows),
            ("absent members", self.absent_members),
        ):
            read, counted = counts.get("read", 0), sum(counts.values()) - counts.get("read", 0)
            if counted != read:
                raise ConservationError(
                    f"Run {self.run_id} read {read} {noun} but accounts for {counted}.",
                    remedy="This is a bug in dlt-bunce: please report it with the output of "
                    "`dlt-bunce status --json`.",
                )

    def raise_if_rejected(self, *, share: float | None = None, count: int | None = None) -> None:
        """Raise RejectThresholdError if more rows were rejected than allowed.

        `share` is a fraction of the rows read (0.01 allows 1%), `count` a number of rows; with
        neither, a single rejected row raises. Rows held from earlier runs count as rejected. Raises
        UsageError for a share above 1, which no run exceeds.
        """
        if share is not None and not 0 <= share <= 1:
            raise UsageError(
                f"share is {share}, but must be a fraction from 0 to 1.",
                remedy="For example, pass share=0.05 for 5%.",
            )
        if share is None and count is None:
            count = 0
        self._raise_over(self.judged(Thresholds(share, count)))

    def raise_if_over_thresholds(self) -> None:
        """Raise a ThresholdError with this summary if `over_thresholds` is not empty.

        It is a TooFewRowsError if only the number of rows read is too low, else a
        RejectThresholdError.
        """
        self._raise_over(self.over_thresholds)

    def judged(self, thresholds: Thresholds, last_read: int | None = None) -> dict[str, str]:
        """Return the `thresholds` that the run violates; held rows count as rejected, and rows of
        values as rows.
        """
        rejected = self.rejected + self.held + self.value_rows.get("rejected", 0)
        return thresholds.exceeded(read=self.rows_read, rejected=rejected, last_read=last_read)

    def _raise_over(self, found: Mapping[str, str]) -> None:
        if not found:
            return
        absences = {"segments_whole", "segments_min_share"}
        rejects = found.keys() - {"min_rows_share_of_last", "min_rows"} - absences
        kind: type[ThresholdError] = RejectThresholdError if rejects else TooFewRowsError
        outcome = (
            "nothing was sent because this is a dry run"
            if self.state == "dry_run"
            else "all other rows were loaded"
            if rejects
            else "every row read was loaded or accounted for"
        )
        remedy = (
            "To see why, run: dlt-bunce check SOURCE"
            if rejects and self.state == "dry_run"
            else "To list them, run: dlt-bunce dead-letters list"
            if rejects
            else "Check the source. If it is complete, load once with --segments-min-share 0."
            if "segments_min_share" in found
            else "Check the source. The next run is not blocked."
        )
        error = kind(f"{'; '.join(found.values())}; {outcome}.", summary=self, remedy=remedy)
        name_account(error, self.account or "default")
        raise error
