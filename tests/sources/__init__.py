"""Customers from files and databases."""
