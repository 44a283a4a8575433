"""The report and the workbench, in a real browser."""
