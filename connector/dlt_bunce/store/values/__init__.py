"""Attribute values and segment members in the store."""
