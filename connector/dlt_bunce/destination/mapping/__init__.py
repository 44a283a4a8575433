"""Which columns of a table feed which fields, attributes, and segments."""
