"""Loads into the emulated API under every reading of what its documentation leaves open."""
