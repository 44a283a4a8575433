"""Values of attributes and segments."""
