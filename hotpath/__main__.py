"""``python -m hotpath``: the console command ``hotpath``."""

import sys

from hotpath.app.command import main

sys.exit(main())
