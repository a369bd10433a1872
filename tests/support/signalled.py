"""Run ``hotpath`` and send its process a signal at one of its calls of Hotpath's functions.

    python -m tests.support.signalled FILE PLACE SIGNAL WORDS

PLACE counts these calls from 1, those at the import of modules among them; at 0 nothing is sent.
FILE gets how many there were, so that each phase of a run can be struck without a clock.
"""

import os
import runpy
import sys

from tests.support import ROOT, run


class Calls:
    """Counts calls, as a function of ``sys.setprofile``."""

    def __init__(self, place, number):
        self.count, self._place, self._number = 0, place, number
        self._own = {}

    def __call__(self, frame, event, _):
        name = frame.f_code.co_filename
        if event == "call" and self._is_own(name):
            self.count += 1
            if self.count == self._place:
                os.kill(os.getpid(), self._number)

    def _is_own(self, name):
        if name not in self._own:
            path = os.path.realpath(name)
            inside = path.startswith(str(ROOT)) and "site-packages" not in path and name[0] != "<"
            self._own[name] = inside and not path.startswith(str(ROOT / "tests"))
        return self._own[name]


def main(path, place, number, *words):
    """The program, in this process."""
    calls, end = Calls(int(place), int(number)), os._exit

    def keep(code):
        with open(path, "w") as file:
            file.write(str(calls.count))
        end(code)

    os._exit = keep
    sys.argv = ["hotpath", *words]
    sys.setprofile(calls)
    try:
        runpy.run_module("hotpath", run_name="__main__", alter_sys=True)
    except SystemExit as error:
        sys.setprofile(None)
        sys.stderr.flush()
        keep(error.code or 0)


def signalled(path, place, number, *words):
    """A run that is struck; returns (what ``run`` gives, how many calls there were, or None)."""
    program = [sys.executable, "-m", "tests.support.signalled", path, place, int(number), *words]
    done = run(program, cwd=str(ROOT), timeout=120)
    return done, int(path.read_text()) if path.exists() else None


if __name__ == "__main__":
    main(*sys.argv[1:])
