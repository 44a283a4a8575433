"""What dlt sees: the destination, its settings, its jobs, and its working folder."""
