"""Runs in the store: their state, counts, and history."""
