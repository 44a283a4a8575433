"""What to do about a store that cannot be used, whichever database holds it."""

LOCKED = "Another load holds the lock. Wait for it to finish and run again."
INCOMPLETE = (
    "Restore a backup of the store; then run dlt-bunce adopt, or else customers are sent again."
)
"""Where a table of the store, or a column of one, is missing."""
