"""The databases that can hold a store."""
