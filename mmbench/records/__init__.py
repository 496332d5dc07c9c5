"""What a run leaves: its schema, its cells, comparing two of them."""
