"""Helpers for orchestrators: `dlt_bunce.integrations.airflow` and `.dagster`.

Each module imports its orchestrator, which must be installed.
"""
