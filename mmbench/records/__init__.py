"""What a run leaves: schema, files and their layout, cells and verdicts, and comparing two records."""
