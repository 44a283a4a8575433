"""The dlt destination: its factory, configuration, load jobs, and working folder."""
