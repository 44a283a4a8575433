"""The tables of the store: made by migrations, and described for people."""
