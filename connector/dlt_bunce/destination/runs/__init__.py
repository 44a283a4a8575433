"""The runs of a pipeline, from their first record to their summary."""
