"""``python -m hotpath.deploy.bundles`` runs ``hotpath engine`` (``engine_command.py``)."""

import sys

from hotpath.deploy.bundles.engine_command import main

if __name__ == "__main__":
    sys.exit(main())
