"""The ``mmbench`` command, one module for each group of subcommands."""
