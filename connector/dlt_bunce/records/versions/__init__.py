"""Versions, which tell which of several rows is newest."""
