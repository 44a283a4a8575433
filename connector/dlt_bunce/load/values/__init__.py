"""Attribute values and segment members of a load."""
