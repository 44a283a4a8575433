"""What dlt imports to learn of this package: its name makes `destination="bunce"` resolve."""
