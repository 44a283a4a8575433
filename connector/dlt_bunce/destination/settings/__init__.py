"""Settings of the destination: where they come from, and which are refused."""
