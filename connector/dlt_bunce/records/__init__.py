"""Pure functions from Arrow tables to payloads, fingerprints, and batches. No I/O, no clock."""

from dlt_bunce.records.batching import pack
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.fingerprint import email_digests, fingerprint
from dlt_bunce.records.mapping.mapping import FieldMapping, resolve_mapping
from dlt_bunce.records.mapping.schema import ALIASES, FIELDS, REQUIRED
from dlt_bunce.records.prepare import Prepared, prepare

__all__ = [
    "ALIASES",
    "FIELDS",
    "REQUIRED",
    "FieldMapping",
    "Prepared",
    "Rules",
    "email_digests",
    "fingerprint",
    "pack",
    "prepare",
    "resolve_mapping",
]
