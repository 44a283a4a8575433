"""How many customers a request may have, and how long each takes."""

from __future__ import annotations

from collections.abc import Iterator

from dlt_bunce.api.throttle import TARGET_S
from dlt_bunce.probe.creating import note_size
from dlt_bunce.probe.inquiry import Inquiry
from dlt_bunce.probe.steps import Asking
from dlt_bunce.settlement.messages import TooLarge

FIRST = 50


def sizes(max_batch: int) -> list[int]:
    """Return the sizes to try: doubled, up to the bound."""
    return list(_doubled(max_batch))


def grow_batches(inquiry: Inquiry) -> Asking[list[str]]:
    """Create batches, each twice as large, until one is refused or slow; return ids that exist."""
    ids = [str(customer["customer_id"]) for customer in inquiry.base]
    if "refused_batch" in inquiry.figures:
        return ids
    for size in sizes(inquiry.max_batch):
        if not (yield from _try(inquiry, size, ids)):
            break
    else:
        inquiry.note("larger_batch", "not tried", f"up to {inquiry.max_batch} were")
    return ids


def _try(inquiry: Inquiry, size: int, ids: list[str]) -> Asking[bool]:
    """Send a batch of one size; return whether to go on with a larger one."""
    rows = inquiry.customers.several(size)
    outcome = yield from inquiry.send("create", rows)
    reply = outcome.reply
    if outcome.is_accepted:
        note_size(inquiry, outcome)
        ids += [str(row["customer_id"]) for row in rows]
        if reply.seconds <= TARGET_S / 2:
            return True
        inquiry.note("larger_batch", "not tried", f"{size} took {reply.seconds:.1f} s")
        return False
    if isinstance(outcome.read, TooLarge):
        inquiry.figures["refused_batch"] = size
    if reply.arrival == "answered":
        inquiry.note("larger_batch", f"HTTP {reply.status} at {size}", outcome)
    else:
        inquiry.note("larger_batch", f"no answer at {size}", outcome)
    return False


def _doubled(max_batch: int) -> Iterator[int]:
    size = FIRST
    while size < max_batch:
        yield size
        size *= 2
    yield max_batch
