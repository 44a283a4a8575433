"""The engine of a load, without dlt."""
