"""Tests of the report and the workbench in a real browser."""
