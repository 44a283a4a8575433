"""The destination in real pipelines against the emulated API."""
