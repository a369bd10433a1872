"""``python -m hotpath``, and the console command ``hotpath``.

A library changes nothing of its user's program, so only this file, which is our own program,
replaces ``sys.excepthook``: Ctrl-C while the program is still being imported shows no traceback.
"""

import sys

_former = sys.excepthook
sys.excepthook = lambda kind, *rest: None if kind is KeyboardInterrupt else _former(kind, *rest)


def main() -> int:
    """Run the program that the first word names; returns the exit code."""
    from hotpath.app import command

    return command.main()


if __name__ == "__main__":
    sys.exit(main())
