"""The database behind a load: the ledger, dead letters, runs, and dlt's own state."""
