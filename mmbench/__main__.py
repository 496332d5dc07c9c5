"""``python -m mmbench``: the ``mmbench`` command."""

import sys

from mmbench.cli.main import main

sys.exit(main())
