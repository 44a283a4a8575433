"""Sessions and settlements, as for the API."""

from __future__ import annotations

from tests.api.conftest import make_session, session, settle

__all__ = ["make_session", "session", "settle"]
