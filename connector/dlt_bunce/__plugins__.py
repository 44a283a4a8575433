"""Marker module that dlt imports to discover this package, so `destination="bunce"` resolves."""
