"""The ``mmbench`` command, one module a group of subcommands."""
