"""The HTTP world: requests, what a reply means, when to try again, and at what pace."""
