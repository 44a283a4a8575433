"""The one database behind a load: ledger, dead letters, runs, and dlt's own state."""
