"""``hotpath engine`` by ``python -m hotpath.deploy.bundles``: ``engine_command.py`` has it."""

import sys

from hotpath.deploy.bundles.engine_command import main

if __name__ == "__main__":
    sys.exit(main())
