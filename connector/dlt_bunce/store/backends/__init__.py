"""The databases a store may live in."""
