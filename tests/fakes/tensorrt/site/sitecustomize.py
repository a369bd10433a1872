"""Lets every process of a Python play a board: put this folder on PYTHONPATH and set FAKE_BOARD.

The board is played as soon as ``runtime`` is imported, from whichever checkout that comes. The
fakes come from this checkout.
"""

import os
import sys

ROOT = os.path.abspath(__file__)
for _ in range(5):
    ROOT = os.path.dirname(ROOT)


class _Start:
    """Finds no module; notices the import of ``runtime``."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "runtime":
            sys.meta_path.remove(_Start)
            import boards  # noqa: F401  (of the checkout that is run)
            import kernels  # noqa: F401

            sys.path.insert(0, ROOT)
            try:
                from tests.fakes.tensorrt import machine
            finally:
                sys.path.remove(ROOT)
            machine.play()
        return None


if os.environ.get("FAKE_BOARD"):
    sys.meta_path.insert(0, _Start)
