"""``python -m mmbench.calibration`` simulates anew and renders the page."""

import sys

from mmbench.calibration.page import main

sys.exit(main())
