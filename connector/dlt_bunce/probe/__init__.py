"""Questions that Bunce's documentation leaves open, and how to have the API answer them: pure."""
