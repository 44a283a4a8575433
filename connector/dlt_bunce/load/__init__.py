"""The engine of a load; knows no dlt."""
