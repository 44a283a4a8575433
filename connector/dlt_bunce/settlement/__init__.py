"""What became of each row of a batch, told from what Bunce answered."""
