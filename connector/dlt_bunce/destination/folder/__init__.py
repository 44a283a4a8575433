"""dlt's working folder: whose it is, who uses it, and the packages in it."""
