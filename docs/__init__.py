"""The documents, and what makes those of them that follow from the code."""
