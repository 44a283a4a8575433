"""Loads that are killed, and what the next ones make of it."""
