"""Columns of any type as text."""
