"""The fields of a customer, each with its own rules."""
