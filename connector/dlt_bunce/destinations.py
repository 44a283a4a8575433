"""Where dlt looks for the destination of a plugin by its name: `destination="bunce"`."""

from __future__ import annotations

from dlt_bunce.destination.factory import bunce

__all__ = ["bunce"]
