"""Dead letters in the store."""
