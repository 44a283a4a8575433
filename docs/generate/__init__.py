"""Pages of docs/reference that follow from the code."""
