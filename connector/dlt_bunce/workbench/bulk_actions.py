"""Replays and discards that forms ask for, of checked dead letters or of all that match."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Literal, cast

from dlt_bunce.store.letters.selection import Selection
from dlt_bunce.workbench.error_page import ErrorPage
from dlt_bunce.workbench.filters import Filter, Given, filter_of, ids_of, moment

Action = Literal["replay", "discard"]


@dataclass(frozen=True)
class BulkAction:
    """A replay or discard to carry out.

    `ids` are the checked dead letters; None means all that match the filter. `cutoff` is when the
    user asked for it: dead letters last seen after it were not counted then and are left alone.
    """

    action: Action
    filter: Filter
    ids: list[str] | None
    cutoff: datetime

    @property
    def selection(self) -> Selection:
        """The open dead letters to act on."""
        if self.ids is not None:
            return Selection(ids=self.ids, until=self.cutoff)
        chosen = self.filter.selection
        return replace(chosen, status="open", until=min(chosen.until or self.cutoff, self.cutoff))


def bulk_action_of(form: Given) -> BulkAction:
    """Parse a form. Raises ErrorPage if it is invalid or selects no dead letters."""
    action, _, scope = str(form.get("do", "")).partition("-")
    if action not in {"replay", "discard"} or scope not in {"checked", "all"}:
        raise ErrorPage(400, "Unknown action", "Go back and choose replay or discard.")
    ids = ids_of(form) if scope == "checked" else None
    if ids == []:
        raise ErrorPage(
            409, "Nothing is checked", "Go back and check some dead letters, or act on all of them."
        )
    cutoff = moment(str(form.get("cutoff", ""))) or datetime.now(timezone.utc)
    return BulkAction(cast("Action", action), filter_of(form), ids, cutoff)
