"""``python -m mmbench.zoo``: the same as ``mmbench zoo``."""

from mmbench.zoo.commands import main

if __name__ == "__main__":
    raise SystemExit(main())
