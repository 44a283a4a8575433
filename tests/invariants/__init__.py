"""The settlement against a model of every reading of the API."""
