"""Let every process of a Python simulate a board: put this folder on PYTHONPATH, set FAKE_BOARD.

The simulation starts when ``runtime`` is imported, from any checkout. The fakes come from this
checkout.
"""

import os
import sys

PROJECT = os.path.abspath(__file__)
for _ in range(4):
    PROJECT = os.path.dirname(PROJECT)


class _Start:
    """An import hook that finds no module, but notices the import of ``runtime``."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "hotpath.runtime":
            sys.meta_path.remove(_Start)
            import hotpath.boards
            import hotpath.kernels  # noqa: F401  (of the checkout that is run)

            sys.path.insert(0, PROJECT)
            try:
                from hotpath_nogpu.tensorrt import machine
            finally:
                sys.path.remove(PROJECT)
            machine.play()
        return None


if os.environ.get("FAKE_BOARD"):
    sys.meta_path.insert(0, _Start)
