"""Columns of a source, mapped to the fields of a customer."""
