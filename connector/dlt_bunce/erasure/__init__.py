"""Erasure of customers from the store and from rows in dlt's working folders."""

from __future__ import annotations

from dlt_bunce.erasure.erase import Erased, Request, erase

__all__ = ["Erased", "Request", "erase"]
