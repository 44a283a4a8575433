"""Module in which dlt looks up a plugin's destination by name: `destination="bunce"`."""

from __future__ import annotations

from dlt_bunce.destination.factory import bunce

__all__ = ["bunce"]
